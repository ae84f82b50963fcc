"""How the tests of all folders are run beside each other: "How the suite runs" in CONTRIBUTING.md.

No test needs it: those of a distribution also run without it, against its wheel.
"""

from __future__ import annotations

import compileall
import functools
import gc
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from httpx._transports import default as transports
from support import forkserver
from support.servers import ENGINES, STARTS
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent
MOST = 100
_own_file = pytest.StashKey[bool]()
_group_file = pytest.StashKey[Path]()

# Each worker would compile all tests, and each server all sources, where PYTHONDONTWRITEBYTECODE is
# set: it took longer than many of the tests.
sys.dont_write_bytecode = False
# What jsonschema checks IRIs by, which no test needs, makes a grammar when it is imported. That
# takes each worker some seconds.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
# Each client of httpx would read all certificates of the system: 20 ms, for thousands of tests.
transports.create_ssl_context = functools.cache(transports.create_ssl_context)
# How long one value takes is no matter of it, and others may have the processor meanwhile.
hypothesis.settings.register_profile(
    "patient",
    hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")
# Most of what there is when the tests begin stays: the collector would look through it in vain.
gc.disable()


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """What reads a launch script leaves it as `__main__`, which children of multiprocessing import:
    a process pool of a later test would serve it.
    """
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Servers are forked but for what measures them."""
    marks = (item.get_closest_marker(name) for name in ("few", "measures", "memory"))
    forkserver.is_used = not any(marks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options --engine and --slowest."""
    help = "run tests of engines on this one, whatever their module says; may be repeated"
    parser.addoption("--engine", action="append", choices=ENGINES, help=help)
    help = f"write the durations of the {MOST} slowest tests to a file, with those already there"
    parser.addoption("--slowest", type=Path, metavar="FILE", help=help)


def pytest_configure(config: pytest.Config) -> None:
    """Compile what servers import, and make a file where their starts are noted."""
    if not hasattr(config, "workerinput"):
        for folder in (*ROOT.glob("packages/*/src"), ROOT / "tests"):
            compileall.compile_dir(folder, quiet=2)
    config.stash[_own_file] = STARTS not in os.environ
    if config.stash[_own_file]:
        # The workers of pytest-xdist inherit it.
        os.environ[STARTS] = _empty_file("starts")
        # Plugins that come with what some tests need would double the start of each pytest that
        # tests start; whoever uses the framework does not have them.
        os.environ["PYTEST_ADDOPTS"] = "-p no:schemathesis -p no:faker"
    config.stash[_group_file] = Path(_empty_file("groups"))


def _empty_file(name: str) -> str:
    handle, path = tempfile.mkstemp(prefix=f"atila-{name}-")
    os.close(handle)
    return path


def pytest_collection_finish() -> None:
    """From now on the collector looks through what tests make."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the files."""
    config.stash[_group_file].unlink(missing_ok=True)
    if config.stash.get(_own_file, False):
        Path(os.environ.pop(STARTS)).unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many servers were started."""
    lines = Path(os.environ[STARTS]).read_text().splitlines()
    if counts := Counter(line.split()[0] for line in lines):
        each = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        terminalreporter.write_line(f"servers started: {len(lines)} ({each})")
    if file := terminalreporter.config.getoption("slowest"):
        _write_slowest(file, terminalreporter)
        terminalreporter.write_line(f"slowest tests: {file}")


def _write_slowest(file: Path, terminalreporter: pytest.TerminalReporter) -> None:
    """Of all phases of all tests, as `--durations` shows them."""
    lines = [line for line in file.read_text().splitlines() if line] if file.exists() else []
    for reports in terminalreporter.stats.values():
        lines += [
            f"{report.duration:8.2f} s {report.when:8} {report.nodeid}"
            for report in reports
            if isinstance(report, pytest.TestReport)
        ]
    file.parent.mkdir(exist_ok=True)
    slowest = sorted(set(lines), key=lambda line: -float(line.split()[0]))[:MOST]
    file.write_text("\n".join(slowest) + "\n")


# Distribution to workers --------------------------------------------------------------------------

SERVED = {"engine", "mongodb", "postgresql", "server"}
"""Fixtures with which a test needs a server in another process."""
DEAR = ("server", "postgresql", "upstream")
"""Fixtures whose start takes long: tests that share one go to one worker."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Of `-n auto`: more than there are cores, since tests mostly wait for servers."""
    cores = os.cpu_count() or 1
    return 2 * cores if config.option.numprocesses == "logical" else 3 * cores


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Of `--dist loadscope`: what is a scope is said by `_group`.

    `--dist loadgroup` would do the same by marks, but appends them to names of tests.
    """
    return ByGroup(config, log) if config.getoption("dist") == "loadscope" else None


class Collection(list[str]):
    """Names of tests, each of which is looked for."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self._places = {name: place for place, name in enumerate(names)}

    def index(self, name: str, *_: Any) -> int:
        """Where a name is."""
        return self._places[name]


class ByGroup(LoadScopeScheduling):
    """Gives all tests of a group to one worker."""

    _groups: dict[str, str] | None = None

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        super().add_node_collection(node, Collection(collection))

    def _assign_work_unit(self, node: Any) -> None:
        if node.gateway.id == "gw0":
            # What waits for no server comes last, and uses the time in which the others wait.
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        """Give a worker two tests at least: it starts one when it knows the next, so one alone
        would wait for ever.
        """
        # What replaces a crashed worker collects first.
        if node in self.registered_collections:
            super()._reschedule(node)
            while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
                super()._reschedule(node)

    def remove_node(self, node: Any) -> str | None:
        """Of a crashed worker, give what is left to others, without the test that crashed it."""
        units = self.assigned_work.pop(node)
        left = [name for unit in units.values() for name, is_done in unit.items() if not is_done]
        if not left:
            return None
        units[self._split_scope(left[0])][left[0]] = True
        # Without the groups that are done, which others would be given as no tests at all.
        self.workqueue.update((name, u) for name, u in units.items() if not all(u.values()))
        for other in self.assigned_work:
            self._reschedule(other)
        return left[0]

    def _split_scope(self, nodeid: str) -> str:
        if self._groups is None:
            # The first worker has written it when it has collected, and so have the others by now.
            self._groups = json.loads(self.config.stash[_group_file].read_text())
        return self._groups[nodeid]


def pytest_configure_node(node: Any) -> None:
    """Say to a worker where the groups are to be written."""
    node.workerinput["groups"] = str(node.config.stash[_group_file])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Put together what shares a fixture that is dear; what takes longest comes first, so that no
    worker is left alone at the end.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SERVED & fixtures or item.nodeid.startswith("tests/engines/"):
            item.add_marker(pytest.mark.served)
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.thorough)
    # Others leave out what is not selected.
    yield
    if worker := getattr(config, "workerinput", None):
        groups: dict[str, list[pytest.Item]] = {}
        for item in items:
            groups.setdefault(_group(item), []).append(item)
        items[:] = [item for members in sorted(groups.values(), key=_rank) for item in members]
        if worker["workerid"] == "gw0":
            names = {item.nodeid: name for name, members in groups.items() for item in members}
            Path(worker["groups"]).write_text(json.dumps(names))


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
                name += "".join(f" {getattr(item.module, n, '')}" for n in ("SCRIPT", "WORKERS"))
            break
    engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
    return f"{name} {engine}" if engine else name


def _rank(items: list[pytest.Item]) -> tuple[int, int]:
    slow, served, waits = (
        any(item.get_closest_marker(mark) for item in items) for mark in ("slow", "served", "waits")
    )
    if slow or (served and waits):
        return 0, 0
    return (1 if served else 2 if waits else 3), -len(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> Iterator[None]:
    """Make a report such as pytest-xdist can send: half a surrogate pair may only be logged."""
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return (yield)
