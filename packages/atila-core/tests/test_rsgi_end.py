"""On granian, a request is over when it is answered, whichever thread does it, and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from atila import Atila
from atila.engines import rsgi
from atila.http import observation
from atila.http.exchange import ClientGone, Exchange
from atila.serving import compression
from atila.testing.waits import PATIENCE


class Protocol:
    """The end of a request at granian."""

    def __init__(self) -> None:
        self.body: str | bytes = ""

    def response_str(self, status: int, headers: Any, body: str) -> None:
        self.body = body

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.body = body

    def response_empty(self, status: int, headers: Any) -> None:
        self.body = "nothing"


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__)
    yield app
    app.site.shutdown(5)


def exchange_of(
    app: Atila, protocol: Protocol, kind: type[rsgi.RSGIExchange] = rsgi.RSGIExchange
) -> rsgi.RSGIExchange:
    """A request; on the loop."""
    scope = SimpleNamespace(method="GET", path="/", query_string="", headers={"host": "x"})
    exchange = kind.on(app.site.use_loop(asyncio.get_running_loop()))()
    exchange.read_head(scope, protocol)
    return exchange


def in_a_thread(call: Any, *args: Any) -> None:
    thread = threading.Thread(target=call, args=args)
    thread.start()
    thread.join()


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("answer", ["text", b"bytes", "", b""])
def test_an_answer_before_its_end_is_asked_for(
    app: Atila, answer: str | bytes, *, elsewhere: bool
) -> None:
    async def ask() -> None:
        protocol = Protocol()
        exchange = exchange_of(app, protocol)
        respond: Any = exchange.respond_text if isinstance(answer, str) else exchange.respond
        (in_a_thread if elsewhere else _here)(respond, 200, [], answer)
        assert protocol.body == (answer or "nothing")
        assert exchange.over() is rsgi._OVER
        # Any number of times.
        for _ in range(2):
            await exchange.over()

    asyncio.run(ask())


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("answer", ["text", b"bytes"])
def test_an_answer_after_its_end_is_asked_for(
    app: Atila, answer: str | bytes, *, elsewhere: bool
) -> None:
    async def ask() -> None:
        exchange = exchange_of(app, Protocol())
        over = asyncio.ensure_future(exchange.over())
        await asyncio.sleep(0)
        assert not over.done()
        respond: Any = exchange.respond_text if isinstance(answer, str) else exchange.respond
        (in_a_thread if elsewhere else _here)(respond, 200, [], answer)
        async with asyncio.timeout(PATIENCE):
            await over

    asyncio.run(ask())


def test_an_answer_while_its_end_is_asked_for(app: Atila) -> None:
    """Either sees the other, in whichever order their steps come."""

    async def ask() -> None:
        for _ in range(200):
            exchange = exchange_of(app, Protocol())
            begins = threading.Barrier(2)

            def respond(exchange: Exchange = exchange, begins: threading.Barrier = begins) -> None:
                begins.wait()
                exchange.respond_text(200, [], "text")

            thread = threading.Thread(target=respond)
            thread.start()
            begins.wait()
            async with asyncio.timeout(PATIENCE):
                await exchange.over()
            thread.join()

    asyncio.run(ask())


class Sizes(observation.Observer):
    """Notes how many bytes were sent."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def answered(self, exchange: observation.Observed, status: int, size: int) -> None:
        self.seen.append(size)


def test_a_text_is_observed_in_bytes(app: Atila) -> None:
    async def ask() -> None:
        sizes, protocol = Sizes(), Protocol()
        kind = observation.observed(rsgi.RSGIExchange, (sizes,))
        exchange: Any = exchange_of(app, protocol, kind)
        exchange.arrive()
        exchange.respond_text(200, [], "é")
        assert (sizes.seen, protocol.body) == ([2], "é".encode())

    asyncio.run(ask())


def test_a_text_is_compressed(app: Atila) -> None:
    async def ask() -> None:
        protocol = Protocol()
        kind = compression.compressing(rsgi.RSGIExchange, app.site)
        exchange: Any = exchange_of(app, protocol, kind)
        exchange.accepted, exchange.minimum = compression.codings.accepted("gzip"), 10
        exchange.respond_text(200, [("content-type", "text/plain")], "é" * 1000)
        assert isinstance(protocol.body, bytes)
        assert len(protocol.body) < 100

    asyncio.run(ask())


def _here(call: Any, *args: Any) -> None:
    call(*args)


def test_of_an_exchange_that_is_over_nothing_is_asked_of_granian(app: Atila) -> None:
    async def ask() -> None:
        exchange = exchange_of(app, Protocol())
        in_a_thread(exchange.respond_text, 200, [], "text")
        # A thread has answered while the loop began to wait for the client, or for the body.
        departure = exchange.departure()
        assert not departure.done()
        departure.cancel()
        with pytest.raises(ClientGone):
            await exchange.read(10)

    asyncio.run(ask())
