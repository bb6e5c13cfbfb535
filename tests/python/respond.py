"""Asks through the Responses interface of the official openai package, as an application would, and prints what came back.

It reads {"input": ..., ...} from standard input, asks once without and once with streaming, and prints one JSON object: the two
texts, the statuses and what the proxy's headers said. It must not know what the answers should be.
"""

import json
import sys

from openai import OpenAI


def told(headers: object) -> dict:
    """What the proxy's headers say about the prompt."""
    return {
        "outcome": headers["x-mainpoint"],
        "came": int(headers["x-mainpoint-tokens-in"]),
        "forwarded": int(headers["x-mainpoint-tokens-forwarded"]),
    }


def without_streaming(client: OpenAI, request: dict) -> dict:
    raw = client.responses.with_raw_response.create(**request)
    response = raw.parse()
    return {"text": response.output_text, "status": response.status, **told(raw.headers)}


def with_streaming(client: OpenAI, request: dict) -> dict:
    text, final = "", None
    raw = client.responses.with_raw_response.create(stream=True, **request)
    for event in raw.parse():
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "response.completed":
            final = event.response
    assert final is not None and final.output_text == text, "the last event repeats the text"
    return {"text": text, "status": final.status, **told(raw.headers)}


def main() -> None:
    base_url, api_key = sys.argv[1:3]
    request = {"model": "gpt-4o-mini", **json.load(sys.stdin)}
    client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=120.0)
    answers = {"plain": without_streaming(client, request), "streamed": with_streaming(client, request)}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
