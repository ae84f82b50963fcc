"""Clients of the soak: all kinds of requests, some slow, some that leave without a word."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp

UPLOAD = os.urandom(200_000)
DIGEST = hashlib.sha256(UPLOAD).hexdigest()
TIMEOUT = aiohttp.ClientTimeout(total=60)
SLOW = 0.1
"""The share of clients that read slowly, and of those that vanish."""


class Wrong(Exception):
    """An answer is not what it should be."""


@dataclass
class Tally:
    """What came of the requests.

    Attributes:
        done: how many were answered right, by kind.
        errors: how many failed, by kind and reason.
        latencies: when each request was due, in seconds since the beginning, and how long its
            answer took from then.
        vanished: clients that left on purpose.
    """

    done: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    vanished: int = 0


def expect(right: object, what: str) -> None:
    if not right:
        raise Wrong(what)


class Clients:
    """Requests to one server, from one event loop.

    Args:
        port: where it listens.
        count: how many clients there are.
    """

    def __init__(self, port: int, count: int) -> None:
        self.tally = Tally()
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._count = count
        self._mix: list[tuple[str, Callable[[aiohttp.ClientSession], Awaitable[None]]]] = [
            ("plain", self._plain),
            ("plain", self._plain),
            ("plain", self._plain),
            ("database", self._item),
            ("database", self._item),
            ("write", self._pay),
            ("template", self._page),
            ("template", self._page),
            ("session", self._visit),
            ("upload", self._upload),
            ("download", self._download),
            ("stream", self._stream),
            ("websocket", self._websocket),
            ("event stream", self._events),
        ]

    async def run(self, seconds: float, rate: float | None) -> float:
        """Ask for so many seconds.

        Args:
            seconds: how long.
            rate: requests a second, all clients together; None for as many as they can.

        Returns: Requests a second that were answered.
        """
        began = time.monotonic()
        before = self.tally.done.total()
        end = began + seconds
        due = began

        def next_due() -> float:
            nonlocal due
            if rate is not None:
                due += 1 / rate
            return due

        async def count() -> int:
            await asyncio.sleep(seconds)
            return self.tally.done.total() - before

        async with asyncio.TaskGroup() as group:
            # Slow ones come to an end later.
            counted = group.create_task(count())
            for number in range(self._count):
                share = number / self._count
                if share < SLOW:
                    group.create_task(self._slow(end))
                elif share < 2 * SLOW:
                    group.create_task(self._vanish(end))
                else:
                    group.create_task(self._client(began, end, next_due if rate else None))
        return counted.result() / seconds

    async def _client(self, began: float, end: float, next_due: Callable[[], float] | None) -> None:
        async with aiohttp.ClientSession(self._url, timeout=TIMEOUT) as session:
            while (now := time.monotonic()) < end:
                due = next_due() if next_due else now
                if due > now:
                    await asyncio.sleep(due - now)
                kind, ask = random.choice(self._mix)
                try:
                    await ask(session)
                except (Wrong, aiohttp.ClientError, TimeoutError, OSError) as error:
                    self.tally.errors[f"{kind}: {type(error).__name__}: {error}"[:120]] += 1
                else:
                    self.tally.done[kind] += 1
                    self.tally.latencies.append((due - began, time.monotonic() - due))

    async def _plain(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/") as answer:
            expect(answer.status == 200 and await answer.text() == "hello", str(answer.status))

    async def _item(self, session: aiohttp.ClientSession) -> None:
        number = random.randint(1, 200)
        async with session.get(f"/item/{number}") as answer:
            expect(answer.status == 200, str(answer.status))
            expect((await answer.json())["name"] == f"item {number}", "another item")

    async def _pay(self, session: aiohttp.ClientSession) -> None:
        async with session.post("/pay", data={"key": str(uuid4())}) as answer:
            expect(answer.status == 200 and await answer.text() == "paid", str(answer.status))

    async def _page(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/page") as answer:
            expect(answer.status == 200 and "&lt;29&gt;" in await answer.text(), str(answer.status))

    async def _visit(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/visit") as answer:
            expect(answer.status == 200 and int(await answer.text()) > 0, str(answer.status))

    async def _upload(self, session: aiohttp.ClientSession) -> None:
        form = aiohttp.FormData()
        form.add_field("file", UPLOAD, filename="a.bin")
        async with session.post("/upload", data=form) as answer:
            expect(answer.status == 200 and await answer.text() == DIGEST, str(answer.status))

    async def _download(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/download") as answer:
            expect(answer.status == 200 and len(await answer.read()) == 1 << 20, str(answer.status))

    async def _stream(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/stream") as answer:
            expect(answer.status == 200 and len(await answer.read()) == 65536, str(answer.status))

    async def _websocket(self, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect("/echo") as socket:
            for text in ("hello", "x" * 10_000):
                await socket.send_str(text)
                expect(await socket.receive_str(timeout=60) == text, "another message")

    async def _events(self, session: aiohttp.ClientSession) -> None:
        text = str(uuid4())
        async with session.get("/events") as answer:
            expect(answer.status == 200, str(answer.status))
            async with session.post("/say", data={"text": text}) as said:
                expect(said.status == 200, str(said.status))
            async for line in answer.content:
                if line.strip() == f"data: {text}".encode():
                    return
        raise Wrong("the stream ended")

    async def _slow(self, end: float) -> None:
        """Downloads through a small window, with pauses."""
        while time.monotonic() < end:
            with self._counting("slow download"):
                raw = self._socket(4096)
                reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
                try:
                    writer.write(b"GET /download HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    got = 0
                    while piece := await asyncio.wait_for(reader.read(65536), 60):
                        got += len(piece)
                        await asyncio.sleep(0.05)
                        if time.monotonic() > end:
                            return
                    expect(got > 1 << 20, f"{got} bytes")
                finally:
                    writer.close()

    async def _vanish(self, end: float) -> None:
        """Leaves in the middle of a request, of an answer, of a conversation."""
        targets = ("/download", "/events", "/stream", "/page", "/item/1")
        while time.monotonic() < end:
            with self._counting("vanishing"):
                raw = self._socket(None)
                # What it leaves is a reset connection.
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                reader, writer = await asyncio.open_connection(sock=raw)
                if random.random() < 0.3:
                    writer.write(
                        b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data;"
                        b" boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\nContent-Disp"
                    )
                else:
                    target = random.choice(targets)
                    writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                    if random.random() < 0.7:
                        await asyncio.wait_for(reader.read(100), 60)
                await asyncio.sleep(random.random() * 0.3)
                writer.transport.abort()
                self.tally.vanished += 1

    def _socket(self, receive_buffer: int | None) -> socket.socket:
        raw = socket.socket()
        if receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.connect(("127.0.0.1", self._port))
        raw.setblocking(False)
        return raw

    @contextlib.contextmanager
    def _counting(self, kind: str) -> Iterator[None]:
        try:
            yield
        except (Wrong, TimeoutError, OSError) as error:
            self.tally.errors[f"{kind}: {type(error).__name__}: {error}"[:120]] += 1
        else:
            if kind != "vanishing":
                self.tally.done[kind] += 1
