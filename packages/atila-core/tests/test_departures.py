"""The watch for a client that leaves: by a future of the engine, which it gives up at the end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from atila.http.exchange import Exchange
from atila.serving.departures import Watch


class Departing(Exchange):
    """A request whose engine knows when its client leaves."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def departure(self) -> asyncio.Future[None]:
        return self.future


class Noting(Watch):
    """Notes that its client has left."""

    def __init__(self, exchange: Exchange, left: list[str]) -> None:
        super().__init__(exchange)
        self.left = left

    def leave(self) -> None:
        self.left.append("left")


async def watched(end: Any) -> tuple[list[str], asyncio.Future[None], Watch]:
    """Watch a client, let end(future, watch) happen, and see whether it was said to have left."""
    left: list[str] = []
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch = Noting(Departing(future), left)
    watch.listen()
    end(future, watch)
    await asyncio.sleep(0)
    return left, future, watch


def test_a_client_that_leaves_is_noticed_once() -> None:
    left, _, watch = asyncio.run(watched(lambda future, watch: future.set_result(None)))
    assert left == ["left"]
    assert watch.has_left


def test_an_answered_request_waits_no_longer() -> None:
    def end(future: asyncio.Future[None], watch: Watch) -> None:
        watch.stop()
        watch.listen()

    left, future, watch = asyncio.run(watched(end))
    assert left == []
    assert future.cancelled()
    assert not watch.has_left


def test_a_client_that_leaves_as_the_answer_comes_is_not_noticed() -> None:
    def end(future: asyncio.Future[None], watch: Watch) -> None:
        future.set_result(None)
        watch.stop()

    left, _, watch = asyncio.run(watched(end))
    assert left == []
    assert not watch.has_left


def test_the_end_of_a_loop_is_no_client_that_leaves() -> None:
    left, _, watch = asyncio.run(watched(lambda future, watch: future.cancel()))
    assert left == []
    assert not watch.has_left


def test_an_error_of_the_server_is_logged_and_no_client_that_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = RuntimeError("the server is broken")
    with caplog.at_level(logging.ERROR, "asyncio"):
        left, _, watch = asyncio.run(watched(lambda future, _: future.set_exception(broken)))
    assert left == []
    assert not watch.has_left
    assert "the server is broken" in caplog.text
