"""What a layer answers in a protocol of its own: `Parts.calls`, `Parts.serve`, and twins."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from atila import PROTOCOL, Atila, HTTPError, Layer, Parts
from atila.serving.site import Mount, Site
from atila.testing.waits import PATIENCE

SHOUT = "application/shout"


def shouting(log: list[str]) -> Layer:
    """A protocol whose calls name a path, and whose answers are in capitals."""

    def calls(app: Atila) -> dict[str, Any]:
        def fault(was: Any, error: HTTPError) -> None:
            was.exchange.respond(200, [], f"OOPS {error.code} {error.detail}".encode())

        def find(exchange: Any, path: str, match: Any) -> Any:
            log.append(path)
            if path == "/refused":
                raise HTTPError(418, "no tea")
            if match is None:
                return None

            def answer(was: Any) -> str:
                value: str = match.endpoint.handler(was)
                return value.upper()

            return match.endpoint.for_calls(answer, fault)

        def others(exchange: Any, path: str, match: Any) -> Any:
            if path == "/shouts":
                raise HTTPError(415, "shout!")
            return None

        return {SHOUT: find, "*": others}

    return Layer("render", PROTOCOL, mount=lambda app: Parts(calls=calls(app)))


def app_with(layer: Layer) -> Atila:
    return Atila("app_of_test", layers={"render": layer, "auth": None, "tasks": None, "ws": None})


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def app(log: list[str]) -> Atila:
    app = app_with(shouting(log))

    @app.route("/name")
    def name(was):
        return "name"

    @app.route("/fails")
    def fails(was):
        raise was.Error(409, "taken")

    @app.route("/checked")
    @app.inspect(ints=["a"])
    def checked(was, a=1):
        return "unchecked"

    return app


def shout(client: Any, path: str, body: bytes = b"") -> Any:
    return client.post(path, body, headers={"Content-Type": f"{SHOUT}; charset=utf-8"})


def test_calls_are_told_by_their_type(app: Atila, log: list[str]) -> None:
    with app.test_client() as client:
        assert shout(client, "/name").text == "NAME"
        assert client.post("/name").text == "name"
        assert client.get("/name", headers={"Content-Type": SHOUT}).text == "name"
        assert log == ["/name"]
        assert shout(client, "/checked").text == "UNCHECKED"


def test_errors_are_those_of_the_protocol(app: Atila) -> None:
    app.config.MAX_BODY_SIZE = 100
    with app.test_client() as client:
        assert shout(client, "/fails").text == "OOPS 409 taken"
        assert shout(client, "/name", b"x" * 101).text == "OOPS 413 a body may have 100 bytes"
        # Not those of a finder: it is not known yet what answers.
        assert shout(client, "/refused").status_code == 418


def test_a_call_that_finds_nothing_is_a_request_like_others(app: Atila) -> None:
    with app.test_client() as client:
        assert shout(client, "/nowhere").status_code == 404
        assert client.post("/shouts").status_code == 415
        assert shout(client, "/shouts").status_code == 415
        assert client.get("/shouts").status_code == 404


def test_overload_is_told_by_the_protocol(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.test_client() as client:
        monkeypatch.setattr(app.site.pool, "queue_size", 0)
        assert app.site.pool.is_full
        assert shout(client, "/name").text == "OOPS 503 the server is busy"


def test_calls_where_no_app_is_mounted(app: Atila, log: list[str]) -> None:
    site = Site([Mount("/shop", app)])
    try:
        client = app.test_client()
        assert shout(client, "/shop/name").text == "NAME"
        assert shout(client, "/name").status_code == 404
        assert log == ["/name", "/name"]
    finally:
        site.shutdown()


def test_a_layer_begins_once_on_the_task_loop() -> None:
    begun: list[bool] = []
    running = threading.Event()

    def begin(site: Site) -> Any:
        async def work() -> None:
            begun.append(site.loop.is_current())
            running.set()
            await asyncio.sleep(0)

        return work()

    app = app_with(Layer("render", PROTOCOL, mount=lambda app: Parts(serve=begin)))

    @app.route("/")
    async def index(was):
        return "index"

    with app.test_client() as client:
        for _ in range(3):
            assert client.get("/").text == "index"
        app.site.begin()
        assert running.wait(PATIENCE)
    assert begun == [True]


def test_what_several_apps_serve_begins_once() -> None:
    begun: list[Site] = []
    layer = Layer("render", PROTOCOL, mount=lambda app: Parts(serve=begun.append))
    site = Site([Mount("/a", app_with(layer)), Mount("/b", app_with(layer))])
    try:
        site.begin()
        assert begun == [site]
    finally:
        site.shutdown()


def test_a_layer_with_nothing_to_begin_needs_no_loop() -> None:
    app = app_with(Layer("render", PROTOCOL, mount=lambda app: Parts(serve=lambda site: None)))
    site = app.site
    try:
        site.begin()
        assert site._loop is None
    finally:
        site.shutdown()
