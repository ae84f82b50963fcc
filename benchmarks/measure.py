"""The run itself: rounds over all contestants, one server alive at a time."""

import os
import sys
import time
from dataclasses import dataclass, field, replace

import psutil

from benchmarks import memory
from benchmarks.cases import Case
from benchmarks.contestants import Contestant
from benchmarks.load import BuiltIn, Load, WrongAnswer, fetch_right_answer
from benchmarks.options import Options
from benchmarks.servers import Server, ServerFailed, running

WARMER = BuiltIn()
SETTLE_SECONDS = 0.5
"""Between the last answer and a look at a server's memory."""


@dataclass(slots=True)
class Series:
    """The good measurements of one case of one contestant, one per round, and what went wrong."""

    loads: list[Load] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Results:
    """Everything a run has found, by the names of contestants and cases."""

    series: dict[str, dict[str, Series]]
    memory: dict[str, list[memory.Memory]]
    server_failures: dict[str, list[str]]
    machine_loads: list[float] = field(default_factory=list)
    """The machine's load average of the last minute, at the start of each round and at the end."""


def run(options: Options) -> Results:
    """Round 1 of every contestant, then round 2, and so on, so that noise hits all alike."""
    names = [contestant.name for contestant in options.contestants]
    results = Results(
        {
            name: {case.name: Series() for case in options.cases if case.is_for(name)}
            for name in names
        },
        {name: [] for name in names},
        {name: [] for name in names},
    )
    for number in range(1, options.rounds + 1):
        results.machine_loads.append(round(os.getloadavg()[0], 2))
        for contestant in options.contestants:
            if not results.series[contestant.name]:
                continue
            _progress(f"round {number}/{options.rounds}  {contestant.name}")
            try:
                with running(contestant) as server:
                    _measure_server(options, contestant, server, results)
            except ServerFailed as error:
                results.server_failures[contestant.name].append(str(error))
                _progress(f"  FAILED: {error}")
    results.machine_loads.append(round(os.getloadavg()[0], 2))
    return results


def _measure_server(
    options: Options, contestant: Contestant, server: Server, results: Results
) -> None:
    series = results.series[contestant.name]
    bodies: dict[str, bytes] = {}
    cases = [case for case in options.cases if case.is_for(contestant.name)]
    for case in cases:
        try:
            bodies[case.name] = fetch_right_answer(server.port, case)
        except WrongAnswer as error:
            _fail(series[case.name], case, f"{error}\n{server.log_tail()}".strip())
    if not bodies:
        return
    time.sleep(SETTLE_SECONDS)
    before = _look_at(server)
    for case in cases:
        if case.name in bodies:
            _measure_case(options, case, server, bodies[case.name], series[case.name])
    time.sleep(SETTLE_SECONDS)
    results.memory[contestant.name].append(memory.compare(before, _look_at(server)))


def _look_at(server: Server) -> memory.Snapshot:
    try:
        return memory.snapshot(server.pid)
    except psutil.NoSuchProcess as error:
        raise ServerFailed(f"ended while it was measured\n{server.log_tail()}") from error


def _measure_case(
    options: Options, case: Case, server: Server, body: bytes, series: Series
) -> None:
    """Warm up, measure, and make sure that the answer is still the right one afterwards.

    Warming up is left to our own generator, which compares every answer's body.
    """
    try:
        warmed = WARMER.run(server.port, case, body, options.connections, options.warm_up)
        if warmed.errors:
            raise WrongAnswer(f"while it warmed up: {warmed.errors}")
        before = _look_at(server)
        load = options.tool.run(server.port, case, body, options.connections, options.duration)
        load = replace(load, cpu=memory.seconds_between(before, _look_at(server)))
        fetch_right_answer(server.port, case)
    except (OSError, WrongAnswer) as error:
        _fail(series, case, f"{error}\n{server.log_tail()}".strip())
        return
    if load.errors:
        _fail(series, case, f"{load.errors} (at {load.rps:.0f} requests/s)")
        return
    series.loads.append(load)
    busy = "" if load.client_cpu is None else f"  (generator {load.client_cpu:.0%} of a core)"
    _progress(f"  {case.name:8} {load.rps:9.0f} requests/s {load.cpu_us:7.1f} µs{busy}")


def _fail(series: Series, case: Case, reason: str) -> None:
    series.failures.append(reason)
    _progress(f"  {case.name:8} FAILED: {reason}")


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
