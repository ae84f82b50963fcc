"""The event bus, life-cycle events, the events of requests, and several apps in one site."""

from __future__ import annotations

import threading
import time
from types import ModuleType
from typing import Any

import pytest

from atila import Atila, Mount, SetupError, Site
from atila.testing import TestClient
from atila.testing.waits import PATIENCE

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=NO_LAYERS)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


class Heard:
    """What handlers have heard; they run in other threads."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._list: list[Any] = []

    def add(self, *values: Any) -> None:
        with self._news:
            self._list.append(values)
            self._news.notify_all()

    def wait(self, count: int) -> list[Any]:
        with self._news:
            assert self._news.wait_for(lambda: len(self._list) >= count, PATIENCE), self._list
            return sorted(self._list, key=repr)


def test_handlers_get_a_context_and_what_was_emitted(app: Atila, client: TestClient) -> None:
    heard = Heard()

    @app.on("custom-event")
    def on_custom(was, detail, more=None):
        heard.add(was.app is app, detail, more, threading.current_thread().name)

    @app.route("/make_event")
    def make_event(was):
        app.emit("custom-event", "it happened", more=7)
        return "OK"

    assert client.get("/make_event").text == "OK"
    [(has_app, detail, more, thread)] = heard.wait(1)
    assert (has_app, detail, more) == (True, "it happened", 7)
    assert thread.startswith("atila-event")


def test_a_context_without_a_request_says_so(app: Atila) -> None:
    context: list[Any] = []
    app.before_mount(context.append)
    Site([Mount("/", app)])
    [was] = context
    was.g["seen"] = 1
    was.log("a line")
    was.request.g["x"] = 1
    assert was.urlfor("/x") == "/x"
    assert was.apps[__name__] is app
    for ask in (lambda: was.request.method, lambda: was.args, lambda: was.request.uri):
        with pytest.raises(RuntimeError, match="there is no request here"):
            ask()


def test_a_failing_handler_is_logged_and_harms_nobody(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    app.on("custom")(lambda was: 1 / 0)
    app.on("custom")(lambda was: heard.add("second"))
    app.on("custom")(lambda was, detail: None)  # It gets none.
    app.on("before_umount")(lambda was: 1 / 0)
    app.on("before_umount")(lambda was: heard.add("end"))
    app.route("/")(lambda was: app.emit("custom") or "OK")
    assert client.get("/").text == "OK"
    heard.wait(1)
    app.bus.close(5)
    app.site.shutdown()
    heard.wait(2)
    assert caplog.text.count("ZeroDivisionError") == 2
    assert "missing 1 required positional argument: 'detail'" in caplog.text
    assert "test_events.py:" in caplog.text


@pytest.mark.parametrize("event", ["before_mount", "mounted", "mounted_or_reloaded"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_listener_of_the_start_that_fails_keeps_the_site_from_serving(
    app: Atila, client: TestClient, event: str, is_async: bool
) -> None:
    heard = Heard()
    faults = [LookupError("the cupboard is bare")]

    def listen(was: Any) -> None:
        if faults:
            raise faults.pop()

    async def listen_on_loop(was: Any) -> None:
        listen(was)

    app.on(event)(listen_on_loop if is_async else listen)
    app.on(event)(lambda was: heard.add("after it"))
    app.on("umounted")(lambda was: heard.add("umounted"))
    app.route("/")(lambda was: "OK")
    with pytest.raises(LookupError, match="the cupboard is bare"):
        client.get("/")
    # Of what was mounted all is undone, so it can be mounted again.
    assert heard.wait(0) == ([] if event == "before_mount" else [("umounted",)])
    assert client.get("/").text == "OK"
    assert ("after it",) in heard.wait(1)


def test_nobody_waits_for_handlers(app: Atila, client: TestClient) -> None:
    gate, heard = threading.Event(), Heard()
    app.on("slow")(lambda was: heard.add(gate.wait(PATIENCE)))
    app.route("/")(lambda was: app.emit("slow") or "OK")
    for _ in range(3):
        assert client.get("/").text == "OK"
    gate.set()
    assert heard.wait(3) == [(True,)] * 3


def test_async_handlers(app: Atila, client: TestClient) -> None:
    import asyncio

    heard = Heard()

    @app.on("custom")
    async def handler(was, detail):
        await asyncio.sleep(0)
        heard.add(detail, was.site.loop.is_current())

    @app.on("before_mount")
    async def early(was):
        app.g["early"] = True

    app.route("/")(lambda was: app.emit("custom", 1) or str(app.g["early"]))
    assert client.get("/").text == "True"
    assert heard.wait(1) == [(1, True)]


def test_events_with_names_of_the_library_beneath(app: Atila, client: TestClient) -> None:
    heard = Heard()
    app.emit("error", "nobody listens")
    app.on("error")(lambda was, what: heard.add(what))
    app.emit("error", "somebody does")
    assert heard.wait(1) == [("somebody does",)]


LIFE = ["before_mount", "mounted", "mounted_or_reloaded", "before_umount", "umounted"]


@pytest.mark.parametrize("hook", ["__setup__", "__mount__"])
@pytest.mark.parametrize("as_decorator", [True, False])
def test_life_cycle_events_in_hooks(app: Atila, hook: str, as_decorator: bool) -> None:
    events: list[str] = []

    def listen(app: Atila, mntopt: object) -> None:
        for name in LIFE:
            add = getattr(app, name) if as_decorator else app.on(name)
            add(lambda was, name=name: events.append(name))
        events.append(hook)

    part = ModuleType("part")
    setattr(part, hook, listen)
    app.before_mount(lambda was: events.append("first"))
    app.mount("/", part)
    for _ in range(2):  # Also when it is mounted anew.
        site = Site([Mount("/", app)])
        site.shutdown(1.0)
        start = ["first", "__mount__", "before_mount"]
        if hook == "__setup__":
            start = ["__setup__", "first", "before_mount"]
        assert events == [*start, *LIFE[1:]]
        del events[:]


def test_listeners_of_requests_in_mount(app: Atila, client: TestClient) -> None:
    heard = Heard()
    app.mount("/", lambda app: app.on("before_request")(lambda was: heard.add(was.request.path)))
    app.route("/x")(lambda was: "x")
    client.get("/x")
    assert heard.wait(1) == [("/x",)]


@pytest.mark.parametrize("use", ["no name", "no context", "too late", "far too late"])
def test_mistakes(app: Atila, client: TestClient, use: str) -> None:
    uses: dict[str, Any] = {
        "no name": lambda: app.on(lambda was: None),  # type: ignore[arg-type]
        "no context": lambda: app.on("x")(lambda: None),
        "too late": lambda: app.on("before_request")(lambda was: None),
        "far too late": lambda: app.before_mount(lambda was: None),
    }
    if "too late" in use:
        client.get("/")
    with pytest.raises(SetupError, match=r"test_events.py:\d+: "):
        uses[use]()


# Life cycle -------------------------------------------------------------------------------------


def test_life_cycle_events_and_decorators(app: Atila) -> None:
    events = []
    names = ["before_mount", "mounted", "mounted_or_reloaded", "before_umount", "umounted"]
    for name in names:
        app.on(name)(lambda was, name=name: events.append(f"on {name}"))
        getattr(app, name)(lambda was, name=name: events.append(name))
    site = Site([Mount("/", app)])
    assert events == [f"{on}{name}" for name in names[:3] for on in ("on ", "")]
    del events[:]
    site.shutdown(1.0)
    assert events == [f"{on}{name}" for name in names[3:] for on in ("on ", "")]


def test_a_trial_tells_nobody_of_the_mount(app: Atila) -> None:
    events = []
    app.mounted(lambda was: events.append("mounted"))
    app.before_mount(lambda was: events.append("before_mount"))
    Site([Mount("/", app)], trial=True).shutdown(0.0)
    assert events == ["before_mount"]


# Requests ---------------------------------------------------------------------------------------


def test_events_of_requests(app: Atila, client: TestClient) -> None:
    heard = Heard()

    @app.on("before_request")
    def on_before(was):
        heard.add("before", was.request.path)
        was.response.set_header("X-Spoiled", "1")
        return "ignored"

    @app.on("finish_request")
    def on_finish(was, response):
        heard.add("finish", response)

    @app.on("failed_request")
    def on_failed(was, expt):
        heard.add("failed", expt[0].__name__)

    @app.on("teardown_request")
    def on_teardown(was):
        heard.add("teardown", was.request.path, was.request.g.get("note"))

    @app.route("/good")
    def good(was):
        was.request.g["note"] = "kept"
        return "good"

    app.route("/bad")(lambda was: 1 / 0)
    answer = client.get("/good")
    assert (answer.text, "x-spoiled" in answer.headers) == ("good", False)
    assert heard.wait(3) == [
        ("before", "/good"),
        ("finish", "good"),
        ("teardown", "/good", "kept"),
    ]
    assert client.get("/bad").status_code == 500
    assert heard.wait(6)[2:4] == [("failed", "ZeroDivisionError"), ("finish", "good")]


def test_who_does_not_listen_pays_nothing(app: Atila) -> None:
    app.on("custom")(lambda was: None)
    app.route("/")(lambda was: "")
    Site([Mount("/", app)])
    endpoint = app.endpoint_of(app.routes[0])
    assert (endpoint._before, endpoint._after, endpoint.teardown) == (None, None, ())


# Several apps -----------------------------------------------------------------------------------


def two_apps() -> tuple[Atila, Atila]:
    return Atila("myapp", layers=NO_LAYERS), Atila("tfserver", layers=NO_LAYERS)


def test_who_subscribes_gets_the_events(caplog: pytest.LogCaptureFixture) -> None:
    mine, server = two_apps()
    heard = Heard()
    name = "tfserver:model-reloaded"
    mine.on(name)(lambda was, model: heard.add("mine", was.app is mine, model))
    server.on(name)(lambda was, model: heard.add("server", was.app is server, model))
    mine.on("before_request")(lambda was: heard.add("of another"))
    server.on("before_request")(lambda was: None)
    server.route("/")(lambda was: server.emit(name, "a") or "")
    site = Site([Mount("/tf", server, "tfserver"), Mount("/", mine, "", subscribe=["tfserver"])])
    server.test_client().get("/tf/")
    assert heard.wait(2) == [("mine", True, "a"), ("server", True, "a")]
    mine.emit(name, "b")
    assert heard.wait(3)[1] == ("mine", True, "b")
    time.sleep(0.05)
    assert len(heard.wait(3)) == 3
    site.shutdown(1.0)
    assert server.bus.subscribers == []


def test_apps_by_name_and_shared_values() -> None:
    mine, server = two_apps()
    server.route("/")(lambda was: was.g.update(MODELS=["a", "b"]) or "")
    mine.route("/")(lambda was: "|".join(was.g["MODELS"]))
    mine.route("/app")(lambda was: repr(was.apps["tfserver"] is server))
    mine.route("/none")(lambda was: was.apps["nobody"])
    Site([Mount("/tf", server, name="tfserver"), Mount("/", mine)])
    client = mine.test_client()
    client.get("/tf/")
    assert client.get("/").text == "a|b"
    assert client.get("/app").text == "True"
    assert client.get("/none").status_code == 500


def test_names_and_subscriptions_that_make_no_sense() -> None:
    mine, server = two_apps()
    with pytest.raises(SetupError, match="two apps are called 'x'"):
        Site([Mount("/tf", server, "x"), Mount("/", mine, "x")])
    with pytest.raises(SetupError, match=r"subscribes to 'nobody'.*'tfserver', 'myapp'"):
        Site([Mount("/tf", server), Mount("/", mine, subscribe=["nobody"])])
    # Neither has been taken by these.
    Site([Mount("/tf", server), Mount("/", mine)])


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("example.com", "exact"),
        ("EXAMPLE.com:8080", "exact"),
        ("www.example.org", "below"),
        ("example.org", "below"),
        ("badexample.org", "default"),
        ("other.net", "several"),
        ("third.net", "several"),
        ("localhost", "default"),
        ("[::1]:80", "default"),
        ("", "default"),
    ],
)
def test_hosts(host: str, text: str) -> None:
    mounts = []
    rules = {
        "default": "default",
        "exact": "example.com",
        "below": ".example.org",
        "several": "other.net third.net",
    }
    for name, rule in rules.items():
        app = Atila(name, layers=NO_LAYERS)
        app.route("/")(lambda was, name=name: name)
        mounts.append(Mount("/", app, host=rule))
    Site(mounts)
    headers = {"Host": host} if host else {}
    assert mounts[0].app.test_client().get("/", headers=headers).text == text


def test_mount_points_of_hosts_are_their_own() -> None:
    one, two, three = (Atila(name, layers=NO_LAYERS) for name in ("one", "two", "three"))
    for app in (one, two, three):
        app.route("/")(lambda was: was.app.import_name)
    Site([Mount("/", one), Mount("/sub", two), Mount("/sub", three, host="example.com")])
    client = one.test_client()
    assert client.get("/sub/").text == "two"
    assert client.get("/sub/", headers={"Host": "example.com"}).text == "three"
    assert client.get("/", headers={"Host": "example.com"}).status_code == 404
    with pytest.raises(SetupError, match="two apps are mounted on '/sub'"):
        Site([Mount("/sub", two, host="a.com"), Mount("/sub/", three, host="A.com")])


def test_a_site_with_one_app_does_not_look_at_hosts(app: Atila) -> None:
    assert Site([Mount("/", app)])._single is app
