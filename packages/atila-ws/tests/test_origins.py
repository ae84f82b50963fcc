"""Whose pages may open a WebSocket, and which steps of other layers run before it is opened."""

import pytest

import atila_ws
from atila import PROTOCOL, Atila, Layer, SetupError, Steps
from atila_ws import WS_CHATTY

SAME = [
    ("https://example.com", "example.com"),
    ("http://example.com", "example.com:80"),
    ("https://example.com:443", "EXAMPLE.com"),
    ("http://example.com:8080", "example.com:8080"),
    ("https://[::1]:8443", "[::1]:8443"),
]
OTHERS = [
    ("https://evil.example", "example.com"),
    ("https://example.com.evil.example", "example.com"),
    ("https://sub.example.com", "example.com"),
    ("http://example.com:8080", "example.com"),
    ("https://example.com", "example.com:80"),
    ("null", "example.com"),
    ("https://", ""),
    ("https://example.com:port", "example.com"),
    ("http://[", "["),
]


def opens(app, origin=None, host="example.com", path="/"):
    headers = {"host": host}
    if origin is not None:
        headers["origin"] = origin
    try:
        with app.test_client().websocket(path, headers) as ws:
            return ws.receive_message() == "hello"
    except ConnectionRefusedError as error:
        if not str(error).startswith("403"):
            raise
        return False


def hello(was):
    yield "hello"


@pytest.mark.parametrize(("origin", "host"), SAME)
def test_pages_of_the_same_host_are_welcome(app, origin, host):
    app.route("/")(app.websocket(WS_CHATTY)(hello))
    assert opens(app, origin, host)


@pytest.mark.parametrize(("origin", "host"), OTHERS)
def test_pages_of_others_are_not(app, origin, host):
    app.route("/")(app.websocket(WS_CHATTY)(hello))
    assert not opens(app, origin, host)
    assert opens(app, None, host)


def test_named_origins(app):
    origins = ["https://Friend.example:443", "http://other.example:8080"]
    app.route("/")(app.websocket(WS_CHATTY, origins=origins)(hello))
    assert opens(app, "https://friend.example")
    assert opens(app, "http://other.example:8080")
    assert opens(app, "https://example.com")
    assert not opens(app, "http://friend.example")


def test_all_origins(app):
    app.route("/")(app.websocket(WS_CHATTY, origins=["*"])(hello))
    assert opens(app, "https://evil.example")
    assert opens(app, "null")


def test_the_cors_setting_counts_but_not_its_star(app):
    app.access_control_allow_origin = ["https://friend.example"]
    app.route("/")(app.websocket(WS_CHATTY)(hello))

    @app.route("/own")
    @app.websocket(WS_CHATTY, origins=["https://own.example"])
    def own(was):
        yield "hello"

    assert opens(app, "https://friend.example")
    assert not opens(app, "https://evil.example")
    assert not opens(app, "https://friend.example", path="/own")
    app.access_control_allow_origin = ["*"]
    star = Atila(__name__, layers={"ws": atila_ws.layer})
    star.access_control_allow_origin = ["*"]
    star.route("/")(star.websocket(WS_CHATTY)(hello))
    assert not opens(star, "https://evil.example")
    star.site.shutdown(5)


@pytest.mark.parametrize(
    "origins", ["https://a.example", [], [1], ["a.example"], ["https://a.example/path"], 5]
)
def test_wrong_origins_fail_at_mount(origins):
    app = Atila(__name__, layers={"ws": atila_ws.layer})
    app.route("/")(app.websocket(WS_CHATTY, origins=origins)(hello))
    with pytest.raises(SetupError, match="origin"):
        app.test_client().get("/")


def test_steps_of_other_layers_run_on_the_handshake():
    def check(was):
        if was.request.args.get("key") != "secret":
            raise was.Error("401 Unauthorized")

    guard = Layer("guard", PROTOCOL, compile=lambda route, app: Steps(before=[check]))
    app = Atila(__name__, layers={"ws": atila_ws.layer, "guard": guard})

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def handler(was, key):
        yield "hello"

    with pytest.raises(ConnectionRefusedError, match="401"):
        app.test_client().websocket("/")
    assert app.test_client().websocket("/?key=secret").receive_message() == "hello"
    app.site.shutdown(5)
