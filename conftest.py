"""How the tests of all folders are run beside each other: "How the suite runs" in CONTRIBUTING.md.

No test needs it: those of a distribution also run without it, against its wheel.
"""

from __future__ import annotations

import compileall
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import ENGINES, STARTS

ROOT = Path(__file__).parent
_own_file = pytest.StashKey[bool]()

# Each worker would compile all tests, and each server all sources, where PYTHONDONTWRITEBYTECODE is
# set: it took longer than many of the tests.
sys.dont_write_bytecode = False


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --engine."""
    help = "run tests of engines on this one, whatever their module says; may be repeated"
    parser.addoption("--engine", action="append", choices=ENGINES, help=help)


def pytest_configure(config: pytest.Config) -> None:
    """Compile what servers import, and make a file where their starts are noted."""
    if not hasattr(config, "workerinput"):
        for folder in (*ROOT.glob("packages/*/src"), ROOT / "tests"):
            compileall.compile_dir(folder, quiet=2)
    config.stash[_own_file] = STARTS not in os.environ
    if config.stash[_own_file]:
        handle, path = tempfile.mkstemp(prefix="atila-starts-")
        os.close(handle)
        # The workers of pytest-xdist inherit it.
        os.environ[STARTS] = path


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    if config.stash.get(_own_file, False):
        Path(os.environ.pop(STARTS)).unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many servers were started."""
    lines = Path(os.environ[STARTS]).read_text().splitlines()
    if counts := Counter(line.split()[0] for line in lines):
        each = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        terminalreporter.write_line(f"servers started: {len(lines)} ({each})")


# Distribution to workers --------------------------------------------------------------------------

SERVED = {"engine", "mongodb", "postgresql", "server"}
"""Fixtures with which a test needs a server in another process."""
DEAR = ("server", "postgresql", "upstream")
"""Fixtures whose start takes long: tests that share one go to one worker."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Of `-n auto`: more than there are cores, since tests mostly wait for servers."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put together what shares a fixture that is dear; what takes longest comes first, so that no
    worker is left alone at the end.
    """
    for item in items:
        if SERVED & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.served)
    # A worker has no option "dist", but knows of this one.
    if config.getoption("dist", "no") != "loadgroup" and not config.getoption("loadgroup", False):
        return
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(_group(item), []).append(item)
    for name, members in groups.items():
        for item in members:
            item.add_marker(pytest.mark.xdist_group(name))
    ordered = sorted(groups.values(), key=_rank)
    items[:] = [item for members in ordered for item in members]


def _group(item: pytest.Item) -> str:
    name = item.nodeid.partition("::")[0]
    if not isinstance(item, pytest.Function):
        return name
    fixtures = item._fixtureinfo.name2fixturedefs
    for dear in DEAR:
        if dear in fixtures and fixtures[dear][-1].scope != "function":
            # Where it is defined: a module, or a folder whose modules share it.
            name = fixtures[dear][-1].baseid
            if not name.endswith(".py"):
                # That of tests/engines is of the script that a module names.
                name += (
                    f" {getattr(item.module, 'SCRIPT', '')} {getattr(item.module, 'WORKERS', '')}"
                )
            break
    engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
    return f"{name}+{engine}" if engine else name


def _rank(items: list[pytest.Item]) -> tuple[int, int]:
    if any(item.get_closest_marker("slow") for item in items):
        return 0, 0
    served = any(item.get_closest_marker("engine") for item in items)
    return 1 if served else 2, -len(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> Iterator[None]:
    """Make a report such as pytest-xdist can send, and its name such as pytest takes."""
    # Half a surrogate pair may be logged, but not be sent.
    report.sections = [(name, _encodable(text)) for name, text in report.sections]
    name, _, group = report.nodeid.rpartition("@")
    if hasattr(report, "node") and name and "]" not in group:
        report.nodeid = name
    return (yield)


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
