"""Servers that are asked in slices of a tenth of a second, one after the other.

So that whatever else the machine does hits all of them alike: each has a generator of its own,
which is stopped (SIGSTOP) while it is not its turn.
"""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import cycle

from benchmarks.cases import Case
from benchmarks.load import Load, Wrk
from benchmarks.memory import seconds_between, snapshot
from benchmarks.servers import Server

SLICE_SECONDS = 0.1
CONNECT_SECONDS = 0.1
SLACK_SECONDS = 0.25
"""All generators are stopped from so long before the end of the first until so long after that of
the last, so that each only has to end when it goes on.
"""


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
    case: Case, servers: Mapping[str, Server], connections: int, seconds: float
) -> dict[str, Load]:
    """Ask all servers for a case, each for so long in all.

    Args:
        case: what is asked for.
        servers: the servers, by name, in the order of their turns.
        connections: of each generator.
        seconds: how long each is asked.

    Returns:
        What each answered; latencies are those of a client that is stopped, and mean nothing.
    """
    # wrk takes whole seconds.
    lasting = max(2, round(len(servers) * seconds))
    before = {name: snapshot(server.pid) for name, server in servers.items()}
    with ExitStack() as alive:
        commands = {
            name: alive.enter_context(Wrk().command(server.port, case, connections, lasting))
            for name, server in servers.items()
        }
        began = time.monotonic()
        generators = {
            name: alive.enter_context(_started(command)) for name, command in commands.items()
        }
        turns = cycle(generators.values())
        while time.monotonic() < began + lasting - SLACK_SECONDS:
            next(turns).go_on(SLICE_SECONDS)
        last = began + lasting + len(servers) * CONNECT_SECONDS
        time.sleep(last + SLACK_SECONDS - time.monotonic())
        found = {}
        for name, generator in generators.items():
            load = Wrk().read(generator.end())
            used = seconds_between(before[name], snapshot(servers[name].pid))
            found[name] = replace(load, rps=load.answered / generator.active, cpu=used)
        return found


@contextmanager
def _started(command: Sequence[str]) -> Iterator[_Generator]:
    """A generator with its connections; killed at the end of the block, if it still runs."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Generator(process)
        finally:
            # To wait for one that is stopped would be for ever.
            process.kill()
