"""Chats through the official openai package, as an application would, and prints what it assembled.

It reads {"messages": [...], "tools": [...]} from standard input, asks once without and once with streaming, and prints one JSON
object: the two texts and, for each, what the proxy's header said. It must not know what the answers should be.
"""

import json
import sys

from openai import OpenAI


def without_streaming(client: OpenAI, request: dict) -> dict:
    raw = client.chat.completions.with_raw_response.create(**request)
    completion = raw.parse()
    choice = completion.choices[0]
    return {
        "text": choice.message.content,
        "finish_reason": choice.finish_reason,
        "outcome": raw.headers["x-mainpoint"],
    }


def with_streaming(client: OpenAI, request: dict) -> dict:
    text, finish_reason = "", None
    raw = client.chat.completions.with_raw_response.create(stream=True, **request)
    for chunk in raw.parse():
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish_reason = choice.finish_reason or finish_reason
    return {"text": text, "finish_reason": finish_reason, "outcome": raw.headers["x-mainpoint"]}


def main() -> None:
    base_url, api_key = sys.argv[1:3]
    request = {"model": "gpt-4o-mini", **json.load(sys.stdin)}
    client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=120.0)
    answers = {"plain": without_streaming(client, request), "streamed": with_streaming(client, request)}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
