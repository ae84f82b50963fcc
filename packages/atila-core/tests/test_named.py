"""Which interface an application speaks, and targets that an application is not mounted in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from atila import SetupError
from atila.launch import named, script
from atila.launch.served import Served


async def coroutine(scope: Any, receive: Any, send: Any) -> None:
    """Of ASGI."""


def plain(environ: Any, start_response: Any) -> Any:
    """Of WSGI."""


class Awaited:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Of ASGI."""


class Returned:
    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Of ASGI, with an awaitable that it got elsewhere."""


class Called:
    def __call__(self, environ: Any, start_response: Any, more: Any = None) -> Any:
        """Of WSGI, which gives two."""

    def method(self, environ: Any, start_response: Any) -> Any:
        """Of WSGI."""


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (coroutine, "asgi"),
        (plain, "wsgi"),
        (Awaited(), "asgi"),
        (Returned(), "asgi"),
        (Called(), "wsgi"),
        (Called().method, "wsgi"),
        (lambda *given: None, "wsgi"),
        (lambda environ, start_response: [], "wsgi"),
        (lambda one: one, ""),
        ({}, ""),
        (None, ""),
        (7, ""),
        (int, ""),
    ],
)
def test_the_interface_of(app: Any, interface: str) -> None:
    assert named.interface_of(app) == interface


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "within.py").write_text("async def app(scope, receive, send): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(script, "current", script.Launch())
    monkeypatch.delitem(sys.modules, "within", raising=False)
    return "within:app"


def test_other_servers_take_it_by_themselves(target: str) -> None:
    with pytest.raises(SetupError, match="Mend: name it to the server: uvicorn within:app"):
        Served(target)


def test_an_application_of_asgi_cannot_be_mounted(target: str) -> None:
    with script.capturing(), pytest.raises(SetupError, match="of ASGI, which cannot be mounted"):
        script.record_mount("/", coroutine, None)
