"""Streams through the official openai package, one stream after the other, and prints what it put together of each.

It reads a list of interfaces, "chat.completions" or "responses", from standard input, asks once through each of them with a
question of its own, and prints one line of JSON for each stream. It must not know what the streams say.
"""

import hashlib
import json
import sys

from openai import OpenAI

MODEL = "gpt-4o-mini"


class Assembled:
    """What a client keeps of one stream."""

    def __init__(self) -> None:
        self.text = ""
        # Calls, refusals, audio, parts that are no text: the stream is more than its text.
        self.more = False
        self.finished = None
        # The places that text arrived at: one for each message.
        self.places = set()

    def add(self, place: object, text: object) -> None:
        if isinstance(text, str):
            if text:
                self.places.add(place)
            self.text += text
        elif text is not None:
            self.more = True

    def told(self) -> dict:
        return {
            "text": self.text,
            "sha256": hashlib.sha256(self.text.encode()).hexdigest(),
            "more": self.more,
            "finished": self.finished,
            "messages": len(self.places),
        }


def chat(client: OpenAI, question: str) -> object:
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, stream=True)


def take_chunk(assembled: Assembled, chunk: object) -> None:
    for choice in getattr(chunk, "choices", None) or []:
        # Services that have one choice only may leave its number out.
        if getattr(choice, "index", None):
            continue
        assembled.finished = getattr(choice, "finish_reason", None) or assembled.finished
        delta = getattr(choice, "delta", None)
        if delta is None:
            continue
        assembled.add(0, getattr(delta, "content", None))
        for name in ("tool_calls", "function_call", "refusal", "audio"):
            assembled.more = assembled.more or bool(getattr(delta, name, None))


def responses(client: OpenAI, question: str) -> object:
    return client.responses.with_raw_response.create(model=MODEL, input=question, stream=True)


def take_event(assembled: Assembled, event: object) -> None:
    kind = event.type
    if kind == "response.output_text.delta":
        assembled.add((event.output_index, event.content_index), event.delta)
    elif kind.startswith("response.refusal."):
        assembled.more = True
    elif kind == "response.output_item.added":
        # Reasoning has no words of its own in a conversation; everything else beside a message has.
        assembled.more = assembled.more or event.item.type not in ("message", "reasoning")
    elif kind in ("response.completed", "response.incomplete", "response.failed"):
        assembled.finished = kind


INTERFACES = {"chat.completions": (chat, take_chunk), "responses": (responses, take_event)}


def one(client: OpenAI, number: int, interface: str) -> dict:
    ask, take = INTERFACES[interface]
    raw = ask(client, f"What does recording {number} say?")
    told = {"id": raw.headers["x-mainpoint-request-id"]}
    assembled = Assembled()
    try:
        for event in raw.parse():
            take(assembled, event)
    except Exception as error:  # noqa: BLE001 - whatever the package cannot read, no application can
        return {**told, "unreadable": f"{type(error).__name__}: {error}"[:200]}
    return {**told, **assembled.told()}


def main() -> None:
    base_url, api_key = sys.argv[1:3]
    client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=120.0)
    for number, interface in enumerate(json.load(sys.stdin)):
        print(json.dumps(one(client, number, interface)))


if __name__ == "__main__":
    main()
