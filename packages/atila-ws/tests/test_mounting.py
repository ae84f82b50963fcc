"""Declarations: what is found wrong when the app is mounted, and where the decorator may stand."""

import functools

import pytest

import atila_ws
from atila import Atila, SetupError
from atila_ws import WS_CHATTY, WS_COROUTINE, WS_NOPOOL, WS_REPORTY, WS_SESSION, WS_THREADSAFE


@pytest.fixture
def broken_app():
    """An app that cannot be mounted."""
    return Atila(__name__, layers={"ws": atila_ws.layer})


def chatty(was):
    yield "x"


def first_message(app, url="/"):
    with app.test_client().websocket(url) as ws:
        return ws.receive_message()


def test_numbers_are_those_of_skitai():
    assert (WS_CHATTY, WS_NOPOOL, WS_SESSION, WS_THREADSAFE, WS_REPORTY) == (257, 128, 256, 512, 1)
    others = WS_CHATTY | WS_NOPOOL | WS_SESSION | WS_THREADSAFE | WS_REPORTY
    assert not WS_COROUTINE & others
    assert atila_ws.layer.exports == {"WS_COROUTINE": WS_COROUTINE}


@pytest.mark.parametrize("flags", [0, WS_NOPOOL, WS_THREADSAFE, WS_SESSION])
def test_flags(app, flags):
    app.route("/")(app.websocket(WS_CHATTY | flags)(chatty))
    assert first_message(app) == "x"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (WS_REPORTY, "cannot yield: use WS_CHATTY or WS_COROUTINE"),
        (WS_REPORTY | WS_THREADSAFE, "cannot yield: use WS_CHATTY or WS_COROUTINE"),
        (WS_COROUTINE | WS_CHATTY, "choose one of the three"),
        (WS_COROUTINE | WS_REPORTY, "choose one of the three"),
        (WS_NOPOOL, "flags only"),
        (9, "does not know the spec 9"),
        (0, "does not know"),
        (-1, "does not know"),
        ("chatty", "does not know the spec 'chatty'"),
        (True, "does not know"),
        (None, "does not know"),
    ],
)
def test_wrong_specs_fail_at_mount_with_file_and_line(broken_app, spec, says):
    broken_app.route("/")(broken_app.websocket(spec)(chatty))
    with pytest.raises(SetupError, match=says) as error:
        broken_app.test_client().get("/")
    file, _, line = error.value.source.rpartition(":")
    assert (file, int(line)) == (__file__, chatty.__code__.co_firstlineno)


@pytest.mark.parametrize("timeout", [0, -1, "60", True, [1]])
def test_wrong_timeouts(broken_app, timeout):
    broken_app.route("/")(broken_app.websocket(WS_CHATTY, timeout)(chatty))
    with pytest.raises(SetupError, match="timeout="):
        broken_app.test_client().get("/")


@pytest.mark.parametrize("timeout", [None, 1, 0.5])
def test_right_timeouts(app, timeout):
    app.route("/")(app.websocket(WS_CHATTY, timeout)(chatty))
    assert first_message(app) == "x"


@pytest.mark.parametrize("hook", ["onopen", "onclose"])
def test_hooks_that_are_no_functions(broken_app, hook):
    broken_app.route("/")(broken_app.websocket(WS_CHATTY, **{hook: "name"})(chatty))
    with pytest.raises(SetupError, match=hook):
        broken_app.test_client().get("/")


def test_handlers_of_the_wrong_kind(broken_app):
    def plain(was):
        return "x"

    async def generator(was):
        yield "x"

    for handler in (plain, generator):
        app = Atila(__name__, layers={"ws": atila_ws.layer})
        app.route("/")(app.websocket(WS_CHATTY)(handler))
        with pytest.raises(SetupError, match="must be a generator function"):
            app.test_client().get("/")


def test_methods_without_get(broken_app):
    broken_app.route("/", methods=["POST"])(broken_app.websocket(WS_CHATTY)(chatty))
    with pytest.raises(SetupError, match="GET"):
        broken_app.test_client().get("/")


def test_a_decorator_without_its_spec(broken_app):
    with pytest.raises(SetupError, match="needs its spec"):

        @broken_app.route("/")
        @broken_app.websocket
        def handler(was):
            yield "x"


def test_above_the_route_it_works_before_the_app_is_mounted(app):
    @app.websocket(WS_CHATTY)
    @app.route("/")
    def handler(was):
        yield "x"

    assert first_message(app) == "x"


def test_above_the_route_it_fails_once_the_app_is_mounted(app):
    assert app.test_client().get("/").status_code == 404
    with pytest.raises(SetupError, match=r"must stand under @app\.route") as error:

        @app.websocket(WS_CHATTY)
        @app.route("/")
        def handler(was):
            yield "x"

    assert error.value.source.startswith(__file__)


def test_under_the_route_it_works_when_the_app_is_mounted_already(app):
    assert app.test_client().get("/").status_code == 404
    app.route("/late")(app.websocket(WS_CHATTY)(chatty))
    assert first_message(app, "/late") == "x"


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def test_other_decorators_around_it(app):
    def handler(was, name):
        yield name

    app.route("/a")(logged(app.websocket(WS_CHATTY)(handler)))
    app.route("/b")(app.websocket(WS_CHATTY)(logged(handler)))
    assert first_message(app, "/a?name=hans") == "hans"
    assert first_message(app, "/b?name=hans") == "hans"


def test_another_decorator_between_it_and_a_route_below(broken_app):
    with pytest.raises(SetupError, match=r"must stand under @app\.route"):

        @broken_app.websocket(WS_CHATTY)
        @logged
        @broken_app.route("/")
        def handler(was):
            yield "x"


def test_routes_without_it_get_no_steps(app):
    app.route("/")(lambda was: "x")
    assert atila_ws.layer.compile(app.routes[0], app) is None
    assert app.test_client().get("/").text == "x"
