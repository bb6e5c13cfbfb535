"""A WebSocket server, and a client of the `websockets` package that reaches it through the proxy.

It prints the server's port, reads the proxy's URL from standard input, exchanges messages of every kind, and prints one JSON object
about them. It must not know what the proxy does with them.
"""

import json
import sys
import threading

from websockets.sync.client import connect
from websockets.sync.server import serve

MESSAGES = ["Köln ☕", b"\x00\xff\r\n", "x" * 3_000_000, bytes(range(256)) * 4_000, "", "last"]


def echo(connection) -> None:
    for message in connection:
        connection.send(message)


def exchange(url: str) -> dict:
    with connect(
        url,
        subprotocols=["realtime"],
        additional_headers={"Authorization": "Bearer sk-test"},
        max_size=None,
        proxy=None,
    ) as client:
        echoed = []
        for message in MESSAGES:
            client.send(message)
            echoed.append(client.recv(timeout=60))
        is_alive = client.ping().wait(timeout=60)
        outcome = client.response.headers["x-mainpoint"]
        client.close(1000, "done")
    return {
        "echoed": echoed == MESSAGES,
        "is_alive": is_alive,
        "subprotocol": client.subprotocol,
        "outcome": outcome,
        "close_code": client.close_code,
    }


def main() -> None:
    with serve(echo, "127.0.0.1", 0, subprotocols=["realtime"], max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.socket.getsockname()[1], flush=True)
        print(json.dumps(exchange(sys.stdin.readline().strip())), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
