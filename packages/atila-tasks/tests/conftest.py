"""An app with the layer, and a way to look into its handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import atila_tasks
from atila import Atila, Was

Run = Callable[..., Any]


@pytest.fixture
def app() -> Atila:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    return Atila(__name__, layers=layers)


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
def gate() -> Iterator[threading.Event]:
    """What threads of a test wait for; opened at its end, so that none stays behind."""
    event = threading.Event()
    yield event
    event.set()
