"""Clients of WebSockets that only listen, many in one thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import aiohttp

from atila.testing.waits import PATIENCE, wait_until


class Listeners:
    """Clients that are in a room as soon as they have got a first message.

    Args:
        url: of the WebSocket.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        # Of each, the messages that came, and those that had been said before it was there.
        self._counts: list[list[int]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        return len(self._counts)

    def __enter__(self) -> Listeners:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        async def end() -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, number: int, said: int) -> None:
        """So many more, after so many messages."""

        async def begin() -> None:
            entered = [asyncio.Event() for _ in range(number)]
            for event in entered:
                count = [0, said]
                self._counts.append(count)
                task = asyncio.create_task(self._listen(count, event))
                self._tasks.add(task)
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(event.wait() for event in entered))

        future: Future[None] = asyncio.run_coroutine_threadsafe(begin(), self._loop)
        future.result(PATIENCE + 1)

    async def _listen(self, count: list[int], entered: asyncio.Event) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self._url, compress=0) as socket,
        ):
            async for message in socket:
                if message.data == "in":
                    entered.set()
                else:
                    count[0] += 1

    def wait(self, said: int) -> None:
        """Until all have got everything that was said since they are there."""
        wait_until(
            lambda: all(count + before >= said for count, before in self._counts),
            "all is heard",
        )
