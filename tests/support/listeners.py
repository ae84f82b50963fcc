"""Clients of event streams that come back, as browsers do, and count what they get."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp

from atila.testing.events import EventParser


class Listener:
    """One client, which connects anew, with Last-Event-ID, whenever it loses the connection.

    Args:
        url: the event stream.

    Attributes:
        got: how often each text has come.
        order: the texts, in the order in which they came.
        pid: the worker that it is connected to, by the header X-Pid.
        connections: how often it has connected.
        ready: it is connected.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: Counter[str] = Counter()
        self.order: list[str] = []
        self.pid = 0
        self.connections = 0
        self.ready = asyncio.Event()
        self._last = ""
        self._answer: aiohttp.ClientResponse | None = None

    async def move(self) -> None:
        """Connect anew."""
        self.ready.clear()
        if self._answer is not None:
            self._answer.close()
        await self.ready.wait()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Listen until it is cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await self._listen(session)
            self.ready.clear()
            await asyncio.sleep(0.05)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        headers = {"Last-Event-ID": self._last} if self._last else {}
        async with session.get(self.url, headers=headers) as answer:
            if answer.status != 200:
                return
            self.pid = int(answer.headers.get("X-Pid", 0))
            self.connections += 1
            self._answer = answer
            parser = EventParser()
            parser.last_event_id = self._last
            async for chunk in answer.content.iter_any():
                for event in parser.feed(chunk):
                    self.got[event.data] += 1
                    self.order.append(event.data)
                self._last = parser.last_event_id
                self.ready.set()


@contextlib.asynccontextmanager
async def listening(
    urls: list[str], seconds: float, workers: int = 1
) -> AsyncIterator[list[Listener]]:
    """Listeners that are all connected.

    Args:
        urls: the event streams, one for each.
        seconds: how long it may take until they are.
        workers: how many workers they are to be connected to.
    """
    listeners = [Listener(url) for url in urls]
    limits = aiohttp.ClientTimeout(total=None, sock_read=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=limits, connector=connector) as session:
        tasks = [asyncio.create_task(listener.run(session)) for listener in listeners]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(listener.ready.wait() for listener in listeners))
                while len(spread := Counter(each.pid for each in listeners)) < workers:
                    # The kernel chooses the worker; the quickest may have got most of them.
                    most, _ = spread.most_common(1)[0]
                    moving = [each for each in listeners if each.pid == most][:20]
                    await asyncio.gather(*(each.move() for each in moving))
            yield listeners
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
