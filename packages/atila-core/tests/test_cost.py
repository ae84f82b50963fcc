"""How many functions of Python a plain request enters, from engine to engine: fewer, never more."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

import atila
from atila import Atila
from atila.engines import rsgi, wsgi
from atila.testing.waits import wait_until

OURS = str(Path(atila.__file__).parent)
HIGHEST = {"rsgi def": 18, "rsgi async def": 12, "wsgi def": 12, "granian-wsgi def": 12}
"""Functions entered, the handler among them. Lower a number when it is undercut."""


class Steps:
    """The functions of the framework, and handlers, that are entered while it counts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.counts = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(OURS) or code.co_name in ("plain", "waits")
        if self.counts and event == "call" and is_ours:
            self.names.append(code.co_qualname)


@pytest.fixture
def steps() -> Iterator[Steps]:
    counted = Steps()
    before = threading.getprofile()
    # The workers, which begin later, are watched too.
    threading.setprofile(counted)
    yield counted
    threading.setprofile(before)


@pytest.fixture
def app(steps: Steps) -> Iterator[Atila]:
    app = Atila(__name__)

    @app.route("/def")
    def plain(was):
        return "plain"

    @app.route("/async")
    async def waits(was):
        return "plain"

    yield app
    app.site.shutdown(5)


class Headers(dict[str, str]):
    """Those of granian, none of them twice."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


class Granian:
    """What granian hands over with a request."""

    def __init__(self, path: str) -> None:
        self.scope = SimpleNamespace(
            proto="http", method="GET", path=path, query_string="", headers=Headers(host="x")
        )
        self.answer: tuple[Any, ...] = ()

    def response_str(self, *answer: Any) -> None:
        self.answer = answer


def ask_rsgi(app: Atila, path: str, steps: Steps) -> None:
    site, engine = app.site, rsgi.Engine(app.site)

    async def ask(*, counts: bool) -> None:
        request = Granian(path)
        steps.counts = counts
        sys.setprofile(steps)
        await engine.serve(request.scope, request)
        sys.setprofile(None)
        assert request.answer[2] == "plain"

    with asyncio.Runner() as runner:
        engine.begin(runner.get_loop())
        for counts in (False, True):
            runner.run(ask(counts=counts))
            # The thread that answered has no step left to do, and sleeps.
            wait_until(lambda: not site.pool.threads[0])
            steps.counts = False


def ask_wsgi(app: Atila, path: str, steps: Steps) -> None:
    engine = wsgi.Engine(app.site)
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "HTTP_HOST": "x",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    for counts in (False, True):
        answer: SimpleQueue[Any] = SimpleQueue()
        steps.counts = counts
        sys.setprofile(steps)
        body = engine.serve(environ, answer.put)
        sys.setprofile(None)
        steps.counts = False
        assert (answer.get_nowait(), body) == ("200 OK", [b"plain"])


class GranianWSGI:
    """What granian hands over with a request, if it is to call by WSGI."""

    def __init__(self, path: str) -> None:
        self.scope = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "HTTP_HOST": "x",
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": "http",
        }
        self.answer: tuple[Any, ...] = ()

    def response_bytes(self, *answer: Any) -> None:
        self.answer = answer


def ask_granian_wsgi(app: Atila, path: str, steps: Steps) -> None:
    pytest.importorskip("granian")
    from atila.engines import granian_wsgi

    engine = granian_wsgi.Engine(app.site)
    for counts in (False, True):
        request = GranianWSGI(path)
        steps.counts = counts
        sys.setprofile(steps)
        engine.call(request, request.scope)
        sys.setprofile(None)
        steps.counts = False
        assert (request.answer[0], request.answer[2]) == (200, b"plain")


ASK = {"rsgi": ask_rsgi, "wsgi": ask_wsgi, "granian-wsgi": ask_granian_wsgi}


@pytest.mark.parametrize("kind", HIGHEST)
def test_a_plain_request_enters_no_more_functions(kind, app, steps):
    engine, handler = kind.split(" ", 1)
    ASK[engine](app, "/async" if handler == "async def" else "/def", steps)
    assert len(steps.names) <= HIGHEST[kind], "\n".join(steps.names)
