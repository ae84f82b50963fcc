"""Two independent WebSocket clients with one face: `websockets` and `websocket-client`."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
import websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE

WAIT = PATIENCE
"""Seconds for a message."""

UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


class Websockets:
    """A connection of `websockets`. Not for TLS: two of its threads use one SSLSocket, one reading
    tickets while the other sends the request, and lose about three requests in a thousand.
    """

    def __init__(self, url: str, cookie: str = "") -> None:
        headers = {"Cookie": cookie} if cookie else None
        self._stack = contextlib.ExitStack()
        self.inner = self._stack.enter_context(
            connect(
                url,
                max_size=None,
                compression=None,
                proxy=None,
                additional_headers=headers,
            )
        )

    def send(self, message: str | bytes) -> None:
        self.inner.send(message)

    def recv(self) -> Any:
        return self.inner.recv(timeout=WAIT)

    def set_cookies(self) -> dict[str, str]:
        """The cookies that came with the handshake."""
        assert self.inner.response is not None
        return _values(self.inner.response.headers.get_all("set-cookie"))

    def closed_with(self) -> int:
        """Read on until it is closed; the code."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.recv()
        assert self.inner.close_code is not None
        return self.inner.close_code

    def close(self) -> None:
        self._stack.close()


class WebSocketClient:
    """A connection of `websocket-client`."""

    def __init__(self, url: str, cookie: str = "", context: ssl.SSLContext | None = None) -> None:
        self.inner = websocket.create_connection(
            url, timeout=WAIT, cookie=cookie or None, sslopt={"context": context}
        )

    def send(self, message: str | bytes) -> None:
        self.inner.send(message) if isinstance(message, str) else self.inner.send_binary(message)

    def recv(self) -> Any:
        return self.inner.recv()

    def set_cookies(self) -> dict[str, str]:
        """The cookies that came with the handshake."""
        found = self.inner.getheaders().get("set-cookie")
        return _values([found] if found else [])

    def closed_with(self) -> int:
        """Read on until it is closed; the code."""
        while True:
            code, frame = self.inner.recv_data_frame(control_frame=True)
            if code == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(frame.data[:2], "big") or 1005

    def close(self) -> None:
        self.inner.close()


def _values(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        found.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
    return found


@contextlib.contextmanager
def by_websockets(url: str, cookie: str = "") -> Iterator[Websockets]:
    socket = Websockets(url, cookie)
    try:
        yield socket
    finally:
        socket.close()


@contextlib.contextmanager
def by_websocket_client(
    url: str, cookie: str = "", context: ssl.SSLContext | None = None
) -> Iterator[WebSocketClient]:
    socket = WebSocketClient(url, cookie, context)
    try:
        yield socket
    finally:
        socket.close()


clients = pytest.mark.parametrize("opened", [by_websockets, by_websocket_client])
