"""The benchmark's own arithmetic, and that what it says of its results is what is in them."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from shutil import which

import pytest

from atila.testing.waits import wait_until
from benchmarks import close, memory, overview, reach, recorded
from benchmarks.cases import CASES
from benchmarks.contestants import BY_NAME, CONTESTANTS
from benchmarks.generator import Generator
from benchmarks.load import BuiltIn, Load, Wrk
from benchmarks.measure import Results, Series
from benchmarks.options import RESULTS
from benchmarks.summary import figures_of

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"

BURN = "import sys; sys.stdin.readline(); sum(i * i for i in range(3_000_000)); print(flush=True)"
PARENT = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); "
    "child.wait(); sys.stdin.read()"
)


def test_processor_time_is_that_of_the_whole_process_tree():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, BURN + "; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        wait_until(lambda: len(memory.snapshot(parent.pid)) == 2, what="the child")
        before = memory.snapshot(parent.pid)
        started = time.monotonic()
        parent.stdin.write("go\n")
        parent.stdin.flush()
        parent.stdout.readline()
        after = memory.snapshot(parent.pid)
        elapsed = time.monotonic() - started
    finally:
        parent.stdin.close()
        parent.wait()
        parent.stdout.close()

    # The parent does nothing: all of it is the child's.
    spent = memory.seconds_between(before, after)
    assert after[parent.pid].cpu - before[parent.pid].cpu < spent / 2
    assert 0 < spent <= elapsed + 0.05


def test_processor_time_for_one_answer():
    assert Load(2000, 1000.0, 1.0, 2.0, cpu=0.05).cpu_us == pytest.approx(25.0)
    assert Load(0, 0.0, 0.0, 0.0, cpu=0.05).cpu_us == 0.0


def test_a_figure_is_the_median_and_the_ratio_that_of_medians():
    def series(*microseconds: float) -> Series:
        return Series([Load(1_000_000, 1000.0, 1.0, 2.0, cpu=one) for one in microseconds])

    results = Results(
        {
            "atila-granian": {"plain": series(30, 20, 90)},
            "falcon-granian": {"plain": series(45, 10, 60)},
        },
        {},
        {},
    )
    figures = figures_of(results)["plain"]

    assert list(figures) == ["atila-granian", "falcon-granian"]
    assert figures["atila-granian"].cpu_us == pytest.approx(30)
    assert figures["atila-granian"].cpu_rounds == [30, 20, 90]
    assert figures["atila-granian"].cpu_ratios == {"falcon-granian": pytest.approx(1.5)}


def test_the_generator_sends_the_body_of_a_case():
    typed = next(case for case in CASES if case.name == "typed")
    request = Generator(("127.0.0.1", 80), typed.path, b"", 1, typed.body).request

    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /typed HTTP/1.1\r\n")
    assert f"Content-Length: {len(typed.body)}".encode() in head
    assert body == typed.body
    assert 900 < len(body) < 1200
    assert typed.is_right(body)


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda one: one.name)
def test_the_app_of_a_contestant_is_there(contestant):
    words = shlex.split(contestant.command.format(port=1))
    modules = [re.split("[:]", word)[0] for word in words if word.startswith("benchmarks.apps.")]
    scripts = [word for word in words if word.startswith("benchmarks/apps/")]

    assert len(modules) + len(scripts) == 1
    for module in modules:
        assert importlib.util.find_spec(module) is not None
    for script in scripts:
        assert (ROOT / script).is_file()


def test_every_contestant_of_a_case_and_of_the_bars_is_known():
    known = {one.name for one in CONTESTANTS}
    for case in CASES:
        assert case.among <= known
        assert set(case.bases) <= known
    for bar in reach._bars():
        assert {bar.ours, bar.other, bar.limit} <= known
        assert all(
            case.is_for(name)
            for case in CASES
            if case.name in bar.cases
            for name in (bar.ours, bar.other, bar.limit)
        )
    assert set(reach.PEERS) | set(reach.NAMES) <= known


def test_the_readme_has_the_table_that_the_results_make():
    text = reach.README.read_text(encoding="utf-8")
    pythons = recorded.read()

    assert pythons
    assert reach.insert(text, reach.table(pythons)) == text


def test_the_overview_is_drawn_of_the_results_and_shows_ours_apart():
    pythons = recorded.read()
    drawn = overview.draw(pythons)

    assert (RESULTS / "overview.svg").read_text(encoding="utf-8") == drawn
    tree = ElementTree.fromstring(drawn)
    labels = [element.text for element in tree.iter(f"{SVG}text")]
    for name in reach.NAMES:
        label = next(one.label for one in CONTESTANTS if one.name == name)
        assert labels.count(label) == len(pythons)
    bars = [one.get("class") for one in tree.iter(f"{SVG}rect")]
    # One more in the legend.
    assert bars.count("ours") == len(reach.NAMES) * len(pythons) + 1


def _recorded(folder: Path, python: str, figures: dict[str, float]) -> None:
    run = {
        "machine": {"python": f"CPython {python}"},
        "cases": {
            case: {
                "figures": {
                    name: {"cpu_us": value, "rps": 1e6 / value, "p99_ms": value}
                    for name, value in figures.items()
                }
            }
            for case in reach.SMALL
        },
        "memory_mib": {},
    }
    (folder / f"cpython-{python}.json").write_text(json.dumps(run))


def test_all_machines_of_a_python_are_named():
    load = {"tool": "wrk 4.1.0", "connections": 64, "machine_load": [0.5]}
    runs = [
        {
            "machine": {"processor": processor, "cores": 2, "system": "Linux 6"},
            "load": load,
            "versions": {},
        }
        for processor in ("One", "Other", "One")
    ]
    said = reach._conditions(recorded.Recorded("CPython 3.11.1", runs))

    assert "One, 2 cores, Linux 6 and Other, 2 cores, Linux 6, load 0.5" in said


def test_a_ratio_is_of_servers_asked_in_turn_where_there_are_any(tmp_path):
    starts = {"ours": {"cpu_us": [10.0, 20.0, 10.0]}, "one": {"cpu_us": [11.0, 26.0, 12.0]}}
    run = {"machine": {"python": "CPython 3.11.1"}, "cases": {}, "close": {"plain": starts}}
    (tmp_path / "cpython-3.11.1-close.json").write_text(json.dumps(run))
    _recorded(tmp_path, "3.11.1", {"ours": 20.0, "one": 30.0, "two": 40.0})
    (joined,) = recorded.read(tmp_path)

    assert joined.ratio("plain", "ours", "one") == pytest.approx(1.2)
    assert joined.ratio("plain", "ours", "one", "rps") == pytest.approx(1.5)
    assert joined.ratio("plain", "ours", "two") == 2.0
    assert joined.ratio("json", "ours", "one") == 1.5
    assert joined.figure("plain", "ours")["cpu_us"] == 20.0


@pytest.mark.parametrize(
    "tool",
    [
        BuiltIn(),
        pytest.param(
            Wrk(), marks=pytest.mark.skipif(which("wrk") is None, reason="wrk is missing")
        ),
    ],
)
@pytest.mark.parametrize("name", ["plain", "typed"])
def test_servers_are_asked_in_turn(tool, name):
    asked = next(case for case in CASES if case.name == name)
    found = close.compare(asked, ("raw-rsgi", "atila-granian-inline"), tool, 2, 1.0)

    assert close.ratio(found, "atila-granian-inline", "raw-rsgi", "cpu_us") > 0
    for starts in found.values():
        for figures in starts.values():
            assert len(figures) == 2
            assert all(figure > 0 for figure in figures)
    assert {name for names in close.GROUPS.values() for name in names} <= set(BY_NAME)


def test_a_bar_is_met_only_where_every_python_meets_it(tmp_path):
    bar = next(reach._bars())
    _recorded(tmp_path, "3.9.1", {bar.ours: 20.0, bar.other: 30.0})
    _recorded(tmp_path, "3.11.1", {bar.ours: 20.0, bar.other: 30.0})
    both = recorded.read(tmp_path)
    assert [one.python for one in both] == ["CPython 3.9.1", "CPython 3.11.1"]
    assert reach._row_of(bar, both).endswith("| **met** |")
    assert "1.50 / 1.50 / 1.50 (1.50 / 1.50 / 1.50)" in reach._row_of(bar, both)

    _recorded(tmp_path, "3.11.1", {bar.ours: 40.0, bar.other: 30.0})
    assert reach._row_of(bar, recorded.read(tmp_path)).endswith("| not met (3 of 6 met) |")
    _recorded(tmp_path, "3.11.1", {bar.ours: 40.0, bar.other: 30.0, bar.limit: 29.0})
    assert reach._row_of(bar, recorded.read(tmp_path)).endswith("| not met (3 of 6 met) |")
    _recorded(tmp_path, "3.11.1", {bar.ours: 40.0, bar.other: 30.0, bar.limit: 31.0})
    assert reach._row_of(bar, recorded.read(tmp_path)).endswith("| out of reach (3 of 6 met) |")
    _recorded(tmp_path, "3.11.1", {bar.ours: 40.0})
    assert reach._row_of(bar, recorded.read(tmp_path)).endswith("| met where measured |")
    for file in tmp_path.iterdir():
        file.unlink()
    _recorded(tmp_path, "3.11.1", {})
    assert reach._row_of(bar, recorded.read(tmp_path)).endswith("| not measured |")
