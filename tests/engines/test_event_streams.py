"""Event streams on every engine: while they come, after a break, and when the client leaves."""

from __future__ import annotations

import pytest
from support.servers import Server
from support.wire import Connection

from atila.testing.events import EventParser, ServerEvent
from atila.testing.waits import wait_until

either_kind = pytest.mark.parametrize("path", ["/updates", "/blocking-updates"])


def opened(server: Server, path: str, name: str, last: str = "") -> Connection:
    connection = server.connect()
    headers = [("Accept", "text/event-stream")]
    headers += [("Last-Event-ID", last)] if last else []
    connection.ask(f"{path}?name={name}", headers=headers)
    head = connection.read_head()
    assert head.status == 200
    assert head.header("content-type") == "text/event-stream"
    assert head.header("cache-control") == "no-cache"
    assert head.header("x-accel-buffering") == "no"
    assert head.header("content-encoding") is head.header("content-length") is None
    return connection


def read(connection: Connection, parser: EventParser, least: int) -> list[ServerEvent]:
    events: list[ServerEvent] = []
    while len(events) < least:
        chunk = connection.read_chunk()
        assert chunk, events
        events += parser.feed(chunk)
    return events


@either_kind
def test_events_while_they_come(server: Server, name: str, path: str) -> None:
    parser = EventParser()
    with opened(server, path, name) as connection:
        events = read(connection, parser, 3)
        assert [(e.json(), e.event, e.id) for e in events] == [
            ({"n": n}, "number", str(n)) for n in (1, 2, 3)
        ]
        assert parser.retry == 200
        # Nothing comes now but the heartbeat.
        begun = parser.comments
        while parser.comments < begun + 3:
            assert parser.feed(connection.read_chunk()) == []
        server.board.open(name)
        assert read(connection, parser, 1)[0].json() == {"n": 4}
    # It was sending without end: the client is missed.
    server.board.wait_count(f"{name}-finally")
    last = parser.last_event_id
    with opened(server, path, name, last) as connection:
        assert read(connection, EventParser(), 1)[0].json() == {"n": int(last) + 1}
    server.board.wait_count(f"{name}-finally", 2)


def test_a_client_of_a_silent_stream_is_missed(server: Server, name: str) -> None:
    with opened(server, "/updates", name) as connection:
        read(connection, EventParser(), 3)
    wait_until(lambda: server.board.count(f"{name}-finally") == 1, log=server.log)
