"""Both ends of the WebSockets of the test clients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from queue import SimpleQueue

from atila.http.close_codes import NORMAL
from atila.http.exchange import ClientGone, Header
from atila.testing.waits import WAIT, patience


class AppEnd:
    """A WebSocket as the app has it, whose client is in this process.

    Args:
        loop: the app's.
        headers: those of the answer to the handshake.
        protocol: the subprotocol that the app has chosen.

    Attributes:
        header_list: the headers of the answer to the handshake.
        protocol: the subprotocol that the app has chosen; None for none.
        close_code: the code of the end; None while it is open.
        close_reason: the app's reason for it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        headers: Sequence[Header] = (),
        protocol: str | None = None,
    ) -> None:
        self.header_list = list(headers)
        self.protocol = protocol
        self.close_code: int | None = None
        self.close_reason = ""
        self._loop = loop
        self._to_app: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    async def receive(self) -> str | bytes | None:
        """See `WebSocketTransport`."""
        if self.close_code is not None:
            return None
        return await self._to_app.get()

    async def send(self, message: str | bytes) -> None:
        """See `WebSocketTransport`."""
        if self.close_code is not None:
            raise ClientGone
        self._deliver(message)

    async def flushed(self) -> None:
        """Return at once: a sent message is there."""

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """See `WebSocketTransport`."""
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
            self._deliver(None)

    def _deliver(self, message: str | bytes | None) -> None:
        """Hand a message to the client; None for the end."""
        raise NotImplementedError

    def _take(self, message: str | bytes) -> None:
        """Take a message of the client. From any thread."""
        self._loop.call_soon_threadsafe(self._to_app.put_nowait, message)

    def _end(self, code: int) -> None:
        """The client closes the connection. From any thread."""

        def close() -> None:
            self.close_code = code
            self._to_app.put_nowait(None)

        self._loop.call_soon_threadsafe(close)


class TestWebSocket(AppEnd):
    """A WebSocket of `TestClient`; see `AppEnd` for its attributes."""

    __test__ = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        headers: Sequence[Header] = (),
        protocol: str | None = None,
    ) -> None:
        super().__init__(loop, headers, protocol)
        self._to_client: SimpleQueue[str | bytes | None] = SimpleQueue()

    def _deliver(self, message: str | bytes | None) -> None:
        self._to_client.put(message)

    def send_message(self, message: str | bytes) -> None:
        """Send a message to the app."""
        self._take(message)

    def receive_message(self) -> str | bytes | None:
        """The next message of the app; None if it has closed the connection."""
        return self._to_client.get(timeout=patience(WAIT))

    def disconnect(self, code: int = NORMAL) -> None:
        """Close the connection from the client's end."""
        self._end(code)

    def __enter__(self) -> TestWebSocket:
        return self

    def __exit__(self, *error: object) -> None:
        self.disconnect()


class AsyncTestWebSocket(AppEnd):
    """A WebSocket of `AsyncTestClient`; see `AppEnd` for its attributes.

    Args:
        client_loop: the test's.
        loop: the app's.
        headers: those of the answer to the handshake.
        protocol: the subprotocol that the app has chosen.
    """

    __test__ = False

    def __init__(
        self,
        client_loop: asyncio.AbstractEventLoop,
        loop: asyncio.AbstractEventLoop,
        headers: Sequence[Header] = (),
        protocol: str | None = None,
    ) -> None:
        super().__init__(loop, headers, protocol)
        self._client_loop = client_loop
        self._to_client: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    def _deliver(self, message: str | bytes | None) -> None:
        self._client_loop.call_soon_threadsafe(self._to_client.put_nowait, message)

    async def send_message(self, message: str | bytes) -> None:
        """Send a message to the app."""
        self._take(message)

    async def receive_message(self) -> str | bytes | None:
        """The next message of the app; None if it has closed the connection."""
        async with asyncio.timeout(patience(WAIT)):
            return await self._to_client.get()

    async def disconnect(self, code: int = NORMAL) -> None:
        """Close the connection from the client's end."""
        self._end(code)
