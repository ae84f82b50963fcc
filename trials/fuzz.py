"""Send the same requests, made by chance, to all engines, and compare their answers.

    hatch run fuzz --minutes 10
    hatch run fuzz --first 1000000          other requests

Each must be answered, by less than 500, and alike on all engines; `differences.md` has what is
known to differ. The exit code is 1 if something was found; `corpus/numbers.txt` keeps the numbers
of requests that found something once, which are sent first.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from pathlib import Path

from support.servers import serving

from trials import ROOT
from trials.differential import difference
from trials.options import parser, save
from trials.requests import by_chance
from trials.stage import ENGINES

SCRIPT = ROOT / "tests" / "engines" / "apps" / "main.py"
CORPUS = Path(__file__).parent / "corpus" / "numbers.txt"
MOST = 20
"""Findings, after which it ends."""


def corpus() -> list[int]:
    """Numbers of requests that found something once."""
    return [int(line.split()[0]) for line in CORPUS.read_text().splitlines() if line[:1].isdigit()]


def main() -> int:
    """Run the command line; return the exit code."""
    made = parser("fuzz", __doc__, 5)
    made.add_argument("--first", type=int, default=0, help="the number of the first request")
    options = made.parse_args()
    engines = options.engine or ENGINES
    found: list[str] = []
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name, SCRIPT)) for name in engines}
        end = time.monotonic() + 60 * options.minutes
        sent = 0
        for number in itertools.chain(corpus(), itertools.count(options.first)):
            if time.monotonic() > end or len(found) >= MOST:
                break
            sent += 1
            if seen := difference(servers, by_chance(number)):
                found.append(f"{number}: {seen}")
    lines = [
        "# Fuzz\n",
        f"{time.strftime('%Y-%m-%d')}: {sent:,} requests (from number {options.first}) to each of"
        f" {', '.join(engines)} in {options.minutes:g} minutes, {len(found)} answered in another"
        f" way or not at all. {options.note}\n",
        *(f"- {one}" for one in found),
    ]
    save(options.report, "fuzz", "\n".join(lines) + "\n", {})
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
