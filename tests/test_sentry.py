"""Sentry's own SDK reports errors of handlers of every style, as docs/guide/tracing.md has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import sentry_sdk
import skitai
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from atila import Atila, Was, current
from atila.testing.waits import wait_until


class Memory(Transport):
    """Keeps what would be sent."""

    events: ClassVar[list[dict[str, Any]]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        if (event := envelope.get_event()) is not None:
            self.events.append(event)  # type: ignore[arg-type]  # a TypedDict


def with_request(event: Any, hint: Any) -> Any:
    was = current.get(None)
    if was is not None:
        exchange = was.exchange
        event["request"] = {"method": exchange.method, "url": exchange.path}
        if was.request.user is not None:
            event["user"] = {"username": str(was.request.user)}
    return event


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    Memory.events = []
    # Of its integrations only the one that reports logged errors: others change how each thread of
    # this process runs, and each client of it calls, for good. docs/how-to/sentry.md has them all.
    sentry_sdk.init(
        "http://key@localhost/1",
        transport=Memory,
        before_send=with_request,
        default_integrations=False,
        integrations=[LoggingIntegration()],
    )
    yield Memory.events
    sentry_sdk.init(default_integrations=False)


def _def(was: Was) -> Any:
    raise KeyError("gone")


def _coroutine(was: Was) -> Any:
    yield was.Thread(lambda: None)
    raise KeyError("gone")


async def _async(was: Was) -> Any:
    raise KeyError("gone")


def _talk(was: Was) -> Any:
    yield was.Input()
    raise KeyError("gone")


@pytest.mark.parametrize("style", ["def", "coroutine", "async", "websocket", "rpc"])
def test_errors_are_reported(events: list[dict[str, Any]], style: str) -> None:
    app = Atila(__name__)

    @app.before_request
    def identify(was: Was) -> None:
        was.request.user = "hans"

    app.route("/def", methods=["GET", "POST"])(_def)
    app.route("/coroutine", coroutine=True)(_coroutine)
    app.route("/async")(_async)
    app.route("/websocket")(app.websocket(skitai.WS_COROUTINE, 60)(_talk))
    client = app.test_client()
    path, method = f"/{style}", "GET"
    if style == "websocket":
        with client.websocket(path) as socket:
            socket.send_message("x")
            socket.receive_message()
    elif style == "rpc":
        path, method = "/rpc2", "POST"
        call = {"jsonrpc": "2.0", "id": 1, "method": "def"}
        client.post(path, json.dumps(call), headers={"content-type": "application/json-rpc"})
    else:
        client.get(path)
    wait_until(lambda: bool(events), "an event of Sentry")
    (event,) = events
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("KeyError", "'gone'")
    assert error["stacktrace"]["frames"][-1]["vars"]
    assert (event["request"]["method"], event["request"]["url"]) == (method, path)
    assert event["user"] == {"username": "hans"}
