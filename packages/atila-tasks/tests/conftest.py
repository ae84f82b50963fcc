"""An app with the layer, and a way to look into its handlers."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import atila_tasks
from atila import Atila, Was
from atila.testing.waits import wait_until
from atila_tasks.core.errors import TaskCancelled
from atila_tasks.core.task import Task

Run = Callable[..., Any]


@pytest.fixture
def app() -> Atila:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    return Atila(__name__, layers=layers)


@pytest.fixture
def is_cancelled(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when a task is cancelled; that goes on only when the task has what it runs in."""
    is_cancelled = threading.Event()
    fail = Task.fail

    def fail_then(task: Task, error: BaseException, status: int | None = None) -> None:
        if isinstance(error, TaskCancelled):
            is_cancelled.set()
            wait_until(lambda: task.handle is not None)
        fail(task, error, status)

    monkeypatch.setattr(Task, "fail", fail_then)
    return is_cancelled


@pytest.fixture
def run(app: Atila) -> Run:
    """Call it with a function of a request: it runs as a handler, and what it gives is given."""

    def run(func: Callable[[Was], Any]) -> Any:
        given: list[Any] = []

        def handler(was: Was) -> str:
            given.append(func(was))
            return ""

        path = f"/run{len(app.routes)}"
        app.route(path)(handler)
        response = app.test_client().get(path)
        assert response.status_code == 200, response.text
        return given[0]

    return run


@pytest.fixture
def co_run(app: Atila) -> Run:
    """The same for a generator function, run as a coroutine."""

    def run(func: Callable[[Was], Iterator[Any]]) -> Any:
        given: list[Any] = []

        def handler(was: Was) -> Any:
            given.append((yield from func(was)))  # type: ignore[func-returns-value]
            return ""

        app.route("/co_run", coroutine=True)(handler)
        response = app.test_client().get("/co_run")
        assert response.status_code == 200, response.text
        return given[0]

    return run


@pytest.fixture
def leave_nothing() -> Iterator[Callable[..., None]]:
    """Call it with an app and a handler, which answers 1: it is asked, and the test fails if a
    request is kept, be it for the garbage collector. asyncio keeps a timer that was cancelled, and
    its request, until it looks for the next one: asks_on=True has it look.
    """

    def ask(app: Atila, handler: Callable[[Was], Any], *, asks_on: bool = False) -> None:
        seen: list[weakref.ref[Was]] = []

        @app.before_request
        def note(was: Was) -> None:
            seen.append(weakref.ref(was))

        app.route("/")(handler)
        client = app.test_client()
        for _ in range(3):
            assert client.get("/").text == "1"
        early = seen[:]

        def are_gone() -> bool:
            if asks_on:
                client.get("/")
            return all(ref() is None for ref in early)

        wait_until(are_gone, "the requests are gone", 10)

    gc.collect()
    gc.disable()
    yield ask
    gc.enable()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What threads of a test wait for; opened at its end, so that none stays behind."""
    event = threading.Event()
    yield event
    event.set()


REAL_MONGODB = os.environ.get("ATILA_TEST_MONGODB", "")
"""Where a real MongoDB is, "[user:password@]host:port/database", to be used in place of ours."""


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The address of a MongoDB without its collection: the process of mongodb_stand_in.py, or a
    real server.
    """
    if REAL_MONGODB:
        yield REAL_MONGODB
        return
    program = Path(__file__).with_name("mongodb_stand_in.py")
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}/test"
        process.kill()
