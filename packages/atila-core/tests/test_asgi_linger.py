"""The rest of a body without a reader, for which an answer with trailers waits before it ends."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

import pytest

from atila.engines import asgi
from atila.engines.asgi_body import Message
from atila.runtime.loop import TaskLoop

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "query_string": b"",
    "headers": [(b"host", b"x"), (b"content-length", b"1000000")],
    "http_version": "2",
}


class Hurrying(selectors.DefaultSelector):
    """Waits for nothing: the time of the loop passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock shows only the time that it would have waited."""

    def __init__(self) -> None:
        self.clock = Hurrying()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def lingered(pause_of: Callable[[int], float], pieces: int) -> tuple[float, bool]:
    """Seconds that an answer waits for a body, and whether it has had all of it.

    Args:
        pause_of: the seconds before a piece, by its number.
        pieces: how many the client sends.
    """

    async def run() -> tuple[float, bool]:
        sent = 0

        async def receive() -> Message:
            nonlocal sent
            await asyncio.sleep(pause_of(sent))
            sent += 1
            return {"type": "http.request", "body": b".", "more_body": sent < pieces}

        async def send(message: Message) -> None:
            raise AssertionError("nothing is to be sent")

        loop = asyncio.get_running_loop()
        exchange = asgi.ASGIExchange(SCOPE, receive, send, TaskLoop(loop))
        await exchange.linger()
        return loop.time(), exchange.incoming.ended

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(run())


def test_a_body_that_keeps_coming_is_waited_for() -> None:
    pause = asgi.LINGER_SECONDS / 2
    assert lingered(lambda number: pause, 10) == (pytest.approx(10 * pause), True)


def test_a_body_that_stops_is_waited_for_no_longer() -> None:
    pause = asgi.LINGER_SECONDS / 2
    seconds, has_ended = lingered(lambda number: pause if number < 4 else 3600, 10)
    assert seconds == pytest.approx(4 * pause + asgi.LINGER_SECONDS)
    assert not has_ended


def test_a_body_without_an_end_is_given_up() -> None:
    seconds, has_ended = lingered(lambda number: asgi.LINGER_SECONDS / 2, 10**9)
    assert seconds == pytest.approx(asgi.MOST_LINGER_SECONDS)
    assert not has_ended
