"""What tests of all folders here share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.servers import Server

_LOG_TAIL = 6000
_log_starts = pytest.StashKey[dict[str, int]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    item.stash[_log_starts] = {name: len(server.log()) for name, server in _servers(item)}
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what the servers of a failed test wrote while it ran."""
    report = yield
    if report.when == "call" and report.failed:
        starts = item.stash.get(_log_starts, {})
        for name, server in _servers(item):
            log = server.log()[starts.get(name, 0) :]
            report.sections.append((f"log of {server.engine}", log[-_LOG_TAIL:]))
    return report


def _servers(item: pytest.Item) -> list[tuple[str, Server]]:
    arguments = getattr(item, "funcargs", {})
    return [(name, value) for name, value in arguments.items() if isinstance(value, Server)]
