"""Rooms of event streams and WebSockets: `app.broadcast`."""

from __future__ import annotations

import asyncio
import threading

import pytest

from atila import Atila, Event, SharedUnavailable
from atila.runtime.shared import LocalShared
from atila.testing import TestClient, wait_until
from atila_ws import WS_REPORTY
from atila_ws.delivery.history import History, Mark


@pytest.fixture
def client(app: Atila) -> TestClient:
    @app.route("/events")
    def events(was, rooms: str = "orders"):
        return was.EventStream(rooms=rooms.split(","), retry=100)

    @app.route("/socket")
    @app.websocket(WS_REPORTY, 60, onopen=lambda was: was.websocket.join("orders"))
    def socket(was, message):
        return message

    return app.test_client()


def test_it_reaches_both(app: Atila, client: TestClient) -> None:
    with client.events("/events") as events, client.websocket("/socket") as socket:
        assert app.broadcast("orders", "text") == 2
        assert app.broadcast("orders", {"n": 1}, event="new") == 2
        assert app.broadcast("orders", Event([1], event="list")) == 2
        assert app.broadcast("others", "text") == 0
        assert app.websocket_broadcast("orders", "for sockets") == 1
        assert [next(events) for _ in range(3)] != []
        assert events.retry == 100
        expected = ["text", '{"n":1}', "[1]", "for sockets"]
        assert [socket.receive_message() for _ in expected] == expected
    wait_until(lambda: app.broadcast("orders", "text") == 0)


def test_names_and_ids(app: Atila, client: TestClient) -> None:
    with client.events("/events") as events:
        app.broadcast("orders", 1)
        app.broadcast("orders", 2, event="new")
        one, two = next(events), next(events)
    assert (one.event, two.event) == ("message", "new")
    assert one.id != two.id


def test_those_who_come_back_miss_nothing(app: Atila, client: TestClient) -> None:
    app.config.EVENT_HISTORY = 5
    for number in range(3):
        app.broadcast("orders", f"before {number}")
    with client.events("/events") as events:
        # Not what was before they came for the first time.
        app.broadcast("orders", "first")
        assert next(events).data == "first"
    app.broadcast("orders", "second")
    app.broadcast("orders", "third")
    with client.events("/events", last_event_id=events.last_event_id) as events:
        app.broadcast("orders", "fourth")
        assert [next(events).data for _ in range(3)] == ["second", "third", "fourth"]
    for number in range(7):
        app.broadcast("orders", number)
    with client.events("/events", last_event_id=events.last_event_id) as events:
        # As far as it goes.
        assert [next(events).data for _ in range(5)] == ["2", "3", "4", "5", "6"]


def test_who_comes_before_the_first_message(app: Atila, client: TestClient) -> None:
    with client.events("/events") as events:
        wait_until(lambda: not events._take(events._chunks.get()) or events.last_event_id)
        given = events.last_event_id
    app.broadcast("orders", "first")
    with client.events("/events", last_event_id=given) as events:
        assert next(events).data == "first"


def test_several_rooms(app: Atila, client: TestClient) -> None:
    with client.events("/events?rooms=orders,news") as events:
        app.broadcast("orders", "o1")
        app.broadcast("news", "n1")
        assert [next(events).data for _ in range(2)] == ["o1", "n1"]
    app.broadcast("news", "n2")
    app.broadcast("orders", "o2")
    with client.events("/events?rooms=orders,news", None, events.last_event_id) as events:
        assert {next(events).data for _ in range(2)} == {"o2", "n2"}


@pytest.mark.parametrize(
    "given", ["x", "1", "a.b", "a.1,b.2", ".", "a." + "9" * 100, "a.-1", "a.1.1"]
)
def test_ids_that_are_none_of_ours(app: Atila, client: TestClient, given: str) -> None:
    app.broadcast("orders", "before")
    with client.events("/events", last_event_id=given) as events:
        app.broadcast("orders", "after")
        assert next(events).data == "after"


@pytest.mark.parametrize("given", ["other.1", "other.500"])
def test_ids_of_another_run(app: Atila, client: TestClient, given: str) -> None:
    app.broadcast("orders", "since then")
    with client.events("/events", last_event_id=given) as events:
        assert next(events).data == "since then"


@pytest.mark.parametrize(
    "message",
    [b"bytes", None, object(), Event("x", id="1"), Event("x", retry=1), Event(comment="x")],
)
def test_what_cannot_be_sent(app: Atila, client: TestClient, message: object) -> None:
    _ = app.site
    with pytest.raises((TypeError, ValueError)):
        app.broadcast("orders", message)


def test_without_history(app: Atila, client: TestClient) -> None:
    app.config.EVENT_HISTORY = 0
    with client.events("/events") as events:
        wait_until(lambda: app.site.event_streams)
        wait_until(lambda: app.broadcast("orders", "one") == 1)
        app.websocket_broadcast("orders", "for sockets")
        app.broadcast("orders", "two")
        assert [next(events) for _ in range(2)][1].data == "two"
        assert events.last_event_id == ""
        assert app.site.shared.names("rooms  ") == []


def test_from_the_task_loop_in_order(app: Atila, client: TestClient) -> None:
    @app.route("/say")
    async def say(was):
        sent = [app.broadcast("orders", n) for n in range(20)]
        return str(sum([await each for each in sent]))

    with client.events("/events") as events:
        assert client.get("/say").text == "20"
        assert [next(events).data for _ in range(20)] == [str(n) for n in range(20)]


def test_a_slow_listener_is_closed_and_harms_nobody(app: Atila, client: TestClient) -> None:
    app.config.WS_SEND_BUFFER = 1000
    with client.events("/events") as slow, client.events("/events") as quick:
        app.broadcast("orders", "first")
        assert next(slow).data == next(quick).data == "first"
        slow.send = lambda chunk: asyncio.sleep(1000)
        for number in range(50):
            app.broadcast("orders", f"{number} " + "x" * 100)
            assert next(quick).data.startswith(f"{number} ")
        assert app.broadcast("orders", "last") == 1
        given = slow.last_event_id
    with client.events("/events", last_event_id=given) as again:
        assert [next(again).data.split()[0] for _ in range(51)] == [*map(str, range(50)), "last"]


def test_messages_that_did_not_arrive(
    app: Atila, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atila_ws.listeners.LOOK_SECONDS", 0.1)
    with client.events("/events") as events:
        app.broadcast("orders", "first")
        assert next(events).data == "first"
        # As if their worker was killed between keeping and sending them.
        history = History(app.site.shared, app.site.place_of(app), 1000, 60.0)
        from atila_ws.delivery.envelope import Envelope

        for text in ("second", "third"):
            history.add("orders", Envelope("orders", "text", text, True, event="lost").pack())
        assert [next(events).data for _ in range(2)] == ["second", "third"]
        history.add("orders", Envelope("orders", "text", "fourth", True, event="").pack())
        app.broadcast("orders", "fifth")
        assert [next(events).data for _ in range(2)] == ["fourth", "fifth"]


def test_while_the_state_is_away(
    app: Atila, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atila_ws.listeners.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("atila_ws.listeners.RETRY_SECONDS", 0.05)
    away = threading.Event()

    class Shared(LocalShared):
        def get(self, space: str, name: str) -> bytes | None:
            if away.is_set():
                raise SharedUnavailable("gone")
            return super().get(space, name)

    app.site.shared = Shared()
    with client.events("/events") as events:
        app.broadcast("orders", "first")
        assert next(events).data == "first"
        away.set()
        with pytest.raises(SharedUnavailable):
            app.broadcast("orders", "refused")
        with pytest.raises(ConnectionRefusedError, match="503"):
            client.events("/events")
        away.clear()
        app.broadcast("orders", "second")
        assert next(events).data == "second"


def test_marks() -> None:
    history = History(LocalShared(), "", 3, 60.0)
    assert history.newest("a") == Mark()
    marks = [history.add("a", b"%d" % n) for n in range(5)]
    assert history.newest("a") == marks[-1]
    assert [mark.number for mark in marks] == [1, 2, 3, 4, 5]
    assert [m for _, m in history.between("a", marks[3], marks[4])] == [b"4"]
    assert [m for _, m in history.between("a", Mark(), marks[4])] == [b"2", b"3", b"4"]
    assert list(history.between("a", marks[4], marks[4])) == []
    assert len(history._shared.names("rooms ")) == 4
    assert Mark.of(str(marks[2])) == marks[2]
