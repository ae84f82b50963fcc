"""A server that does, by the path it is asked for, what no server should. Bare sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator

from atila.testing.waits import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
PIECE = b"x" * 65536


class Faults:
    """The server, in a thread of this process.

    Attributes:
        port: where it listens.
        open: how many connections are open, by the last path that was asked for on them.
        seen: how many requests came, by path.
        moved: bytes sent or received beyond the head, by path.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    def start(self) -> None:
        """Listen; again on the same port after `stop`."""

        async def start() -> asyncio.Server:
            return await asyncio.start_server(
                self._serve, "127.0.0.1", self.port, reuse_address=True
            )

        self._server = asyncio.run_coroutine_threadsafe(start(), self._loop).result(PATIENCE)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Refuse connections, and close those that are open."""

        async def stop() -> None:
            if self._server is not None:
                self._server.close()
            for writer in self._writers:
                writer.transport.abort()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(PATIENCE)

    def end(self) -> None:
        """Stop for good."""
        self.stop()

        async def cancel() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        path = ""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.open[path] -= bool(path)
                path = head.split(" ")[1].partition("?")[0]
                self.open[path] += 1
                self.seen[path] += 1
                if not await self._answer(path.rpartition("/")[2], path, reader, writer):
                    break
        except (
            ConnectionError,
            asyncio.CancelledError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ):
            pass
        finally:
            if path:
                self.open[path] -= 1
            self._writers.discard(writer)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _answer(
        self, kind: str, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Do what a path asks for; whether the connection lives on."""
        match kind:
            case "ok":
                writer.write(OK)
                return True
            case "hang":
                await reader.read()
            case "hang-body":
                writer.write(HEAD + b"Content-Length: 10\r\n\r\nhalf")
                await reader.read()
            case "half":
                writer.write(HEAD + b"Content-Length: 10\r\n\r\nhalf")
            case "half-chunk":
                writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n8\r\nha")
            case "longer":
                writer.write(OK + b"and more than announced")
            case "garbage":
                writer.write(b"\x16\x03\x01\x02nonsense\r\n\r\n")
            case "refused":
                # What a closed port looks like comes by `stop`; this closes without a word.
                pass
            case "reset":
                linger = struct.pack("ii", 1, 0)
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case "headers":
                writer.write(b"HTTP/1.1 200 OK\r\n")
                await self._pour(path, b"X-Endless: yes\r\n" * 100, writer)
            case "huge":
                writer.write(HEAD + b"Content-Length: 100000000000\r\n\r\n")
                await self._pour(path, PIECE, writer)
            case "endless":
                writer.write(HEAD + b"Connection: close\r\n\r\n")
                await self._pour(path, PIECE, writer)
            case "sink":
                # Takes nothing of the body for a while; then sees whether anybody is still there.
                await asyncio.sleep(1)
                while await reader.read(65536):
                    pass
            case "count":
                while piece := await reader.read(65536):
                    self.moved[path] += len(piece)
            case _:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return True
        return False

    async def _pour(self, path: str, piece: bytes, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(piece)
            await writer.drain()
            self.moved[path] += len(piece)


@contextlib.contextmanager
def failing() -> Iterator[Faults]:
    """Such a server, which is ended at last."""
    faults = Faults()
    try:
        yield faults
    finally:
        faults.end()
