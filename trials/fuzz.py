"""Send the same requests, made by chance, to all engines, and compare their answers.

    hatch run fuzz --minutes 10
    hatch run fuzz --first 1000000          other requests
    hatch run fuzz --parser websocket       a parser by itself, without servers; repeatable
    hatch run fuzz --parser grpc --guided   by atheris, which must be installed
    hatch run fuzz --guided                 all parsers

Each must be answered, by less than 500, and alike on all engines; `differences.md` has what is
known to differ. The exit code is 1 if something was found; `corpus/numbers.txt` keeps the numbers
of requests that found something once, which are sent first.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import random
import re
import subprocess
import sys
import time
from pathlib import Path

from support.servers import serving

from trials import ROOT
from trials.differential import difference
from trials.options import parser, save
from trials.parsers import TARGETS, WORDS, seeds
from trials.requests import by_chance
from trials.stage import ENGINES

SCRIPT = ROOT / "tests" / "engines" / "apps" / "main.py"
CORPUS = Path(__file__).parent / "corpus" / "numbers.txt"
MOST = 20
"""Findings, after which it ends."""


def corpus() -> list[int]:
    """Numbers of requests that found something once."""
    return [int(line.split()[0]) for line in CORPUS.read_text().splitlines() if line[:1].isdigit()]


def parsers(options: argparse.Namespace) -> int:
    """Feed parsers with bytes, each for so many minutes; the exit code."""
    lines, seconds = [], 60 * options.minutes
    for name in options.parser or TARGETS:
        tried, reached, wrong = (_guided if options.guided else _by_chance)(name, seconds)
        line = (
            f"- {name}: {tried:,} inputs in {options.minutes:g} minutes{reached}; {wrong or 'ok'}"
        )
        lines.append(line)
        if wrong:
            lines.append("  **This was found.**")
    text = f"# Fuzz of parsers\n\n{time.strftime('%Y-%m-%d')}. {options.note}\n\n"
    save(options.report, "fuzz-parsers", text + "\n".join(lines) + "\n", {})
    return 1 if any("**" in line for line in lines) else 0


def _by_chance(name: str, seconds: float) -> tuple[int, str, str]:
    target, words, known = TARGETS[name], WORDS[name], seeds(name)
    chance, tried, end = random.Random(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        pieces = chance.choices([*words, *known], k=chance.randrange(9))
        pieces.append(chance.randbytes(chance.randrange(30)))
        chance.shuffle(pieces)
        data, tried = b"".join(pieces), tried + 1
        try:
            target(data)
        except Exception as error:
            return tried, "", f"{data!r}: {error!r}"
    return tried, "", ""


def _guided(name: str, seconds: float) -> tuple[int, str, str]:
    """How many inputs, what they reached as libFuzzer says it, and what went wrong."""
    command = [sys.executable, "-m", "trials.guided", name, str(math.ceil(seconds))]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", cwd=ROOT, check=False
    )
    seen = re.findall(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", done.stderr, re.MULTILINE)
    wrong = done.stderr[-2000:] if done.returncode else ""
    if not seen:
        return 0, "", wrong or "nothing was reached"
    tried, edges, features = map(int, seen[-1])
    return tried, f", {edges:,} edges and {features:,} features of the code reached", wrong


def main() -> int:
    """Run the command line; return the exit code."""
    made = parser("fuzz", __doc__, 5)
    made.add_argument("--first", type=int, default=0, help="the number of the first request")
    made.add_argument("--parser", choices=TARGETS, action="append", help="this alone; repeatable")
    made.add_argument("--guided", action="store_true", help="by what is reached (atheris)")
    options = made.parse_args()
    if options.parser or options.guided:
        return parsers(options)
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
