"""The results as a table for people and as JSON for programs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from benchmarks.contestants import BY_NAME, RAW_LIMIT
from benchmarks.options import Options
from benchmarks.routing import Routing
from benchmarks.summary import Figures, MemoryFigure

SCHEMA = 2
SATURATED = 0.85
"""Share of a core from which on the load generator may be what limits a figure."""
FEWEST_ROUNDS = 3
STEADY = 0.25
"""Spread up to which a figure is taken as steady."""


@dataclass(slots=True)
class Report:
    """All that is known after a run."""

    started: datetime
    options: Options
    machine: dict[str, Any]
    versions: dict[str, str]
    figures: Figures
    memory: dict[str, MemoryFigure]
    routing: list[Routing]
    failures: list[dict[str, Any]]
    machine_loads: list[float]

    def to_json(self) -> dict[str, Any]:
        """Plain data for the file of results."""
        options = self.options
        return {
            "schema": SCHEMA,
            "started": self.started.isoformat(timespec="seconds"),
            "machine": self.machine,
            "load": {
                "tool": options.tool.version(),
                "connections": options.connections,
                "seconds": options.duration,
                "warm_up_seconds": options.warm_up,
                "rounds": options.rounds,
                "machine_load": self.machine_loads,
            },
            "versions": self.versions,
            "contestants": {
                one.name: {"label": one.label, "kind": one.kind, "command": one.command}
                for one in options.contestants
            },
            "cases": {
                case.name: {
                    "title": case.title,
                    "path": case.path,
                    "figures": {
                        name: asdict(one) for name, one in self.figures.get(case.name, {}).items()
                    },
                }
                for case in options.cases
            },
            "memory_mib": {name: asdict(one) for name, one in self.memory.items()},
            "routing": [asdict(one) for one in self.routing],
            "failures": self.failures,
        }

    def to_text(self) -> str:
        """The table for a terminal."""
        parts = (
            self._heading(),
            self._tables(),
            self._memory_table(),
            self._routing_table(),
            self._warnings(),
            self._failure_list(),
        )
        return "\n".join(line for part in parts for line in part)

    def _heading(self) -> Iterator[str]:
        options, machine = self.options, self.machine
        yield f"{machine['processor']}, {machine['cores']} cores, {machine['python']}"
        yield (
            f"{options.tool.version()}, {options.connections} connections,"
            f" {options.duration:g} s a measurement, median of {options.rounds} rounds,"
            " one worker process each"
        )
        loads = self.machine_loads
        if loads:
            yield f"load of the machine while it was measured: {min(loads)} to {max(loads)}"
        yield "µs is processor time of the server for one answer; so are the columns of ratios"

    def _tables(self) -> Iterator[str]:
        for case in self.options.cases:
            bases = "".join(f"{_column_of(base):>20}" for base in case.bases)
            yield ""
            yield f"{case.name}: {case.title}, {case.method} {case.path}"
            heads = f"{'µs':>8}{'requests/s':>12}{'spread':>8}{'p50 ms':>8}{'p99 ms':>8}"
            yield f"  {'':22}{heads}{bases}"
            for name, one in self.figures.get(case.name, {}).items():
                ratios = "".join(f"{_ratio(one.cpu_ratios.get(base)):>20}" for base in case.bases)
                yield (
                    f"{_mark(name)} {name:22}{one.cpu_us:8.1f}{one.rps:12,.0f}{one.spread:8.0%}"
                    f"{one.p50_ms:8.2f}{one.p99_ms:8.2f}{ratios}"
                )

    def _memory_table(self) -> Iterator[str]:
        if not self.memory:
            return
        yield ""
        yield "memory: resident MiB after the first answers and after the load"
        yield f"  {'':22}{'worker':>10}{'loaded':>10}{'all processes':>16}{'loaded':>10}"
        for name, one in sorted(self.memory.items(), key=lambda item: item[1].worker_before):
            yield (
                f"{_mark(name)} {name:22}{one.worker_before:10.1f}{one.worker_after:10.1f}"
                f"{one.tree_before:16.1f}{one.tree_after:10.1f}"
            )

    def _routing_table(self) -> Iterator[str]:
        if not self.routing:
            return
        yield ""
        yield "routing: time to find a route"
        for one in self.routing:
            yield f"  {one.routes:6,} routes {one.lookup_ns:10,.0f} ns a lookup"

    def _warnings(self) -> Iterator[str]:
        warnings = list(self._doubts())
        if warnings:
            yield ""
            yield from (f"note: {warning}" for warning in warnings)

    def _doubts(self) -> Iterator[str]:
        """What a reader should know before relying on the figures."""
        if self.options.rounds < FEWEST_ROUNDS:
            yield f"fewer than {FEWEST_ROUNDS} rounds: not figures to quote"
        if self.machine["load"] > 0.25 * self.machine["cores"]:
            yield (
                f"the machine was busy when the run began (load {self.machine['load']}):"
                " rely on processor time, not on requests per second"
            )
        figures = [one for figures in self.figures.values() for one in figures.values()]
        unsteady = sum(one.spread > STEADY for one in figures)
        if unsteady:
            yield f"{unsteady} figures spread by more than {STEADY:.0%}: run again when all is idle"
        share = max((one.client_cpu or 0.0 for one in figures), default=0.0)
        if share > SATURATED:
            yield (
                f"the load generator used up to {share:.0%} of a core:"
                " the fastest servers may be faster than shown"
            )

    def _failure_list(self) -> Iterator[str]:
        for failure in self.failures:
            yield ""
            case = failure["case"] or "server"
            yield f"FAILED: {failure['contestant']}, {case}, {failure['times']} time(s)"
            yield from (f"    {line}" for line in failure["reason"].splitlines())


def _mark(name: str) -> str:
    return "*" if BY_NAME[name].kind == "ours" else " "


def _column_of(base: str) -> str:
    return "vs limit" if base == RAW_LIMIT else f"vs {base}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"
