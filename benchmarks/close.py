"""Ratios that are near what was aimed at: ``python -m benchmarks.close --name cpython-3.13-close``.

All servers of a case are alive, and asked in turn, by wrk in slices of a tenth of a second, so that
whatever else the machine does hits all of them alike. A figure is the median of many starts, since
each start has its own places in memory, and with them its own speed. Figures go to
results/NAME.json, for ``benchmarks.reach``.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, slices
from benchmarks.cases import CASES, Case
from benchmarks.contestants import BY_NAME
from benchmarks.load import BuiltIn, Load, Tool, Wrk, WrongAnswer, choose_tool, fetch_right_answer
from benchmarks.memory import seconds_between, snapshot
from benchmarks.options import RESULTS
from benchmarks.servers import Server, running

CONNECTIONS = 64
SECONDS = 1.0
WARM_UP_SECONDS = 0.5

BARE, DUTY = "raw-rsgi", "raw-rsgi-duty"
OURS = ("atila-granian-inline", "atila-granian-async")
GROUPS = {
    **dict.fromkeys(("plain", "params", "json"), (BARE, DUTY, *OURS, "blacksheep-granian")),
    "typed": (DUTY, *OURS, "fastapi-async"),
}
"""Who is compared at each case."""

STARTS = {"json": 10, "typed": 10}
"""How often each server is started at most, where all are far from their bars."""

Figures = dict[str, list[float]]
"""The figures of one contestant at one case, by their key: one of each start."""


def main() -> int:
    """Measure all groups, and write the figures down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.close", description=__doc__)
    parser.add_argument("--starts", type=int, default=30, help="of each server; default 30")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--name", default="close")
    options = parser.parse_args()
    tool, described = choose_tool(), machine.describe()
    loads, found = [described["load"]], {}
    for case in CASES:
        if case.name in GROUPS:
            starts = min(options.starts, STARTS.get(case.name, options.starts))
            found[case.name] = compare(case, GROUPS[case.name], tool, starts, SECONDS)
            loads.append(round(os.getloadavg()[0], 2))
    ran = [
        BY_NAME[name] for name in dict.fromkeys(name for each in found.values() for name in each)
    ]
    report = {
        "machine": described,
        "load": {
            "tool": tool.version(),
            "connections": CONNECTIONS,
            "seconds": SECONDS,
            "machine_load": loads,
        },
        "versions": machine.versions_of(ran),
        "cases": {},
        "memory_mib": {},
        "close": found,
    }
    (options.output / f"{options.name}.json").write_text(json.dumps(report) + "\n")
    return 0


def compare(
    case: Case, names: Sequence[str], tool: Tool, starts: int, seconds: float
) -> dict[str, Figures]:
    """The figures of each contestant at one case.

    Args:
        case: what is asked for.
        names: the contestants.
        tool: the load generator.
        starts: how often each server is started.
        seconds: how long each is asked then.

    Raises:
        WrongAnswer: a server gave an answer that is not the expected one.
    """
    found: dict[str, Figures] = {name: {"cpu_us": [], "rps": []} for name in names}
    for number in range(starts):
        with ExitStack() as alive:
            servers = {name: alive.enter_context(running(BY_NAME[name])) for name in names}
            for name, server in servers.items():
                body = fetch_right_answer(server.port, case)
                warmed = BuiltIn().run(server.port, case, body, CONNECTIONS, WARM_UP_SECONDS)
                if warmed.errors:
                    raise WrongAnswer(f"{name}, while it warmed up: {warmed.errors}")
            in_turn = {name: servers[name] for name in _in_turn(names, number)}
            if tool.name == Wrk.name:
                loads = slices.ask(case, in_turn, CONNECTIONS, seconds)
            else:
                loads = {
                    name: _asked(case, server, tool, seconds) for name, server in in_turn.items()
                }
            for name, load in loads.items():
                if load.errors:
                    raise WrongAnswer(f"{name}: {load.errors}\n{servers[name].log_tail()}")
                found[name]["cpu_us"].append(round(load.cpu_us, 2))
                found[name]["rps"].append(round(load.rps, 1))
        shown = {name: f"{loads[name].cpu_us:.1f}" for name in names}
        print(case.name, f"start {number + 1}/{starts}", shown, file=sys.stderr, flush=True)
    return found


def _in_turn(names: Sequence[str], first: int) -> Iterator[str]:
    """All of them, each time with another at the begin."""
    return (names[(first + each) % len(names)] for each in range(len(names)))


def _asked(case: Case, server: Server, tool: Tool, seconds: float) -> Load:
    body = fetch_right_answer(server.port, case)
    before = snapshot(server.pid)
    load = tool.run(server.port, case, body, CONNECTIONS, seconds)
    return replace(load, cpu=seconds_between(before, snapshot(server.pid)))


def ratio(figures: Mapping[str, Any], ours: str, other: str, key: str) -> float | None:
    """How many times as much the other has of a figure as ours, at one case; nothing if one of them
    was not measured. Of requests per second it is ours by the other's.

    Args:
        figures: what `compare` gave.
        ours: a contestant.
        other: another one.
        key: "cpu_us" or "rps".
    """
    if not {ours, other} <= figures.keys() or key not in figures[ours]:
        return None
    above, below = (ours, other) if key == "rps" else (other, ours)
    return median(figures[above][key]) / median(figures[below][key])


if __name__ == "__main__":
    sys.exit(main())
