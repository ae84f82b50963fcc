"""The command line of ``python -m benchmarks``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.cases import CASES, Case
from benchmarks.contestants import BY_NAME, Contestant
from benchmarks.load import TOOLS, Tool, choose_tool

RESULTS = Path(__file__).resolve().parent / "results"
QUICK_SECONDS = 1.0
WARM_UP_SHARE = 0.25
WARM_UP_MOST = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and how. ``duration`` is seconds of one measurement."""

    contestants: tuple[Contestant, ...]
    cases: tuple[Case, ...]
    duration: float
    rounds: int
    connections: int
    tool: Tool
    output: Path
    name: str

    @property
    def warm_up(self) -> float:
        """Seconds of load before each measurement which do not count."""
        return min(WARM_UP_MOST, WARM_UP_SHARE * self.duration)

    @property
    def with_ours(self) -> bool:
        return any(contestant.kind == "ours" for contestant in self.contestants)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the program with a message if it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(BY_NAME)
    parser.add_argument("--only", metavar="NAME,...", help=f"contestants, of: {names}")
    parser.add_argument(
        "--cases", metavar="NAME,...", help=f"of: {', '.join(case.name for case in CASES)}"
    )
    parser.add_argument(
        "--duration", type=_positive, metavar="SECONDS", help="of one measurement; default 5"
    )
    parser.add_argument("--rounds", type=_count, default=3, help="default 3, for a median")
    parser.add_argument("--connections", type=_count, default=64, help="default 64")
    parser.add_argument(
        "--quick", action="store_true", help=f"measure {QUICK_SECONDS:.0f} s each: for a glance"
    )
    parser.add_argument(
        "--tool",
        choices=[tool.name for tool in TOOLS],
        help="load generator; default: wrk if it is on the PATH, else our own",
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, metavar="FOLDER", help="default benchmarks/results"
    )
    parser.add_argument(
        "--name", default="latest", help="of the files of results; default latest (.json, .svg)"
    )
    given = parser.parse_args(arguments)
    try:
        only = _pick("contestant", given.only, BY_NAME)
        cases = _pick("case", given.cases, {one.name: one for one in CASES})
        tool = choose_tool(given.tool)
    except LookupError as error:
        parser.error(str(error.args[0]))
    duration = given.duration or (QUICK_SECONDS if given.quick else 5.0)
    return Options(
        only, cases, duration, given.rounds, given.connections, tool, given.output, given.name
    )


def _pick(kind: str, wanted: str | None, known: dict[str, T]) -> tuple[T, ...]:
    if not wanted:
        return tuple(known.values())
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise LookupError(f"no {kind} {name!r}; there are {', '.join(known)}")
    return tuple(known[name] for name in known if name in names)


def _positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
