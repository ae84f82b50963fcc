"""Event streams: their form, and their life from head to end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila, Event, MissingLayer
from atila.http.events import encode
from atila.testing import TestClient, wait_until
from atila.testing.events import EventParser, ServerEvent

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))
colour = ContextVar("colour", default="none")


@dataclass
class Order:
    id: int


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__, layers=NO_LAYERS)
    yield app
    if app._site is not None:
        app._site.shutdown(0.0)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


# The form -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("hello", b"data: hello\n\n"),
        ("", b"data: \n\n"),
        ("a\nb\r\nc\rd", b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (" lead\x85\u2028in", "data:  lead\x85\u2028in\n\n".encode()),
        ({"a": [1, "ü"]}, 'data: {"a":[1,"ü"]}\n\n'.encode()),
        (7, b"data: 7\n\n"),
        (Order(3), b'data: {"id":3}\n\n'),
        (Event("x", event="new", id="5", retry=10), b"retry: 10\nid: 5\nevent: new\ndata: x\n\n"),
        (Event(id="", comment="a\nb"), b": a\n: b\nid: \n\n"),
    ],
)
def test_the_form(value: object, sent: bytes) -> None:
    assert encode(value) == sent


TEXT = st.text(st.characters(codec="utf-8"))
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"))


@given(st.lists(st.tuples(TEXT, NAME)))
def test_what_is_sent_is_read(values: list[tuple[str, str]]) -> None:
    sent = b"".join(Event(data, event=name, id=name).encode() for data, name in values)
    parser, found = EventParser(), []
    for at in range(0, len(sent), 7):
        found += parser.feed(sent[at : at + 7])
    assert found == [
        ServerEvent(data.replace("\r\n", "\n").replace("\r", "\n"), name or "message", name)
        for data, name in values
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"data": b"bytes"}, TypeError),
        ({"data": object()}, TypeError),
        ({"data": "x", "event": "a\nb"}, ValueError),
        ({"data": "x", "id": "a\0"}, ValueError),
        ({"data": "x", "id": 5}, TypeError),
        ({"data": "x", "retry": -1}, ValueError),
        ({"data": "x", "retry": 1.5}, ValueError),
        ({"data": "x", "retry": True}, ValueError),
        ({"data": "half a pair: \ud800"}, ValueError),
    ],
)
def test_what_cannot_be_sent(arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Event(**arguments).encode()


def test_what_is_no_stream(app: Atila, client: TestClient) -> None:
    async def updates():
        yield 1

    messages: list[str] = []

    @app.route("/")
    def wrong(was):
        for arguments in (
            {},
            {"source": updates},
            {"source": "text"},
            {"source": [], "rooms": ["a"]},
            {"source": [], "retry": -1},
            {"source": [], "heartbeat": 0},
        ):
            with pytest.raises((TypeError, ValueError)) as caught:
                was.EventStream(**arguments)
            messages.append(str(caught.value))
        with pytest.raises(MissingLayer) as missing:
            was.EventStream(rooms=["a"])
        messages.append(str(missing.value))
        return ""

    assert client.get("/").status_code == 200
    assert "was.EventStream(updates())" in messages[1]
    assert 'pip install "atila-core[ws]"' in messages[-1]


# The stream ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["generator", "async generator", "list", "async def"])
def test_events_head_and_end(app: Atila, client: TestClient, style: str) -> None:
    values = [{"n": 1}, Event("two", event="second", id="2"), "three"]

    def plain():
        yield from values

    async def later():
        for value in values:
            yield value

    if style == "async def":

        @app.route("/")
        async def handler(was):
            return was.EventStream(later(), retry=500)
    else:

        @app.route("/")
        def handle(was):
            made = {"generator": plain, "async generator": later, "list": lambda: values}
            return was.EventStream(made[style](), retry=500)

    with client.events("/") as events:
        assert events.status_code == 200
        assert events.headers["content-type"] == "text/event-stream"
        assert events.headers["cache-control"] == "no-cache"
        assert events.headers["x-accel-buffering"] == "no"
        first = next(events)
        assert (first.json(), first.event, first.id) == ({"n": 1}, "message", "")
        assert events.retry == 500
        assert next(events) == ServerEvent("two", "second", "2")
        assert next(events) == ServerEvent("three", "message", "2")
        assert list(events) == []
    # Without a reader of events it is an answer like any other.
    assert client.get("/").text.startswith('retry: 500\n\ndata: {"n":1}\n\nid: 2\n')
    head = client.head("/")
    assert head.headers["content-type"] == "text/event-stream"
    assert head.content == b""


def test_where_a_client_goes_on(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def handler(was):
        first = int(was.request.last_event_id or 0) + 1
        return was.EventStream(Event(n, id=str(n)) for n in range(first, 5))

    with client.events("/") as events:
        assert next(events).data == "1"
        assert next(events).data == "2"
    with client.events("/", last_event_id=events.last_event_id) as events:
        assert [event.data for event in events] == ["3", "4"]


def test_an_error_before_the_first_event(app: Atila, client: TestClient) -> None:
    @app.route("/")
    async def handler(was):
        async def events():
            raise was.Error("404 Not Found")
            yield 1

        return was.EventStream(events())

    with pytest.raises(ConnectionRefusedError, match="404"):
        client.events("/")


def test_an_error_after_it(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.route("/")
    async def handler(was):
        async def events():
            yield 1
            yield b"no event"

        return was.EventStream(events())

    with client.events("/") as events:
        next(events)
        with pytest.raises(ConnectionResetError):
            next(events)
    wait_until(lambda: "not bytes" in caplog.text)


@pytest.mark.parametrize("silent", [False, True])
def test_heartbeats(
    app: Atila, client: TestClient, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atila.serving.event_streams.HEAD_AFTER", 0.05)
    app.config.EVENT_HEARTBEAT = 0.05

    @app.route("/")
    async def handler(was):
        async def events():
            if not silent:
                yield 1
            await asyncio.sleep(1.0)
            yield 2

        return was.EventStream(events())

    with client.events("/") as events:
        # The head was sent, although there was no event yet.
        assert [event.data for event in events] == (["2"] if silent else ["1", "2"])
        assert events._parser.comments >= 3


@pytest.mark.parametrize("style", ["generator", "async generator"])
def test_the_client_leaves(app: Atila, client: TestClient, style: str) -> None:
    ended, failed = threading.Event(), list[object]()
    gate = threading.Event()

    @app.failed_request
    def fail(was, error):
        failed.append(error)

    @app.teardown_request
    def over(was):
        gate.set()

    @app.route("/")
    def handler(was):
        def plain():
            try:
                while True:
                    yield 1
            finally:
                ended.set()

        async def later():
            colour.set("green")
            try:
                async with asyncio.timeout(1000):
                    while True:
                        yield colour.get()
                        await asyncio.sleep(0)
            finally:
                ended.set()

        return was.EventStream(plain() if style == "generator" else later())

    with client.events("/") as events:
        assert next(events).data in ("1", "green")
        assert len(app.site.event_streams) == 1
    wait_until(ended.is_set)
    wait_until(gate.is_set)
    assert not app.site.event_streams
    # It is how most of them end.
    assert not failed


def test_the_server_stops(app: Atila, client: TestClient) -> None:
    ended = threading.Event()

    @app.route("/")
    async def handler(was):
        async def events():
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                ended.set()

        return was.EventStream(events())

    with client.events("/") as events:
        next(events)
        app.site.drain()
        # A regular end: the client comes again.
        assert list(events) == []
    assert ended.wait(10)
    with client.events("/") as events:
        assert len(list(events)) <= 1


def test_a_client_that_takes_nothing(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app.config.EVENT_SEND_TIMEOUT = 0.1

    @app.route("/")
    async def handler(was):
        async def events():
            while True:
                yield "x" * 1000

        return was.EventStream(events())

    with client.events("/") as events:
        next(events)
        # As an engine does that has no room for more.
        events.send = lambda chunk: asyncio.sleep(1000)
        with pytest.raises(ConnectionResetError):
            for _ in events:
                pass
    wait_until(lambda: not app.site.event_streams)
    assert "took nothing for 0.1 s" in caplog.text


def test_in_an_asynchronous_test(app: Atila) -> None:
    @app.route("/")
    async def handler(was):
        async def events():
            yield 1
            await asyncio.Event().wait()

        return was.EventStream(events())

    async def run() -> None:
        async with app.async_test_client() as client:
            async with await client.events("/") as events:
                assert (await anext(events)).data == "1"
                assert len(app.site.event_streams) == 1
            async with asyncio.timeout(10):
                while app.site.event_streams:  # noqa: ASYNC110 - another task of this loop
                    await asyncio.sleep(0)

    asyncio.run(run())
