"""`protocols=` of `@app.websocket`: which subprotocol is chosen, and what is refused."""

import pytest

import atila_ws
from atila import Atila, SetupError
from atila_ws import WS_CHATTY, WS_COROUTINE, WS_REPORTY

NAMES = ["v2.chat", "v1.chat", "graphql-transport-ws"]


def opened(app, protocols=None, **options):
    return app.test_client().websocket("/", protocols=protocols, **options)


@pytest.fixture
def talking(app):
    """An app that sends the protocol that was chosen."""

    @app.route("/")
    @app.websocket(WS_CHATTY, protocols=NAMES)
    def handler(was):
        yield repr(was.websocket.protocol)

    return app


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["v1.chat"], "v1.chat"),
        # The order is the client's.
        (["v1.chat", "v2.chat"], "v1.chat"),
        (["v2.chat", "v1.chat"], "v2.chat"),
        (["v3.chat", "graphql-transport-ws", "v1.chat"], "graphql-transport-ws"),
        (["", "v1.chat", ""], "v1.chat"),
    ],
)
def test_the_first_of_the_client_that_the_route_speaks(talking, offered, chosen):
    with opened(talking, offered) as socket:
        assert socket.protocol == chosen
        assert socket.receive_message() == repr(chosen)


def test_a_client_that_asks_for_none_gets_none(talking):
    with opened(talking) as socket:
        assert socket.protocol is None
        assert socket.receive_message() == "None"


@pytest.mark.parametrize("offered", [["v3.chat"], ["V2.chat", "v3.chat"], ["v2.chat2"]])
def test_other_protocols_are_refused(talking, offered):
    with pytest.raises(ConnectionRefusedError, match=r"400 .*v2\.chat, v1\.chat, graphql-"):
        opened(talking, offered)


@pytest.mark.parametrize(
    "header",
    ["", ",", "v1 chat", "v1.chat; q=1", '"v1.chat"', "v1.chat, v1.chat", "v1.chat, é", "a, b\x7f"],
)
def test_malformed_headers_are_refused(talking, header):
    headers = {"Sec-WebSocket-Protocol": header}
    # A header without a value is as good as none to the test client.
    if not header:
        headers["Sec-WebSocket-Protocol"] = " "
    with pytest.raises(ConnectionRefusedError, match=r"400 .*malformed Sec-WebSocket-Protocol"):
        opened(talking, headers=headers)


def test_a_refused_client_reaches_no_hook(app):
    reached = []

    @app.route("/")
    @app.websocket(
        WS_CHATTY,
        onopen=lambda was: reached.append("onopen"),
        onclose=lambda was: reached.append("onclose"),
        protocols=NAMES,
    )
    def handler(was):
        reached.append("handler")
        yield

    with pytest.raises(ConnectionRefusedError):
        opened(app, ["v3.chat"])
    assert reached == []


def test_a_route_without_protocols_chooses_none(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def handler(was):
        yield repr(was.websocket.protocol)

    for offered in (None, ["v1.chat"], ["not a token"]):
        with opened(app, offered) as socket:
            assert socket.protocol is None
            assert socket.receive_message() == "None"


def test_every_style_and_hook_sees_it(app):
    seen = []

    def see(was):
        seen.append(was.websocket.protocol)

    @app.route("/coroutine")
    @app.websocket(WS_COROUTINE, onopen=see, onclose=see, protocols=NAMES)
    def coroutine(was):
        yield was.websocket.protocol

    @app.route("/async")
    @app.websocket(WS_COROUTINE, onopen=see, onclose=see, protocols=tuple(NAMES))
    async def asynchronous(was):
        await was.websocket.send(was.websocket.protocol)

    @app.route("/reporty")
    @app.websocket(WS_REPORTY, onopen=see, onclose=see, protocols=NAMES)
    def reporty(was, message):
        was.websocket.close()
        return was.websocket.protocol

    client = app.test_client()
    for path in ("/coroutine", "/async"):
        with client.websocket(path, protocols=["v1.chat"]) as socket:
            assert socket.receive_message() == "v1.chat"
            assert socket.receive_message() is None
    with client.websocket("/reporty", protocols=["v1.chat"]) as socket:
        socket.send_message("x")
        while socket.receive_message() is not None:
            pass
    app.site.shutdown(5)
    assert seen == ["v1.chat"] * 6


@pytest.mark.parametrize(
    ("protocols", "says"),
    [
        ("v1.chat", "must be a list"),
        ([], "must be a list"),
        ({"v1.chat"}, "must be a list"),
        (7, "must be a list"),
        (["v1 chat"], "'v1 chat' in protocols of @app.websocket is no name"),
        (["v1.chat", ""], "'' in protocols"),
        ([None], "None in protocols"),
        (["v1.chat\r\nx: y"], "is no name"),
        (["v1.chat\n"], "is no name"),
        (["v1,v2"], "is no name"),
        (["é"], "is no name"),
        (["a", "b", "a"], "has 'a' twice"),
    ],
)
def test_wrong_protocols_fail_at_mount_with_file_and_line(protocols, says):
    app = Atila(__name__, layers={"ws": atila_ws.layer})

    @app.route("/")
    @app.websocket(WS_CHATTY, protocols=protocols)
    def handler(was):
        yield

    with pytest.raises(SetupError, match=says) as error:
        app.test_client().get("/")
    assert error.value.source.startswith(f"{__file__}:")
