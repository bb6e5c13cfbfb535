"""The proxy as its clients' tests see it: waiting until it has read, and what it was asked and answered.

It must not know what a client does to its conversation.
"""

import time
import urllib.request

from openai import DefaultHttpxClient

PATIENCE_SECONDS = 120.0


def until_read(server: str) -> None:
    """Waits until the proxy has read every turn that it got."""
    until_none_is_left(server, "mainpoint_backlog_turns")


def until_searchable(server: str) -> None:
    """Waits until searches of other conversations find every turn that the proxy got."""
    until_read(server)
    until_none_is_left(server, "mainpoint_unflushed_turns")


def until_none_is_left(server: str, metric: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{server}/metrics", timeout=PATIENCE_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        left = [float(line.split()[-1]) for line in lines if line.startswith(metric)]
        if left and not any(left):
            return
        time.sleep(0.02)
    raise TimeoutError(f"{metric} does not come down to nothing")


class Recorder:
    """Notes every request exactly as a library sends it, and what the proxy's headers say about it.

    A request waits until the proxy has read everything before it, so that two runs are the same.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.requests: list[dict] = []
        # The chat that the next requests belong to, and whether they ask for what was told at its beginning.
        self.chat = "first"
        self.asks = False
        hooks = {"request": [self.before], "response": [self.after]}
        self.http = DefaultHttpxClient(event_hooks=hooks, timeout=PATIENCE_SECONDS)

    def before(self, request: object) -> None:
        until_read(self.server)
        self.requests.append(
            {
                "chat": self.chat,
                "asks": self.asks,
                "body": request.content.decode(),
                "authorization": request.headers["authorization"],
            }
        )

    def after(self, response: object) -> None:
        self.requests[-1]["outcome"] = response.headers["x-mainpoint"]
        self.requests[-1]["id"] = response.headers["x-mainpoint-request-id"]
