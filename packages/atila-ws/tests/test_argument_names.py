"""Handshakes with parameters named like arguments that are given by position."""

import functools

import pytest

from atila_ws import WS_CHATTY, WS_COROUTINE, WS_REPORTY


def decorated(handler):
    @functools.wraps(handler)
    def run(context, *args, **kwargs):
        return handler(context, *args, **kwargs)

    return run


def chatty(c, **data):
    message = yield
    while message:
        message = yield repr(data)


def coroutine(c, **data):
    message = yield c.Input()
    while message:
        message = yield repr(data)


async def awaited(c, **data):
    await c.websocket.send(repr(data))


def reporty(c, message, **data):
    return repr(data)


KINDS = {
    "chatty": (WS_CHATTY, chatty, ["c"]),
    "coroutine": (WS_COROUTINE, coroutine, ["c"]),
    "async": (WS_CHATTY, awaited, ["c"]),
    "reporty": (WS_REPORTY, reporty, ["c", "message"]),
    "decorated": (WS_REPORTY, decorated(reporty), ["c", "message", "context"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_the_handlers_own_arguments_are_refused(app, kind):
    spec, handler, names = KINDS[kind]
    app.route("/f")(app.websocket(spec, 60)(handler))
    client = app.test_client()
    for name in names:
        with pytest.raises(ConnectionRefusedError, match="400"):
            client.websocket(f"/f?{name}=1")
    # The names that wrappers of ours use are nobody's business.
    with client.websocket("/f?was=1&handler=2") as ws:
        ws.send_message("x")
        assert ws.receive_message() == "{'was': '1', 'handler': '2'}"
