"""Clients as people have them: what each makes of its conversation before it sends it, done by the library that does it so.

It reads {"client": ..., "server": ..., "key": ..., "secret": ..., "exchanges": [[user, assistant], ...], "question": ...} from
standard input, has the exchanges as the named client and asks the question at the end, and prints one JSON object: what was
answered, and every request as it was sent. It must not know what the proxy makes of them.
"""

import json
import sys
import time

import jwt
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from openai import OpenAI

from proxy import Recorder, until_searchable

MODEL = "gpt-4o-mini"
# Messages of a window: five exchanges and what is said next.
WINDOW = 11
WINDOW_TOKENS = 200
STATIONS = ("harbour", "airport", "hill", "island")


class Client:
    """Somebody who chats, with what the libraries need for that."""

    def __init__(self, plan: dict) -> None:
        self.plan = plan
        self.recorder = Recorder(plan["server"])
        self.said: list[str] = []
        self.history: list = []

    def openai(self, **more: object) -> OpenAI:
        settings = {"api_key": self.plan["key"], "max_retries": 0, **more}
        return OpenAI(base_url=f"{self.plan['server']}/v1", http_client=self.recorder.http, **settings)

    def langchain(self) -> ChatOpenAI:
        return ChatOpenAI(
            model=MODEL,
            base_url=f"{self.plan['server']}/v1",
            api_key=self.plan["key"],
            max_retries=0,
            http_client=self.recorder.http,
        )

    def play(self) -> None:
        for user, _ in self.plan["exchanges"]:
            self.say(user)
        self.ask()

    def ask(self) -> None:
        self.recorder.asks = True
        self.say(self.plan["question"])
        self.recorder.asks = False

    def say(self, text: str) -> None:
        raise NotImplementedError

    def clock(self) -> str:
        number = len(self.said)
        return f"2026-11-30T{8 + number // 60:02}:{number % 60:02}:07Z"


class OpenAIClient(Client):
    """A client on the openai package; `view` says what it makes of its history."""

    def __init__(self, plan: dict) -> None:
        super().__init__(plan)
        self.client = self.openai()

    def say(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})
        completion = self.client.chat.completions.create(model=MODEL, messages=self.view())
        self.said.append(completion.choices[0].message.content)
        self.history.append({"role": "assistant", "content": self.said[-1]})

    def view(self) -> list[dict]:
        return self.history


class LangChainClient(Client):
    """A client on LangChain; `view` says what it makes of its history."""

    def __init__(self, plan: dict) -> None:
        super().__init__(plan)
        self.model = self.langchain()

    def say(self, text: str) -> None:
        self.history.append(HumanMessage(text))
        self.history.append(self.answer(self.view()))

    def answer(self, messages: list[BaseMessage]) -> AIMessage:
        answer = self.model.invoke(messages)
        self.said.append(answer.text)
        return answer

    def view(self) -> list[BaseMessage]:
        return self.history


class WholeHistory(OpenAIClient):
    """Sends everything, always."""


class WindowOfTurns(LangChainClient):
    """Sends the last messages."""

    def view(self) -> list[BaseMessage]:
        return trim_messages(
            self.history, max_tokens=WINDOW, token_counter=len, strategy="last", start_on="human"
        )


class WindowOfTokens(LangChainClient):
    """Sends as much of the end as there is room for."""

    def view(self) -> list[BaseMessage]:
        return trim_messages(
            self.history,
            max_tokens=WINDOW_TOKENS,
            token_counter=count_tokens_approximately,
            strategy="last",
            start_on="human",
        )


class SummaryInFront(Client):
    """Has a summary in the place of what is no longer in the window, and a new one for every request."""

    def __init__(self, plan: dict) -> None:
        super().__init__(plan)
        model = self.langchain()
        middleware = SummarizationMiddleware(
            model, trigger=("messages", WINDOW + 1), keep=("messages", WINDOW), summarizer=self.summarized
        )
        self.agent = create_agent(model, middleware=[middleware])

    def summarized(self, messages: list[BaseMessage]) -> str:
        return f"{len(messages)} messages before request {len(self.said)}: they chatted about their days."

    def say(self, text: str) -> None:
        self.history = self.agent.invoke({"messages": [*self.history, HumanMessage(text)]})["messages"]
        self.said.append(self.history[-1].text)


class ClockInFront(LangChainClient):
    """Says in the system message what time it is."""

    TEMPLATE = ChatPromptTemplate([("system", "You are a friendly assistant. It is {now}."), ("placeholder", "{history}")])

    def view(self) -> list[BaseMessage]:
        return self.TEMPLATE.format_messages(now=self.clock(), history=self.history)


class ClockInTheFirstMessage(OpenAIClient):
    """Says in the user's first message what time it is."""

    def view(self) -> list[dict]:
        first = self.history[0]["content"]
        return [{"role": "user", "content": f"Now: {self.clock()}\n{first}"}, *self.history[1:]]


class DocumentsInTheQuestion(LangChainClient):
    """Puts what was retrieved before the question, and keeps the question alone."""

    TEMPLATE = ChatPromptTemplate([("placeholder", "{history}"), ("user", "Use this: {documents}\n\n{question}")])

    def view(self) -> list[BaseMessage]:
        *before, question = trim_messages(
            self.history, max_tokens=WINDOW, token_counter=len, strategy="last", start_on="human"
        )
        return self.TEMPLATE.format_messages(
            history=before, documents="the museum opens at ten.", question=question.text
        )


class NewChat(WholeHistory):
    """Asks in a new chat, some time after the first one."""

    def ask(self) -> None:
        until_searchable(self.plan["server"])
        self.history = []
        self.recorder.chat = "second"
        super().ask()


class RefreshedToken(OpenAIClient):
    """Has a new token for every request, and a window of turns."""

    def openai(self, **more: object) -> OpenAI:
        return super().openai(api_key=self.token, **more)

    def token(self) -> str:
        claims = {"iss": "https://login.example", "sub": "ann", "exp": int(time.time()) + 600, "jti": str(len(self.said))}
        return jwt.encode(claims, self.plan["secret"], algorithm="HS256")

    def view(self) -> list[dict]:
        return self.history[-WINDOW:]


class AgentLoop(Client):
    """An agent that looks up whatever the model wants to know before it answers."""

    def __init__(self, plan: dict) -> None:
        super().__init__(plan)
        self.agent = create_agent(self.langchain(), tools=[weather])

    def say(self, text: str) -> None:
        self.history = self.agent.invoke({"messages": [*self.history, HumanMessage(text)]})["messages"]
        self.said.append(self.history[-1].text)


def weather(station: int) -> str:
    """The weather at a station, hour by hour."""
    name = f"{STATIONS[station % len(STATIONS)]} station {station}"
    hours = [f"at {hour}:00 {(station * 7 + hour) % 35} degrees and {(station * 3 + hour) % 60} km/h" for hour in (6, 12, 18)]
    return f"The {name} reports {'; '.join(hours)}."


class TwoDevices(WindowOfTurns):
    """A chat on two devices.

    The first question is answered twice, and only the second answer is shown. The last exchange is on the second device, which has
    seen everything but the exchange before it. Both ask at the end.
    """

    def play(self) -> None:
        (question, _), *exchanges = self.plan["exchanges"]
        desk = [HumanMessage(question)]
        self.answer(desk)
        desk.append(self.answer(desk))
        *here, (there, _) = exchanges[1:]
        self.history = desk
        for user, _ in here:
            self.say(user)
        telephone = desk[:-2]
        self.take_up("telephone", telephone)
        self.say(there)
        self.ask()
        self.take_up("first", desk)
        self.ask()

    def take_up(self, device: str, history: list[BaseMessage]) -> None:
        self.recorder.chat, self.history = device, history


CLIENTS = {
    "whole history": WholeHistory,
    "window of turns": WindowOfTurns,
    "window of tokens": WindowOfTokens,
    "summary in front": SummaryInFront,
    "clock in front": ClockInFront,
    "clock in the first message": ClockInTheFirstMessage,
    "documents in the question": DocumentsInTheQuestion,
    "new chat": NewChat,
    "refreshed token": RefreshedToken,
    "agent loop": AgentLoop,
    "two devices in one chat": TwoDevices,
}


def main() -> None:
    plan = json.load(sys.stdin)
    client = CLIENTS[plan["client"]](plan)
    client.play()
    print(json.dumps({"said": client.said, "requests": client.recorder.requests}))


if __name__ == "__main__":
    main()
