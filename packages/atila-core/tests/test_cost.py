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

OURS = str(Path(atila.__file__).parent)
HIGHEST = {"rsgi def": 26, "rsgi async def": 36, "wsgi def": 23}
"""Functions entered, the handler among them. Lower a number when it is undercut."""


class Steps:
    """The functions of the framework and the handlers that are entered, in any thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.counts = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if self.counts and event == "call" and code.co_filename.startswith((OURS, __file__)):
            if code.co_name != "response_bytes":
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


class Granian:
    """What granian hands over with a request; its own methods do not count."""

    def __init__(self, path: str) -> None:
        self.scope = SimpleNamespace(
            proto="http", method="GET", path=path, query_string="", headers={}, authority=None
        )
        self.answer: tuple[Any, ...] = ()

    def response_bytes(self, *answer: Any) -> None:
        self.answer = answer


async def ask_rsgi(app: Atila, path: str, steps: Steps) -> None:
    loop = asyncio.get_running_loop()
    app.site.adopt_loop(loop)
    for counts in (False, False, True):
        # Until the last request has no step left to do, and its thread sleeps.
        while app.site.loop.busy or app.site.pool.threads[0]:
            await asyncio.sleep(0)
        request = Granian(path)
        steps.counts = counts
        if counts:
            sys.setprofile(steps)
        await rsgi.serve(app.site, request.scope, request)
        sys.setprofile(None)
        while app.site.pool.threads[0]:
            await asyncio.sleep(0)
        steps.counts = False
        assert request.answer[2] == b"plain"


def ask_wsgi(app: Atila, path: str, steps: Steps) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    for counts in (False, True):
        answer: SimpleQueue[Any] = SimpleQueue()
        steps.counts = counts
        if counts:
            sys.setprofile(steps)
        body = wsgi.serve(app.site, environ, answer.put)
        sys.setprofile(None)
        steps.counts = False
        assert (answer.get_nowait(), body) == ("200 OK", [b"plain"])


@pytest.mark.parametrize("kind", HIGHEST)
def test_a_plain_request_enters_no_more_functions(kind, app, steps):
    engine, handler = kind.split(" ", 1)
    path = "/async" if handler == "async def" else "/def"
    if engine == "wsgi":
        ask_wsgi(app, path, steps)
    else:
        asyncio.run(ask_rsgi(app, path, steps))
    print(kind, len(steps.names), "\n  ".join(["", *steps.names]))
    assert len(steps.names) == HIGHEST[kind]
