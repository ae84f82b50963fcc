"""Servers that are asked in slices of a tenth of a second, one after the other.

So that whatever else the machine does hits all of them alike: each has a generator of its own,
which is stopped (SIGSTOP) while it is not its turn.
"""

import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks.cases import Case
from benchmarks.load import Load, Wrk
from benchmarks.memory import seconds_between, snapshot
from benchmarks.servers import Server

SLICE_SECONDS = 0.1
CONNECT_SECONDS = 0.1
LAST_SECONDS = 0.5
"""Before its end no generator is stopped any more that could not go on in time."""


class _Generator:
    """A generator, stopped; ``active`` are the seconds that it was not."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.active = 0.0
        self.go_on(CONNECT_SECONDS)

    def go_on(self, seconds: float) -> None:
        """Let it run so long."""
        began = time.perf_counter()
        self._process.send_signal(signal.SIGCONT)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGSTOP)
        self.active += time.perf_counter() - began

    def end(self) -> str:
        """Let it end, now that its time is over; what it prints."""
        self._process.send_signal(signal.SIGCONT)
        output, _ = self._process.communicate(timeout=30)
        return output


def ask(
    case: Case, servers: Mapping[str, Server], connections: int, seconds: float, first: int = 0
) -> dict[str, Load]:
    """Ask all servers for a case, each for so long in all.

    Args:
        case: what is asked for.
        servers: the servers, by name.
        connections: of each generator.
        seconds: how long each is asked.
        first: the number of the one that begins; after it they take turns.

    Returns:
        What each answered; latencies are those of a client that is stopped, and mean nothing.
    """
    names = list(servers)
    # wrk takes whole seconds.
    lasting = max(2, round(len(names) * seconds))
    before = {name: snapshot(server.pid) for name, server in servers.items()}
    with ExitStack() as alive:
        commands = {
            name: alive.enter_context(Wrk().command(server.port, case, connections, lasting))
            for name, server in servers.items()
        }
        began = time.monotonic()
        generators = {
            name: _Generator(
                alive.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            )
            for name, command in commands.items()
        }
        turn = first
        while time.monotonic() - began < lasting - LAST_SECONDS / 2:
            generators[names[turn % len(names)]].go_on(SLICE_SECONDS)
            turn += 1
        time.sleep(began + lasting + len(names) * CONNECT_SECONDS + LAST_SECONDS - time.monotonic())
        found = {}
        for name, generator in generators.items():
            load = Wrk().read(generator.end())
            used = seconds_between(before[name], snapshot(servers[name].pid))
            found[name] = Load(
                load.answered,
                load.answered / generator.active,
                load.p50_ms,
                load.p99_ms,
                load.errors,
                cpu=used,
            )
        return found
