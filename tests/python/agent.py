"""An agent on the official openai package: it answers every tool call until the model says something, then goes on to its next task.

Every other request is streamed. Between two requests it waits until the proxy has read what it got. It prints one JSON object: what
the model said at the end of each task and, for each request, what the proxy's headers said. It must not know when prompts are
rewritten.
"""

import json
import sys

from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from proxy import until_read

SYSTEM = "You are an assistant that looks after weather stations and asks them with tools."
WINDS = ("north", "east", "south", "west")
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"station": {"type": "integer"}}, "required": ["station"]},
        },
    }
    for name in ("weather", "forecast")
]


class Agent:
    """A conversation with tools that grows."""

    def __init__(self, server: str, api_key: str) -> None:
        self.server = server
        self.client = OpenAI(base_url=f"{server}/v1", api_key=api_key, max_retries=0, timeout=120.0)
        self.messages = [{"role": "system", "content": SYSTEM}]
        self.requests = []

    def solve(self, task: str) -> str:
        self.messages.append({"role": "user", "content": task})
        while True:
            said = self.ask()
            self.messages.append(as_message(said))
            if not said.tool_calls:
                return said.content
            for call in said.tool_calls:
                content = measured(call.function.name, json.loads(call.function.arguments)["station"])
                self.messages.append({"role": "tool", "tool_call_id": call.id, "content": content})

    def ask(self) -> object:
        streamed = len(self.requests) % 2 == 1
        request = {"model": "gpt-4o-mini", "messages": self.messages, "tools": TOOLS}
        raw = self.client.chat.completions.with_raw_response.create(stream=streamed, **request)
        if streamed:
            state = ChatCompletionStreamState()
            for chunk in raw.parse():
                state.handle_chunk(chunk)
            completion = state.current_completion_snapshot
        else:
            completion = raw.parse()
        self.requests.append(
            {
                "streamed": streamed,
                "outcome": raw.headers["x-mainpoint"],
                "came": int(raw.headers["x-mainpoint-tokens-in"]),
                "forwarded": int(raw.headers["x-mainpoint-tokens-forwarded"]),
            }
        )
        until_read(self.server)
        return completion.choices[0].message


def as_message(said: object) -> dict:
    message = {"role": "assistant", "content": said.content}
    if said.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in said.tool_calls
        ]
    return message


def measured(tool: str, station: int) -> str:
    hours = [
        f"at {hour}:00 {(station * 7 + hour) % 35} degrees, wind from the {WINDS[(station + hour) % 4]} with "
        f"{(station * 3 + hour) % 60} km/h"
        for hour in range(6, 21, 5)
    ]
    return f"{tool} of station {station}: {'; '.join(hours)}."


def main() -> None:
    server, api_key, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3])
    agent = Agent(server, api_key)
    said = [agent.solve(f"Task {task}: ask the next stations how warm it is there, and compare them.") for task in range(tasks)]
    print(json.dumps({"said": said, "requests": agent.requests}))


if __name__ == "__main__":
    main()
