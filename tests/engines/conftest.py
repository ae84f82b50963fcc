"""One server per engine, which all tests of that engine share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from support.servers import ENGINES, Server, serving

from atila.testing.waits import PATIENCE

APPS = Path(__file__).with_name("apps")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "unable(engine, reason): this engine cannot, and why")


ALL = "ATILA_ALL_ENGINES"
"""The environment variable that has all tests run on all engines, which takes long."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for `engine`, however indirectly, on all engines; in a module that
    says `engines = USUAL`, on these.
    """
    if "engine" not in metafunc.fixturenames:
        return
    reasons = {mark.args[0]: mark.args[1] for mark in metafunc.definition.iter_markers("unable")}
    parameters = []
    chosen = ENGINES if os.environ.get(ALL) else getattr(metafunc.module, "engines", ENGINES)
    for name in chosen:
        marks = [pytest.mark.engine(name)]
        if name in reasons:
            marks.append(pytest.mark.skip(reason=f"{name}: {reasons[name]}"))
        parameters.append(pytest.param(name, marks=marks))
    metafunc.parametrize("engine", parameters, scope="session")


@pytest.fixture(scope="session")
def server(engine: str) -> Iterator[Server]:
    """A server of apps/main.py with one worker; tests must leave it as they found it."""
    with serving(engine, APPS / "main.py") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """An HTTP client that knows the server's address."""
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A name for notes and gates on the board that no other test uses."""
    return uuid4().hex[:12]
