"""Serve all kinds of requests for long, and see whether memory or anything else rises.

    hatch run soak --engine granian --minutes 30
    hatch run soak --minutes 0.1                    all engines, without a verdict on memory

First the peak of this mix is measured, with as many requests as the clients manage; then the
engine is loaded with 80 % of it, or with `--share` or `--rate`. The exit code is 1 if an answer was
wrong or missing, or if a figure rises beyond its error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from support.servers import Server

from atila.testing.waits import wait_until
from benchmarks.machine import describe
from trials.chart import draw
from trials.options import parser, save
from trials.probe import Sample, sample
from trials.slopes import Slope, percentile, slope
from trials.stage import ENGINES, stage

PEAK_SECONDS = 8.0
LOAD = 0.8
CLIENTS = 40
SAMPLES = 300
"""At most, in a run."""
WARM = 0.4
"""The share of a run in which pools fill and caches warm up; slopes are of the rest."""
SHORT = 120.0
"""Seconds; a shorter run says nothing of slopes."""
MOST = {"unique": 0.5, "descriptors": 2.0, "threads": 0.5, "tasks": 1.0}
"""How much a figure may rise a minute: MiB of memory, or pieces."""
LEFT = 12
"""Descriptors more than at the beginning that may be open at the end: connections of databases."""


@dataclass
class Outcome:
    """One run.

    Attributes:
        slopes: of each figure, after warming up; empty for a run that is too short.
        wrong: what makes the run a failure, in words.
    """

    engine: str
    seconds: float
    peak: float
    rate: float
    done: dict[str, int]
    errors: dict[str, int]
    vanished: int
    latencies: list[tuple[float, float]]
    samples: list[Sample]
    before: Sample
    after: Sample
    slopes: dict[str, Slope] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def run(engine: str, seconds: float, rate: float | None, share: float = LOAD) -> Outcome:
    """One engine, with one worker."""
    with stage() as found, found.server(engine, 1) as server:
        # Connections of databases and threads are there after that.
        load(server, min(2.0, seconds), None)
        peak = load(server, min(PEAK_SECONDS, seconds), None)["rps"]
        wanted = min(share * peak, rate) if rate else share * peak
        before = sample(server, 0.0)
        samples: list[Sample] = []
        over = threading.Event()
        watching = threading.Thread(target=watch, args=(server, seconds, samples, over))
        watching.start()
        try:
            counted = load(server, seconds, wanted)
        finally:
            over.set()
            watching.join()
        after = settle(server, before)
    outcome = Outcome(
        engine,
        seconds,
        peak,
        counted["rps"],
        counted["done"],
        counted["errors"],
        counted["vanished"],
        counted["latencies"],
        samples,
        before,
        after,
    )
    judge(outcome)
    return outcome


def load(server: Server, seconds: float, rate: float | None) -> dict[str, Any]:
    """Have another process ask; what it tells."""
    command = [sys.executable, "-m", "trials.soak", "--load", str(server.port), str(seconds)]
    done = subprocess.run([*command, str(rate or 0)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    counted: dict[str, Any] = json.loads(done.stdout)
    return counted


def watch(server: Server, seconds: float, samples: list[Sample], over: threading.Event) -> None:
    """Take samples until it is over."""
    began = time.monotonic()
    step = max(seconds / SAMPLES, 1.0)
    while not over.wait(step):
        samples.append(sample(server, time.monotonic() - began))


def settle(server: Server, before: Sample) -> Sample:
    """What is left when nobody asks any more."""
    found = [sample(server, 0.0)]

    def settled() -> bool:
        found.append(sample(server, 0.0))
        return found[-1].descriptors <= before.descriptors + LEFT

    try:
        wait_until(settled, "descriptors closed", 20.0)
    except AssertionError:
        pass
    return found[-1]


def judge(outcome: Outcome) -> None:
    """Fill in slopes, and what is wrong."""
    for error, count in outcome.errors.items():
        outcome.wrong.append(f"{count} × {error}")
    if not sum(outcome.done.values()):
        outcome.wrong.append("nothing was answered")
    more = outcome.after.descriptors - outcome.before.descriptors
    if more > LEFT:
        outcome.wrong.append(f"{more} descriptors more than before are open in the end")
    if outcome.seconds < SHORT:
        return
    kept = [one for one in outcome.samples if one.at >= WARM * outcome.seconds]
    times = [one.at for one in kept]
    for name in ("resident", "unique", "descriptors", "threads", "tasks", "blocks", "objects"):
        outcome.slopes[name] = slope(times, [float(getattr(one, name)) for one in kept])
    for name, most in MOST.items():
        if outcome.slopes[name].rises(most):
            outcome.wrong.append(f"{name} rises: {outcome.slopes[name].text()}")


def windows(outcome: Outcome, count: int = 30) -> list[tuple[float, float, float]]:
    """The median and the 99th percentile of latencies in milliseconds, over time."""
    step = outcome.seconds / count
    found = []
    for number in range(count):
        here = [took for at, took in outcome.latencies if number * step <= at < (number + 1) * step]
        if here:
            middle = (number + 0.5) * step
            found.append((middle, 1e3 * percentile(here, 0.5), 1e3 * percentile(here, 0.99)))
    return found


def picture(outcome: Outcome) -> str:
    """Memory, descriptors, threads, tasks and latencies over time."""

    def line(name: str) -> list[tuple[float, float]]:
        return [(one.at, float(getattr(one, name))) for one in outcome.samples]

    over = windows(outcome)
    halves = [(at, half) for at, half, _ in over]
    tails = [(at, tail) for at, _, tail in over]
    return draw(
        f"Soak of {outcome.engine}: {outcome.rate:.0f} requests/s",
        [
            ("memory, MiB", [("resident", line("resident")), ("unique", line("unique"))]),
            ("descriptors", [("descriptors", line("descriptors"))]),
            ("threads and tasks", [("threads", line("threads")), ("tasks", line("tasks"))]),
            ("latency, ms", [("p50", halves), ("p99", tails)]),
        ],
    )


def section(outcome: Outcome) -> str:
    """Of one engine, for the report."""
    takes = [took for _, took in outcome.latencies]
    lines = [
        f"## {outcome.engine}\n",
        f"{outcome.seconds / 60:.1f} minutes, {sum(outcome.done.values()):,} requests answered,"
        f" {sum(outcome.errors.values())} wrong or missing, {outcome.vanished:,} clients vanished."
        f" Peak of the mix {outcome.peak:.0f}/s, load {outcome.rate:.0f}/s"
        f" ({100 * outcome.rate / outcome.peak:.0f} %)."
        f" Latency from when a request was due: p50 {1e3 * percentile(takes, 0.5):.1f} ms,"
        f" p99 {1e3 * percentile(takes, 0.99):.1f} ms,"
        f" longest {1e3 * max(takes, default=0):.0f} ms.\n",
        "| figure | before | after | slope ± standard error | may rise by |",
        "|---|---|---|---|---|",
    ]
    before, after = asdict(outcome.before), asdict(outcome.after)
    for name in ("resident", "unique", "descriptors", "threads", "tasks", "blocks", "objects"):
        rises = outcome.slopes[name].text() if name in outcome.slopes else "too short a run"
        allowed = f"{MOST[name]:g}/min" if name in MOST else ""
        lines.append(f"| {name} | {before[name]:,.0f} | {after[name]:,.0f} | {rises} | {allowed} |")
    lines.append("\n| kind | answered right |\n|---|---|")
    lines += [f"| {kind} | {count:,} |" for kind, count in sorted(outcome.done.items())]
    lines.append("")
    lines += [f"- **{one}**" for one in outcome.wrong] or ["Nothing was wrong, and nothing rises."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the command line; return the exit code."""
    if sys.argv[1:2] == ["--load"]:
        return load_only(*sys.argv[2:5])
    options = _options()
    outcomes = []
    pictures = {}
    parts = ["# Soak\n", _machine(options)]
    for engine in options.engine or ENGINES:
        outcome = run(engine, 60 * options.minutes, options.rate, options.share)
        outcomes.append(outcome)
        name = f"{options.name}-{engine}.svg"
        pictures[name] = picture(outcome)
        parts += [section(outcome), f"![{engine}]({name})\n" if options.report else ""]
    save(options.report, options.name, "\n".join(parts), pictures)
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    made = parser("soak", __doc__, 30)
    made.add_argument("--share", type=float, default=LOAD, help="of the peak that is loaded")
    made.add_argument("--rate", type=float, help="requests a second at most")
    made.add_argument("--name", default="soak", help="of the report's file")
    return made.parse_args()


def _machine(options: argparse.Namespace) -> str:
    about = describe()
    return (
        f"{time.strftime('%Y-%m-%d')}, {about['processor']}, {about['cores']} cores,"
        f" {about['python']}, load average at the beginning {about['load']}. {options.note}\n\n"
        f"One worker; {CLIENTS} clients in another process on the same machine, of which a tenth"
        " read slowly and a tenth vanish without a word. Memory is of all processes of the server;"
        " unique (USS) is what would be free without it. Slopes are of the last"
        f" {100 * (1 - WARM):.0f} % of the run.\n"
    )


def load_only(port: str, seconds: str, rate: str) -> int:
    """The other process: ask, and print what came of it as JSON."""
    from trials.clients import Clients

    clients = Clients(int(port), CLIENTS)
    rps = asyncio.run(clients.run(float(seconds), float(rate) or None))
    print(json.dumps({"rps": rps, **vars(clients.tally)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
