"""What is told of a client that leaves, and what hooks see of values that came late."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from atila import PROTOCOL, Atila, Layer, Was
from atila.http.exchange import ClientGone
from atila.testing import exchange as testing


class Late:
    """A value of a layer that has to be waited for, and then is itself still."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.done = False

    def __await__(self) -> Generator[Any, None, Late]:
        yield from asyncio.sleep(0).__await__()
        self.done = True
        return self


def respond(was: Was, late: Late) -> Any:
    return late.data if late.done else _waited(late)


async def _waited(late: Late) -> Any:
    return (await late).data


@pytest.fixture
def app() -> Atila:
    layer = Layer("late", PROTOCOL, responders={Late: respond})
    return Atila(
        __name__, layers={"late": layer, "auth": None, "render": None, "tasks": None, "ws": None}
    )


def test_hooks_see_data_and_not_what_was_waited_for(app: Atila) -> None:
    seen: list[Any] = []
    app.finish_request(lambda was, response: seen.append(response))

    async def nested(was: Was) -> Any:
        return Late(Late("nested"))

    app.route("/plain")(lambda was: Late("plain"))
    app.route("/nested")(nested)
    client = app.test_client()
    assert client.get("/plain").text == "plain"
    assert client.get("/nested").text == "nested"
    assert seen == ["plain", "nested"]


def test_client_that_leaves_a_stream(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    async def send(self: Any, chunk: bytes) -> None:
        self.abort()
        raise ClientGone

    @app.route("/")
    def handler(was: Was) -> Iterator[str]:
        def first() -> None:
            called.append("first")

        def second() -> None:
            called.append("second")

        for func in (first, second, first):
            was.on_cancel(func)
        was.off_cancel(first)
        was.off_cancel(first)
        yield "piece"

    monkeypatch.setattr(testing._TestStream, "send", send)
    app.test_client().get("/")
    app.site.shutdown()
    assert called == ["second"]
