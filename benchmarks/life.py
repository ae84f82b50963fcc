"""What single requests do not show: ``python -m benchmarks.life --name cpython-3.13-life``.

The start of a server to its first answer, its memory after 10,000 and after 1,000,000 requests, and
what a second worker adds; then, by ``benchmarks.waiting`` and ``benchmarks.websockets``, calls of
another server and WebSockets. Figures go to results/NAME.json, for ``benchmarks.reach``.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, waiting, websockets
from benchmarks.cases import CASES, Case
from benchmarks.contestants import BY_NAME, Contestant
from benchmarks.load import Tool, choose_tool, fetch_right_answer
from benchmarks.memory import seconds_between, snapshot
from benchmarks.options import RESULTS
from benchmarks.servers import Server, running

OURS, FASTAPI, BARE = "atila-granian", "fastapi-async", "raw-rsgi"
FEW, MANY = 10_000, 1_000_000
CONNECTIONS = 64
MIB = 2**20

PLAIN: Case = next(case for case in CASES if case.name == "plain")

Part = Callable[[Tool, int], dict[str, Any]]


def main() -> int:
    """Measure what was asked for, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.life", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--name", default="life")
    options = parser.parse_args()
    tool, described = choose_tool(), machine.describe()
    found: dict[str, Any] = {}
    for name in options.parts.split(","):
        print(name, file=sys.stderr)
        found[name] = PARTS[name](tool, options.rounds)
        print(json.dumps(found[name]), file=sys.stderr)
    ran = [BY_NAME[name] for name in (OURS, FASTAPI, BARE)] + [*waiting.CONTESTANTS]
    report = {
        "machine": described,
        "load": {
            "tool": tool.version(),
            "connections": CONNECTIONS,
            "machine_load": [described["load"], machine.describe()["load"]],
        },
        "versions": machine.versions_of(ran),
        "cases": {},
        "memory_mib": {},
        "life": found,
    }
    (options.output / f"{options.name}.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0


def interleaved(
    contestants: Sequence[Contestant], rounds: int, measure: Callable[[Contestant], float]
) -> dict[str, float]:
    """The median of each contestant's figures, of rounds over all of them."""
    found: dict[str, list[float]] = {each.name: [] for each in contestants}
    for _ in range(rounds):
        for each in contestants:
            found[each.name].append(measure(each))
    return {name: median(figures) for name, figures in found.items()}


def start(tool: Tool, rounds: int) -> dict[str, Any]:
    """Seconds until the first answer, and processor seconds up to it."""
    seconds: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in (OURS, FASTAPI):
            began = time.monotonic()
            with running(BY_NAME[name]) as server:
                fetch_right_answer(server.port, PLAIN)
                seconds.setdefault(name, []).append(time.monotonic() - began)
                used.setdefault(name, []).append(_cpu(server))
    return {
        "seconds": {name: median(figures) for name, figures in seconds.items()},
        "cpu_seconds": {name: median(figures) for name, figures in used.items()},
    }


def growth(tool: Tool, rounds: int) -> dict[str, Any]:
    """MiB of a worker after so many requests."""
    found: dict[str, dict[str, float]] = {}
    for name in (OURS, BARE):
        with running(BY_NAME[name]) as server:
            body, answered = fetch_right_answer(server.port, PLAIN), 0
            found[name] = {}
            for aim in (FEW, MANY):
                while answered < aim:
                    seconds = 1.0 if aim == FEW else 5.0
                    load = tool.run(server.port, PLAIN, body, CONNECTIONS, seconds)
                    answered += load.answered
                found[name][str(aim)] = _largest(server) / MIB
    return found


def workers(tool: Tool, rounds: int) -> dict[str, Any]:
    """Requests per second of two workers by those of one, and of a bare function likewise."""

    def rate(contestant: Contestant) -> float:
        with running(contestant) as server:
            body = fetch_right_answer(server.port, PLAIN)
            tool.run(server.port, PLAIN, body, CONNECTIONS, 0.5 if tool.name != "wrk" else 1.0)
            return tool.run(server.port, PLAIN, body, CONNECTIONS, 2.0).rps

    singles = [BY_NAME[name] for name in (OURS, BARE)]
    pairs = [
        replace(
            each, name=f"{each.name}-2", command=each.command.replace("--workers 1", "--workers 2")
        )
        for each in singles
    ]
    rates = interleaved([*singles, *pairs], rounds, rate)
    return {each.name: rates[f"{each.name}-2"] / rates[each.name] for each in singles}


def upstream(tool: Tool, rounds: int) -> dict[str, Any]:
    """Answers per second of handlers that wait for another server, and their processor time."""
    found: dict[str, list[waiting.Waiting]] = {each.name: [] for each in waiting.CONTESTANTS}
    with waiting.upstream():
        for _ in range(rounds):
            for each in waiting.CONTESTANTS:
                found[each.name].append(waiting.measure(each, 3.0))
    return {
        name: {
            "rps": median(one.rps for one in ones),
            "cpu_ms": median(one.cpu_ms for one in ones),
            "wave_s": median(one.wave_s for one in ones),
        }
        for name, ones in found.items()
    }


def sockets(tool: Tool, rounds: int) -> dict[str, Any]:
    """Bytes of an idle connection, echoes per second and processor time of an echo."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    chosen = list(websockets.CONTESTANTS)
    memory = websockets.run_memory(chosen, websockets.CONNECTIONS)
    echoes = websockets.run_echoes(chosen, rounds, 0.7)
    return {
        "idle_bytes": {name: each.idle for name, each in memory.items()},
        "rate": {name: median(one.rate for one in ones) for name, ones in echoes.items()},
        "cpu_us": {name: median(one.cpu for one in ones) for name, ones in echoes.items()},
    }


PARTS: dict[str, Part] = {
    "start": start,
    "growth": growth,
    "workers": workers,
    "upstream": upstream,
    "sockets": sockets,
}


def _cpu(server: Server) -> float:
    return seconds_between({}, snapshot(server.pid))


def _largest(server: Server) -> int:
    return max(usage.rss for usage in snapshot(server.pid).values())


if __name__ == "__main__":
    sys.exit(main())
