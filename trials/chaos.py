"""Break what a site depends on, again and again, and see whether it keeps its promises.

    hatch run chaos --engine granian --minutes 5
    hatch run chaos --short                         a few faults, once

Clients write all the time. After each fault: each write that was answered 200 is there once, none
is there by half, whatever it was answered, and the site serves again within two seconds. Sessions
and counters have what was promised, and clients in a room hear each other. The exit code is 1 if a
promise was broken. Faults that the machine does not permit are named, and count as none.

On Skitai and granian it is Atila's master that replaces a worker, on Uvicorn its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from benchmarks.machine import describe
from trials.chart import draw
from trials.faults import FAULTS, QUICK, Fault
from trials.ledger import Entry, Writers, balance
from trials.options import parser, save
from trials.rolling import restart_in_turn
from trials.scenes import GIVEN_UP, SCENES, Scene
from trials.slopes import percentile
from trials.stage import ENGINES, Stage, stage

BACK = 2.0
"""Seconds from the mending of a fault until the site serves again."""
HEARD = 5.0
"""Seconds from then until those hear each other again that are in a room."""
APART = 20.0
"""Seconds from one fault to the next."""
NOTICED = {"uvicorn": "Uvicorn closes connections that the system has taken and it has not yet"}
"""Engines of which a restart may be noticed by a few requests, which Nginx answers with 502."""
NOTICED_SHARE = 0.005
"""How many of them, at most."""
CLIENTS = 6
NAMES = tuple(name for faults in FAULTS.values() for name in faults)


@dataclass
class Strike:
    """One fault.

    Attributes:
        at: when it began, in seconds.
        back: seconds until the site served again after it was mended.
        heard: seconds until then all clients in a room heard what was said.
        statuses: of the writes that were sent meanwhile.
        longest: the longest of them, in seconds.
        wrong: what was not as it should be.
    """

    name: str
    at: float
    back: float
    heard: float
    statuses: dict[int, int] = field(default_factory=dict)
    longest: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """One run of an engine.

    Attributes:
        missing: the faults that the machine does not permit, and why.
    """

    engine: str
    strikes: list[Strike] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


def run(engine: str, seconds: float, names: tuple[str, ...], rolling: int) -> Outcome:
    """One engine: the faults in turn, for so many seconds, each at least once."""
    outcome = Outcome(engine)
    for place, faults in FAULTS.items():
        if chosen := {name: fault for name, fault in faults.items() if name in names}:
            _strike_at(outcome, place, chosen, seconds * len(chosen) / len(names))
    if rolling:
        with stage() as found:
            _roll(outcome, found, rolling)
    return outcome


def _strike_at(outcome: Outcome, place: str, faults: dict[str, Fault], seconds: float) -> None:
    """All that happens in one scene."""
    with contextlib.ExitStack() as stack:
        try:
            scene = stack.enter_context(SCENES[place](outcome.engine, tuple(faults)))
        except pytest.skip.Exception as skipped:
            outcome.missing |= dict.fromkeys(faults, str(skipped))
            return
        outcome.missing |= {name: why for name, why in scene.missing.items() if name in faults}
        faults = {name: fault for name, fault in faults.items() if name not in scene.missing}
        if not faults:
            return
        with contextlib.ExitStack() as clients:
            each = CLIENTS // len(scene.servers)
            writers = [
                clients.enter_context(Writers(server.url(""), each, outcome.began))
                for server in scene.servers
            ]
            strikes = _strike_in_turn(scene, outcome.began, seconds, faults)
        entries = [entry for writer in writers for entry in writer.entries]
        for strike in strikes:
            until = next((other.at for other in strikes if other.at > strike.at), float("inf"))
            during = [entry for entry in entries if strike.at <= entry.at + entry.took < until]
            strike.statuses = dict(Counter(entry.status for entry in during))
            strike.longest = max((entry.took for entry in during), default=0.0)
        outcome.strikes += strikes
        outcome.entries += entries
        _check_writes(outcome, place, entries, scene.stage)


def _strike_in_turn(
    scene: Scene, began: float, seconds: float, faults: dict[str, Fault]
) -> list[Strike]:
    strikes: list[Strike] = []
    end = time.monotonic() + seconds
    apart = min(APART, seconds / len(faults))
    names = itertools.cycle(faults)
    while len(strikes) < len(faults) or time.monotonic() < end:
        name, at = next(names), time.monotonic()
        strikes.append(_strike(name, faults[name], scene, began))
        time.sleep(max(0.2, apart - (time.monotonic() - at)))
    return strikes


def _strike(name: str, fault: Fault, scene: Scene, began: float) -> Strike:
    at, scene.wrong = time.monotonic() - began, []
    scene.visit()
    with fault(scene):
        mended = time.monotonic()
        while time.monotonic() - mended < GIVEN_UP and not scene.serves():
            time.sleep(0.02)
        back = time.monotonic() - mended
    scene.expect(back <= BACK, f"it served again after {back:.1f} s")
    heard = scene.check_room() + back
    scene.expect(heard <= HEARD, f"what was said in a room was heard after {heard:.1f} s")
    # All that was asked so far may have reached one worker, before the other is back.
    time.sleep(max(0.0, mended + BACK - time.monotonic()))
    scene.check_counter()
    scene.visit()
    return Strike(name, at, back, heard, wrong=scene.wrong)


def _check_writes(outcome: Outcome, place: str, entries: list[Entry], found: Stage) -> None:
    found_there = balance(found.postgresql.address, entries)
    if not found_there.is_right:
        outcome.wrong.append(
            f"{place}: lost {found_there.lost}, doubled {found_there.doubled},"
            f" halves {found_there.halves}"
        )
    total = sum(found_there.statuses.values())
    outcome.notes.append(
        f"State {place}: {total:,} writes, answered {_shown(found_there.statuses)}"
        " (0: the connection ended):"
        f" {len(found_there.lost)} of those answered 200 lost, {len(found_there.doubled)} doubled,"
        f" {len(found_there.halves)} of all there by half."
    )
    if not found_there.statuses.get(200):
        outcome.wrong.append(f"{place}: no write was answered 200")


def _roll(outcome: Outcome, found: Stage, rounds: int) -> None:
    try:
        written, read = restart_in_turn(outcome.engine, found, rounds)
    except pytest.skip.Exception as skipped:
        outcome.notes.append(f"No rolling restart: {skipped}.")
        return
    outcome.notes.append(
        f"Rolling restart of two instances behind Nginx, {rounds} times each: reads"
        f" {_shown(read)}, writes {_shown(written.statuses)}."
    )
    if not written.is_right:
        outcome.wrong.append("a rolling restart lost or doubled writes, or left some by half")
    seen = Counter(read) + Counter(written.statuses)
    failed, most = seen.total() - seen[200], 0.0
    if outcome.engine in NOTICED and failed == seen[502] > 0:
        most = NOTICED_SHARE * seen.total()
        outcome.notes.append(
            f"{failed} of {seen.total():,} requests noticed it: {NOTICED[outcome.engine]}."
        )
    if failed > most:
        outcome.wrong.append("a rolling restart was seen by clients")


def _shown(statuses: dict[int, int]) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))


def section(outcome: Outcome) -> str:
    """Of one engine, for the report."""
    lines = [f"## {outcome.engine}\n"]
    lines += [f"- {note}" for note in outcome.notes]
    lines += [
        "\n| fault | times | served again within | room heard within | longest write"
        " | writes until the next fault |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(strike.name for strike in outcome.strikes):
        mine = [strike for strike in outcome.strikes if strike.name == name]
        statuses: Counter[int] = Counter()
        for strike in mine:
            statuses.update(strike.statuses)
        lines.append(
            f"| {name} | {len(mine)} | {max(strike.back for strike in mine):.2f} s"
            f" | {max(strike.heard for strike in mine):.2f} s"
            f" | {max(strike.longest for strike in mine):.2f} s | {_shown(statuses)} |"
        )
    lines += [f"| {name} | not permitted here | | | | |" for name in outcome.missing]
    lines.append("")
    lines += [f"- Not here: {name}, since {why}." for name, why in outcome.missing.items()]
    wrong = [f"{strike.name}: {what}" for strike in outcome.strikes for what in strike.wrong]
    lines += [f"- **{what}**" for what in [*outcome.wrong, *wrong]]
    if not outcome.wrong and not wrong:
        count = len(outcome.strikes)
        lines.append(f"Nothing was wrong in {count} fault{'s' * (count != 1)}.")
    return "\n".join(lines) + "\n"


def picture(outcome: Outcome) -> str:
    """Writes and their latencies over time, with the faults."""
    last = max((entry.at for entry in outcome.entries), default=1.0)
    step = last / 120
    right, failed, slowest = [], [], []
    for number in range(120):
        here = [one for one in outcome.entries if number * step <= one.at < (number + 1) * step]
        good = sum(one.status == 200 for one in here)
        right.append((number * step, good / step))
        failed.append((number * step, (len(here) - good) / step))
        slowest.append((number * step, 1e3 * percentile([one.took for one in here], 1)))
    return draw(
        f"Chaos on {outcome.engine}: upright lines are faults",
        [
            ("writes a second", [("answered 200", right), ("others", failed)]),
            ("longest write, ms", [("longest", slowest)]),
        ],
        [strike.at for strike in outcome.strikes],
    )


def main() -> int:
    """Run the command line; return the exit code."""
    options = _options()
    names = tuple(options.fault or (QUICK if options.short else NAMES))
    seconds = 0.0 if options.short else 60 * options.minutes
    about = describe()
    parts = [
        "# Chaos\n",
        f"{time.strftime('%Y-%m-%d')}, {about['processor']}, {about['cores']} cores,"
        f" {about['python']}; two workers, six clients that write. {options.note}\n",
    ]
    broken = False
    pictures = {}
    for engine in options.engine or ENGINES:
        began = time.monotonic()
        outcome = run(engine, seconds, names, 0 if options.short or options.fault else 2)
        name = f"chaos-{engine}.svg"
        outcome.notes.insert(0, f"{(time.monotonic() - began) / 60:.1f} minutes.")
        pictures[name] = picture(outcome)
        parts += [section(outcome), f"![{engine}]({name})\n" if options.report else ""]
        broken |= bool(outcome.wrong or any(strike.wrong for strike in outcome.strikes))
        # What was seen is kept, whatever becomes of the next.
        save(options.report, "chaos", "\n".join(parts), pictures)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    made = parser("chaos", __doc__, 10)
    made.add_argument("--short", action="store_true", help="a few faults, each once")
    made.add_argument("--fault", action="append", choices=NAMES, help="only this; repeatable")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
