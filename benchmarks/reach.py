"""``python -m benchmarks.reach``: what was aimed at beside what was measured, into README.md.

A bar is met where each of its cases meets it on each Python. `--print` only prints the table.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.recorded import Recorded, loads_of, read

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- reach: begin -->\n", "<!-- reach: end -->\n"

SMALL = ("plain", "params", "json")
TYPED = ("typed",)

DEFAULT, INLINE = "atila-granian", "atila-granian-inline"
ASYNC, WSGI = "atila-granian-async", "atila-granian-wsgi"
IN_THREAD = "raw-rsgi-thread"
"""A bare function that may block, as the default handlers may."""
FALCON, RSGI_FUNCTION, WSGI_FUNCTION = "falcon-granian", "raw-rsgi", "raw-wsgi"
RSGI_DUTY, WSGI_DUTY = "raw-rsgi-duty", "raw-wsgi-duty"
"""Bare functions, too, but with the duty of a framework."""

NAMES = {
    DEFAULT: "`def` (the default)",
    INLINE: "`blocking=False`",
    ASYNC: "`async def`",
    WSGI: "`def` on granian's WSGI",
}

OTHERS = (INLINE, ASYNC, WSGI)

PEERS = {
    "emmett55-granian": "emmett55, granian",
    "blacksheep-granian": "BlackSheep, granian",
    "litestar-granian": "Litestar, granian",
    "starlette-granian": "Starlette, granian",
    "django-bolt": "django-bolt",
    "robyn": "Robyn",
    "sanic": "Sanic",
    "fastapi-granian": "FastAPI `async def`, granian",
    "fastapi-async": "FastAPI `async def`, uvicorn",
}

FEWEST_PYTHONS = 2
"""On how many a bar must be met."""

_TYPED_PEERS = (
    ("fastapi-def", "FastAPI `def`, uvicorn", 6.0),
    ("fastapi-async", "FastAPI `async def`, uvicorn", 3.0),
    ("litestar-granian", "Litestar, granian", 1.5),
    ("django-bolt", "django-bolt", 1.0),
    ("robyn", "Robyn, msgspec by hand", 1.0),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that is to be reached: ``ours`` against ``other`` at some cases.

    ``limit`` is the bare function with the same duty, whose own ratio is shown beside ours.
    """

    work: str
    ours: str
    other: str
    against: str
    at_least: float
    cases: tuple[str, ...] = SMALL
    limit: str = RSGI_DUTY


def _bars() -> Iterator[Bar]:
    yield Bar(NAMES[DEFAULT], DEFAULT, FALCON, "Falcon, WSGI", 1.0, limit=IN_THREAD)
    for ours in (INLINE, ASYNC):
        yield Bar(NAMES[ours], ours, FALCON, "Falcon, WSGI", 1.15)
        yield Bar(NAMES[ours], ours, RSGI_FUNCTION, "a bare RSGI function", 0.85)
    yield Bar(NAMES[WSGI], WSGI, FALCON, "Falcon, WSGI", 1.1, limit=WSGI_DUTY)
    for ours in (DEFAULT, INLINE, ASYNC):
        work = f"typed body of 1 KB, {NAMES[ours]}"
        limit = IN_THREAD if ours == DEFAULT else RSGI_DUTY
        for other, against, at_least in _TYPED_PEERS:
            yield Bar(work, ours, other, against, at_least, TYPED, limit)
    row = ("db-row",)
    yield Bar(
        "a row by key, `def` with `fetch()`",
        "atila-granian-db",
        "fastapi-def-db",
        "FastAPI `def`, psycopg's pool",
        2.0,
        row,
        "raw-rsgi-db",
    )
    for case, name in (("db-row", "a row by key"), ("db-two", "two statements merged")):
        work, ours, limit = f"{name}, `async def`", "atila-granian-async-db", "raw-rsgi-db"
        yield Bar(work, ours, "fastapi-db", "FastAPI, asyncpg", 2.5, (case,), limit)
        yield Bar(work, ours, limit, "a bare RSGI function, asyncpg", 1.0, (case,), limit)


def table(pythons: list[Recorded]) -> str:
    """The whole table, as Markdown."""
    heads = [one.python.removeprefix("CPython ") for one in pythons]
    lines = [
        f"| work | against | bar | {' | '.join(heads)} | the bare function | |",
        "|---|---|---|" + "---|" * len(heads) + "---|---|",
    ]
    lines += [_row_of(bar, pythons) for bar in _bars()]
    for peer in PEERS:
        lines.append(_row_of_peer(NAMES[DEFAULT], (DEFAULT,), peer, IN_THREAD, pythons))
        lines.append(_row_of_peer("the other three", OTHERS, peer, RSGI_DUTY, pythons))
    lines += [_row_of_tail(ours, pythons) for ours in NAMES]
    lines.append(_row_of_memory(pythons))
    lines += [_row_of_life(each, pythons) for each in LIFE]
    if len(pythons) < FEWEST_PYTHONS:
        lines = [line.replace("**met**", f"met on {' and '.join(heads)}") for line in lines]
    return "\n".join([*lines, "", *map(_conditions, pythons)]) + "\n"


def _conditions(one: Recorded) -> str:
    """On which machines it was measured, and how busy those were."""
    load = one.runs[0]["load"]
    machines = " and ".join(dict.fromkeys(_machine(run["machine"]) for run in one.runs))
    return (
        f"- {one.python}: {machines}, {loads_of([one])} while it was measured;"
        f" {load['tool']}, {load['connections']} connections; {_versions(one)}."
    )


def _machine(described: dict[str, Any]) -> str:
    return f"{described['processor']}, {described['cores']} cores, {described['system']}"


def _versions(one: Recorded) -> str:
    versions = {name: version for run in one.runs for name, version in run["versions"].items()}
    return ", ".join(f"{name} {versions[name]}" for name in sorted(versions))


def _row_of(bar: Bar, pythons: list[Recorded]) -> str:
    cells, bare, pairs = [], [], []
    for one in pythons:
        ratios = [one.ratio(case, bar.ours, bar.other) for case in bar.cases]
        rates = [one.ratio(case, bar.ours, bar.other, "rps") for case in bar.cases]
        limits = [one.ratio(case, bar.limit, bar.other) for case in bar.cases]
        cells.append(f"{_joined(ratios)} ({_joined(rates)})" if any(ratios) else "–")
        bare.append(_joined(limits))
        pairs += zip(ratios, limits, strict=True)
    shown = "–" if bar.limit == bar.other else " · ".join(bare)
    verdict = _verdict(pairs, lambda ratio: ratio >= bar.at_least)
    return _row(bar.work, bar.against, f"{bar.at_least:g}", cells, shown, verdict)


def _row_of_peer(
    work: str, kinds: tuple[str, ...], peer: str, limit: str, pythons: list[Recorded]
) -> str:
    """Kinds of handlers at the three small cases: the least and the greatest ratio."""
    cells, bare, pairs = [], [], []
    for one in pythons:
        limits = [one.ratio(case, limit, peer) for case in SMALL]
        ratios = [one.ratio(case, ours, peer) for ours in kinds for case in SMALL]
        cells.append(_span(ratios))
        bare.append(_span(limits))
        pairs += zip(ratios, limits * len(kinds), strict=True)
    verdict = _verdict(pairs, lambda ratio: ratio > 1.0)
    return _row(work, PEERS[peer], "above 1", cells, " · ".join(bare), verdict)


def _row_of_tail(ours: str, pythons: list[Recorded]) -> str:
    """p99 of the plain case, in times the bare function's."""
    other = WSGI_FUNCTION if ours == WSGI else RSGI_FUNCTION
    times = []
    for one in pythons:
        ratio = one.ratio("plain", other, ours, "p99_ms")
        times.append(ratio)
    cells = [_number(one) for one in times]
    verdict = _verdict([(time, None) for time in times], lambda ratio: ratio <= 1.5)
    against = "a bare function there"
    return _row(f"p99 of plain, {NAMES[ours]}", against, "at most 1.5", cells, "–", verdict)


@dataclass(frozen=True, slots=True)
class LifeBar:
    """One thing of ``benchmarks.life``: ``figure`` is what is compared with the bar, ``bare`` the
    same of a function without a framework.
    """

    work: str
    against: str
    bar: str
    figure: Callable[[Recorded], float | None]
    meets: Callable[[float], bool]
    bare: Callable[[Recorded], float | None] | None = None


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _grown(one: Recorded, name: str) -> float | None:
    few, many = one.life("growth", name, "10000"), one.life("growth", name, "1000000")
    return None if few is None or many is None else many - few


def _growth_of_ours(one: Recorded) -> float | None:
    return _grown(one, DEFAULT)


def _growth_of_bare(one: Recorded) -> float | None:
    return _grown(one, RSGI_FUNCTION)


def _call_of(contestant: str) -> Callable[[Recorded], float | None]:
    return lambda one: _quotient(
        one.life("upstream", "fastapi-aiohttp", "cpu_ms"),
        one.life("upstream", contestant, "cpu_ms"),
    )


LIFE = (
    LifeBar(
        "a call of another server, `async def`",
        "FastAPI with aiohttp",
        "1.2",
        _call_of(DEFAULT),
        lambda figure: figure >= 1.2,
        _call_of(RSGI_FUNCTION),
    ),
    LifeBar(
        "the same by a generator coroutine, which begins in a worker thread",
        "FastAPI with aiohttp",
        "1.2",
        _call_of("atila-granian-yielding"),
        lambda figure: figure >= 1.2,
        _call_of(IN_THREAD),
    ),
    LifeBar(
        "WebSocket echo",
        "a bare function on granian",
        "1",
        lambda one: _quotient(
            one.life("sockets", "cpu_us", f"{RSGI_FUNCTION} /echo"),
            one.life("sockets", "cpu_us", f"{DEFAULT} /echo"),
        ),
        lambda figure: figure >= 1.0,
        lambda one: _quotient(
            one.life("sockets", "cpu_us", f"{RSGI_FUNCTION} /echo"),
            one.life("sockets", "cpu_us", f"{RSGI_DUTY} /echo"),
        ),
    ),
    LifeBar(
        "memory of an idle WebSocket",
        "Starlette, both on uvicorn",
        "1",
        lambda one: _quotient(
            one.life("sockets", "idle_bytes", "starlette-uvicorn"),
            one.life("sockets", "idle_bytes", "atila-uvicorn"),
        ),
        lambda figure: figure >= 1.0,
        lambda one: _quotient(
            one.life("sockets", "idle_bytes", "starlette-uvicorn"),
            one.life("sockets", "idle_bytes", "raw-asgi-duty"),
        ),
    ),
    LifeBar(
        "start to the first answer",
        "FastAPI on uvicorn",
        "1",
        lambda one: _quotient(
            one.life("start", "seconds", "fastapi-async"), one.life("start", "seconds", DEFAULT)
        ),
        lambda figure: figure >= 1.0,
    ),
    LifeBar(
        "MiB of the worker after 1,000,000 requests",
        "after 10,000",
        "at most +2",
        _growth_of_ours,
        lambda figure: figure <= 2.0,
        _growth_of_bare,
    ),
    LifeBar(
        "two workers, requests per second",
        "one worker",
        "1.7",
        lambda one: one.life("workers", DEFAULT),
        lambda figure: figure >= 1.7,
        lambda one: one.life("workers", RSGI_FUNCTION),
    ),
)


def _row_of_life(bar: LifeBar, pythons: list[Recorded]) -> str:
    figures = [bar.figure(one) for one in pythons]
    limits = [bar.bare(one) if bar.bare else None for one in pythons]
    bare = " · ".join(map(_number, limits)) if bar.bare else "–"
    verdict = _verdict(list(zip(figures, limits, strict=True)), bar.meets)
    return _row(bar.work, bar.against, bar.bar, [_number(one) for one in figures], bare, verdict)


def _row_of_memory(pythons: list[Recorded]) -> str:
    times = [_memory_of(one, DEFAULT) for one in pythons]
    limits = [_memory_of(one, RSGI_FUNCTION) for one in pythons]
    bare = " · ".join(map(_number, limits))
    cells = [_number(one) for one in times]
    verdict = _verdict(list(zip(times, limits, strict=True)), lambda ratio: ratio <= 0.75)
    work = "idle memory, all processes"
    return _row(work, "FastAPI on uvicorn", "at most 0.75", cells, bare, verdict)


def _memory_of(one: Recorded, name: str) -> float | None:
    """In times that of FastAPI."""
    mine, theirs = one.memory(name), one.memory("fastapi-async")
    return mine["tree_before"] / theirs["tree_before"] if mine and theirs else None


def _verdict(
    pairs: Sequence[tuple[float | None, float | None]], meets: Callable[[float], bool]
) -> str:
    """Whether a bar is met.

    Args:
        pairs: what was measured, each beside the same of the bare function.
        meets: says it of one figure.

    Returns:
        "out of reach" where the bare function misses the bar wherever ours does.
    """
    seen = [pair for pair in pairs if pair[0] is not None]
    if not seen:
        return "not measured"
    missed = [limit for figure, limit in seen if figure is not None and not meets(figure)]
    if not missed:
        return "**met**" if len(seen) == len(pairs) else "met where measured"
    number = len(seen) - len(missed)
    some = f" ({number} of {len(seen)} met)" if number else ""
    if all(limit is not None and not meets(limit) for limit in missed):
        return f"out of reach{some}"
    return f"not met{some}"


def _row(work: str, against: str, bar: str, cells: list[str], bare: str, verdict: str) -> str:
    return f"| {work} | {against} | {bar} | {' | '.join(cells)} | {bare} | {verdict} |"


def _joined(ratios: list[float | None]) -> str:
    return " / ".join(_number(ratio) for ratio in ratios)


def _span(ratios: list[float | None]) -> str:
    seen = [ratio for ratio in ratios if ratio is not None]
    return f"{min(seen):.2f} to {max(seen):.2f}" if seen else "–"


def _number(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def insert(text: str, made: str) -> str:
    """``text`` with the table between its two marks replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text lacks the marks {BEGIN.strip()} and {END.strip()}")
    return before + begin + made + end + after


def main() -> int:
    made = table(read())
    if "--print" in sys.argv:
        print(made, end="")
    else:
        README.write_text(insert(README.read_text(encoding="utf-8"), made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
