"""Servers that all tests of an engine share which have the same launch script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from support.servers import ENGINES, Server

from atila.testing.waits import PATIENCE

APPS = Path(__file__).with_name("apps")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "unable(engine, reason): this engine cannot, and why")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for `engine`, however indirectly, on all engines; in a module that
    says `engines = USUAL`, on these; or on those of the option --engine.
    """
    if "engine" not in metafunc.fixturenames:
        return
    reasons = {mark.args[0]: mark.args[1] for mark in metafunc.definition.iter_markers("unable")}
    parameters = []
    asked = metafunc.config.getoption("engine")
    chosen = asked or getattr(metafunc.module, "engines", ENGINES)
    for name in chosen:
        marks = [pytest.mark.engine(name)]
        if name in reasons:
            marks.append(pytest.mark.skip(reason=f"{name}: {reasons[name]}"))
        parameters.append(pytest.param(name, marks=marks))
    metafunc.parametrize("engine", parameters, scope="session")


MOST = 4
"""Servers that are kept for later tests."""


class Servers:
    """Servers that run, by what they were started with."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, Path, int], Server] = {}

    def of(self, engine: str, script: Path, workers: int = 1) -> Server:
        """One that runs already, or a new one; tests must leave it as they found it."""
        key = engine, script, workers
        server = self._running.pop(key, None)
        if server is None:
            if len(self._running) >= MOST:
                self._running.pop(next(iter(self._running))).stop()
            server = Server(engine, script, workers)
        # The one that was used last is the last to be stopped.
        self._running[key] = server
        return server

    def stop(self) -> None:
        """Stop all."""
        while self._running:
            self._running.popitem()[1].stop()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Those of this process."""
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def server(engine: str, servers: Servers, request: pytest.FixtureRequest) -> Server:
    """A server of the launch script that the module names SCRIPT, or of apps/main.py, with WORKERS
    workers, or one; shared by all modules that name the same.
    """
    script = getattr(request.module, "SCRIPT", APPS / "main.py")
    return servers.of(engine, script, getattr(request.module, "WORKERS", 1))


@pytest.fixture
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """An HTTP client that knows the server's address, and asks the app of the host that the module
    names HOST, where the launch script has several.
    """
    host = getattr(request.module, "HOST", None)
    headers = {"Host": host} if host else None
    with httpx.Client(base_url=server.url(""), headers=headers, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A name for notes and gates on the board that no other test uses."""
    return uuid4().hex[:12]
