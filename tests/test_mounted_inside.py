"""An app inside another framework's: Starlette's Mount, and werkzeug's dispatcher for Flask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from atila import Atila

Ask = Callable[..., httpx.Response]


def made_app() -> Atila:
    app = Atila("inside")
    app.securekey = "a key that is no secret"
    app.config.TRUSTED_PROXIES = ["127.0.0.1"]
    app.config.OPENAPI_PATH = "/docs"

    @app.route("/")
    def index(was):
        return f"root {was.request.path}"

    @app.route("/where/<name>")
    def where(was, name):
        was.session["seen"] = name
        env = was.env
        return {
            "path": was.request.path,
            "url": was.urlfor(where, "x"),
            "static": was.static("a.css"),
            "absolute": was.absolute(was.urlfor(index)),
            "script": env["SCRIPT_NAME"],
            "info": env["PATH_INFO"],
        }

    @app.route("/leave")
    def leave(was):
        return was.redirect(was.urlfor(where, "there"))

    @app.route("/upload", methods=["POST"])
    def upload(was, **DATA):
        return was.request.FORM["file"].name

    return app


@pytest.fixture(params=["starlette", "werkzeug"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """ask(method, url) on the outer application, which has the app at /shop and /deep/er."""
    app = made_app()
    if request.param == "starlette":
        outer: Any = Starlette(
            routes=[
                Route("/", lambda _: PlainTextResponse("outer")),
                Mount("/shop", app),
                Mount("/deep", Starlette(routes=[Mount("/er", app)])),
            ]
        )
        with asyncio.Runner() as runner:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(outer), base_url="http://example.com"
            )
            yield lambda *given, **options: runner.run(client.request(*given, **options))
            runner.run(client.aclose())
            app.site.shutdown()
        return
    flask = Flask("outer")
    flask.add_url_rule("/", view_func=lambda: "outer", endpoint="outer")
    dispatcher = DispatcherMiddleware(flask, {"/shop": app, "/deep/er": app})
    transport = httpx.WSGITransport(dispatcher)
    with httpx.Client(transport=transport, base_url="http://example.com") as plain:
        yield plain.request
    app.site.shutdown()


def test_all_urls_have_the_mount_point_of_the_outer_one(ask: Ask) -> None:
    assert ask("GET", "/").text == "outer"
    for prefix in ("/shop", "/deep/er"):
        answer = ask("GET", f"{prefix}/where/a")
        assert answer.json() == {
            "path": f"{prefix}/where/a",
            "url": f"{prefix}/where/x",
            "static": f"{prefix}/static/a.css",
            "absolute": f"http://example.com{prefix}/",
            "script": prefix,
            "info": "/where/a",
        }
        assert f"; Path={prefix};" in answer.headers["set-cookie"]
        moved = ask("GET", f"{prefix}/leave")
        assert moved.headers["location"] == f"{prefix}/where/there"
        assert ask("GET", f"{prefix}/").text == f"root {prefix}/"
        document = json.loads(ask("GET", f"{prefix}/docs.json").content)
        assert document["servers"] == [{"url": prefix}]
        assert ask("GET", f"{prefix}/none").status_code == 404


def test_an_upload_inside(ask: Ask) -> None:
    answer = ask("POST", "/shop/upload", files={"file": ("a.txt", b"x")})
    assert (answer.status_code, answer.text) == (200, "a.txt")


def test_a_proxy_before_the_outer_one(ask: Ask) -> None:
    told = {"X-Forwarded-Prefix": "/proxy", "X-Forwarded-Host": "shop.example"}
    answer = ask("GET", "/shop/where/a", headers=told).json()
    assert answer["url"] == "/proxy/shop/where/x"
    assert answer["absolute"] == "http://shop.example/proxy/shop/"
    # What the outer one's mount point says already is not said twice.
    again = ask("GET", "/deep/er/where/a", headers={"X-Forwarded-Prefix": "/deep"}).json()
    assert again["url"] == "/deep/er/where/x"


def test_the_root_without_its_slash(ask: Ask) -> None:
    answer = ask("GET", "/shop", follow_redirects=True)
    assert answer.text == "root /shop/"
