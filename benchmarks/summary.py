"""From measurements to the figures which are reported: medians, spreads and ratios."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.cases import CASES
from benchmarks.measure import Results, Series


@dataclass(frozen=True, slots=True)
class Figure:
    """One contestant at one case. Rates are requests per second, latencies milliseconds.

    ``spread`` is (best - worst) / median over the rounds. ``ratios`` compares medians with those
    of the bases: 2.0 means twice as many requests per second as that one. ``cpu_us`` is processor
    time of all processes of the server for one answer, in microseconds; in ``cpu_ratios`` 2.0 means
    that the base needs twice as much.
    """

    cpu_us: float
    cpu_rounds: list[float]
    rps: float
    rps_min: float
    rps_max: float
    spread: float
    p50_ms: float
    p99_ms: float
    rounds: list[float]
    client_cpu: float | None
    ratios: dict[str, float]
    cpu_ratios: dict[str, float]


@dataclass(frozen=True, slots=True)
class MemoryFigure:
    """Medians over the rounds, in MiB of resident memory."""

    worker_before: float
    worker_after: float
    tree_before: float
    tree_after: float


_BASES = {case.name: case.bases for case in CASES}

Figures = dict[str, dict[str, Figure]]
"""By case, then by contestant, the least processor time first."""


def figures_of(results: Results) -> Figures:
    """Every case with every contestant that has at least one good measurement of it."""
    cases = list(dict.fromkeys(case for series in results.series.values() for case in series))
    figures: Figures = {}
    for case in cases:
        good = {
            name: series[case]
            for name, series in results.series.items()
            if case in series and series[case].loads
        }
        rates = {name: _median_rate(series) for name, series in good.items()}
        times = {name: _median_cpu(series) for name, series in good.items()}
        bases = [base for base in _BASES[case] if rates.get(base)]
        figures[case] = {
            name: _figure(
                good[name],
                {base: rates[name] / rates[base] for base in bases},
                {base: times[base] / times[name] for base in bases if times[name]},
            )
            for name in sorted(good, key=lambda name: times[name])
        }
    return figures


def memory_of(results: Results) -> dict[str, MemoryFigure]:
    """Every contestant whose memory was seen before and after the load."""
    figures = {}
    for name, measured in results.memory.items():
        if measured:
            rows = [asdict(one) for one in measured]
            medians = {key: median(row[key] for row in rows) / 2**20 for key in rows[0]}
            figures[name] = MemoryFigure(**medians)
    return figures


def failures_of(results: Results) -> list[dict[str, Any]]:
    """Everything that went wrong, in no way hidden: contestant, case (if any), reason, times."""
    found: dict[tuple[str, str | None, str], int] = {}
    for name, reasons in results.server_failures.items():
        for reason in reasons:
            found[name, None, reason] = found.get((name, None, reason), 0) + 1
    for name, series in results.series.items():
        for case, one in series.items():
            for reason in one.failures:
                found[name, case, reason] = found.get((name, case, reason), 0) + 1
    return [
        {"contestant": name, "case": case, "reason": reason, "times": times}
        for (name, case, reason), times in found.items()
    ]


def _median_rate(series: Series) -> float:
    return median(load.rps for load in series.loads)


def _median_cpu(series: Series) -> float:
    return median(load.cpu_us for load in series.loads)


def _figure(series: Series, ratios: dict[str, float], cpu_ratios: dict[str, float]) -> Figure:
    loads = series.loads
    rates = [load.rps for load in loads]
    shares = [load.client_cpu for load in loads if load.client_cpu is not None]
    middle = median(rates)
    return Figure(
        cpu_us=_median_cpu(series),
        cpu_rounds=[round(load.cpu_us, 2) for load in loads],
        rps=middle,
        rps_min=min(rates),
        rps_max=max(rates),
        spread=(max(rates) - min(rates)) / middle if middle else 0.0,
        p50_ms=median(load.p50_ms for load in loads),
        p99_ms=median(load.p99_ms for load in loads),
        rounds=rates,
        client_cpu=median(shares) if shares else None,
        ratios=ratios,
        cpu_ratios=cpu_ratios,
    )
