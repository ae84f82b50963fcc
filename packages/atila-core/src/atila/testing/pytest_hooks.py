"""For a `conftest.py`: `from atila.pytest_hooks import *` gives pytest the option --docs.

With it a test run that succeeds writes docs/api/index.md beside the tests folder, or, where a
sub-directory was asked for, `pytest account --docs`, docs/api/account.md. Its contents come from
the requests of the tests: those of `skitai.test_client`, of `requests` in general and of
`app.test_client`, to servers on this machine that run with --devel.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from atila.serving import route_header
from atila.testing.api_reference import Reference, body_of
from atila.testing.async_client import AsyncTestClient
from atila.testing.client import TestClient
from atila.testing.client_request import ClientRequest
from atila.testing.exchange import TestResponse

__all__ = [
    "partial",
    "pytest",
    "pytest_addoption",
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_unconfigure",
]

_LOCAL = ("localhost", "127.0.0.1", "::1")
_recorder = pytest.StashKey["Recorder"]()


class Recorder:
    """Records the requests of tests to servers, while they run.

    Attributes:
        reference: the recorded requests.
        written: the path of the document, when it has been written.
    """

    def __init__(self) -> None:
        self.reference = Reference()
        self.written: Path | None = None
        self._ends: list[Callable[[], object]] = []

    def start(self) -> None:
        """Watch from now on."""
        import requests

        self._replace(requests.Session, "send", self._send)
        self._replace(TestClient, "send", self._call)
        self._replace(AsyncTestClient, "send", self._await_call)
        before = os.environ.get(route_header.VARIABLE)
        os.environ[route_header.VARIABLE] = "1"
        if before is None:
            self._ends.append(partial(os.environ.pop, route_header.VARIABLE, None))

    def stop(self) -> None:
        """Leave all as it was."""
        while self._ends:
            self._ends.pop()()

    def _replace(self, owner: type, name: str, new: Callable[..., Any]) -> None:
        old = getattr(owner, name)

        def replaced(instance: Any, *args: Any, **options: Any) -> Any:
            return new(partial(old, instance), *args, **options)

        setattr(owner, name, replaced)
        self._ends.append(partial(setattr, owner, name, old))

    def _send(self, send: Callable[..., Any], request: Any, **options: Any) -> Any:
        """In place of `requests.Session.send`."""
        if urlsplit(request.url).hostname not in _LOCAL:
            return send(request, **options)
        request.headers[route_header.ASK] = "1"
        response = send(request, **options)
        # Where it followed redirects, each further request came through here by itself.
        answer = response.history[0] if response.history else response
        url = urlsplit(request.url)
        sent = request.body.encode() if isinstance(request.body, str) else request.body
        self.reference.add(
            request.method,
            url.path + (f"?{url.query}" if url.query else ""),
            request.headers,
            body_of(sent, request.headers.get("content-type")) if isinstance(sent, bytes) else None,
            f"{answer.status_code} {answer.reason}",
            answer.headers,
            None
            if options.get("stream")
            else body_of(answer.content, answer.headers.get("content-type")),
        )
        return response

    def _call(self, send: Callable[..., TestResponse], request: ClientRequest) -> TestResponse:
        """In place of `TestClient.send`."""
        request = request.with_header(route_header.ASK, "1")
        return self._recorded(request, send(request))

    async def _await_call(
        self, send: Callable[..., Awaitable[TestResponse]], request: ClientRequest
    ) -> TestResponse:
        """In place of `AsyncTestClient.send`."""
        request = request.with_header(route_header.ASK, "1")
        return self._recorded(request, await send(request))

    def _recorded(self, request: ClientRequest, answer: TestResponse) -> TestResponse:
        sent, headers = request.exchange(), dict(request.headers)
        self.reference.add(
            request.method,
            sent.path + (f"?{sent.query}" if sent.query else ""),
            headers,
            body_of(request.body, headers.get("content-type")),
            f"{answer.status_code} {answer.reason}",
            answer.headers,
            body_of(answer.content, answer.headers.get("content-type")),
        )
        return answer

    def write(self, path: Path) -> None:
        """Write the document."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.reference.markdown(), "utf-8")
        self.written = path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --docs."""
    text = "write the API reference, docs/api/index.md, from the requests of the tests"
    parser.addoption("--docs", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record the requests of the tests."""
    if config.getoption("docs") and _recorder not in config.stash:
        config.stash[_recorder] = recorder = Recorder()
        recorder.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave all as it was."""
    if _recorder in config.stash:
        config.stash[_recorder].stop()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the reference, if all tests have passed."""
    recorder = session.config.stash.get(_recorder, None)
    if recorder is not None and exitstatus == 0 and recorder.written is None:
        recorder.write(path_of(session.config))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print where the reference is, and which requests are missing in it."""
    recorder = config.stash.get(_recorder, None)
    if recorder is None:
        return
    if recorder.written is None:
        terminalreporter.write_line("the API reference is not written, as the tests have failed")
        return
    terminalreporter.write_line(f"API reference: {recorder.written}")
    if recorder.reference.unnamed:
        terminalreporter.write_line(
            f"{recorder.reference.unnamed} requests are not in it: no route answered them, or the"
            " server is not in development mode (--devel)"
        )


def path_of(config: pytest.Config) -> Path:
    """Where the reference of a test run belongs.

    Returns:
        docs/api beside the folder of the outermost conftest.py that uses this module; in it
        account.md for `pytest account`, a/b.md for `pytest a/b`, and else index.md.
    """
    tests = min(_folders(config), key=lambda folder: len(folder.parts), default=config.rootpath)
    api = tests.parent / "docs" / "api"
    if len(config.args) == 1:
        target = Path(os.path.abspath(config.invocation_params.dir / config.args[0]))
        if target.is_dir() and tests in target.parents:
            folder = api / target.relative_to(tests)
            return folder.with_name(f"{folder.name}.md")
    return api / "index.md"


def _folders(config: pytest.Config) -> Iterator[Path]:
    for plugin in config.pluginmanager.get_plugins():
        file = getattr(plugin, "__file__", None)
        uses_this = getattr(plugin, "pytest_sessionfinish", None) is pytest_sessionfinish
        if file is not None and uses_this and Path(file).name == "conftest.py":
            yield Path(file).resolve().parent
