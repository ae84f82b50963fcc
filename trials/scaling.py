"""Measure what workers that share a Redis spend on each other, and predict what many would.

    hatch run scaling --engine granian --report docs/reports

Processor time is measured, not that of the wall: it holds still on a machine that does something
else as well. The constants come of one and two workers. Four of them under a mixed load are
predicted, and then measured. The exit code is 1 if the prediction is further off than `OFF`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from support.servers import Server, serving

from atila_tasks.testing import RedisServer
from benchmarks.machine import describe
from trials.listeners import Listeners
from trials.options import parser, save
from trials.stage import ENGINES

SCRIPT = Path(__file__).parent / "apps" / "scaling.py"
OFF = 0.25
"""How far the prediction may be off."""
CLIENTS = 4
"""Connections to each worker, which send one request after the other."""
LISTENERS = 40
"""Those of a worker for the cost of a frame."""
IDLE_SECONDS = 3.0
SIZES = (2, 4, 8, 16, 32, 64)


@dataclass
class Costs:
    """Processor time in microseconds; `redis_…` that of Redis.

    Attributes:
        plain: a request to an `async def` that does nothing.
        blocking: a request to a `def`.
        session: to look whether a session has ended.
        limit: to count a hit of a rate limit.
        read: to ask when a thing was changed last, for Cache-Control.
        note: to note that it was changed.
        publish: to say something to a room, without the answers of other workers.
        answer: the answer of one of them.
        message: what another worker has said, without the frames.
        frame: one to a listener.
        redis_publish: a message, and that of each worker which gets it.
        redis_answer: the answer of a worker.
    """

    plain: float = 0.0
    blocking: float = 0.0
    session: float = 0.0
    limit: float = 0.0
    read: float = 0.0
    note: float = 0.0
    publish: float = 0.0
    answer: float = 0.0
    message: float = 0.0
    frame: float = 0.0
    redis_session: float = 0.0
    redis_limit: float = 0.0
    redis_publish: float = 0.0
    redis_answer: float = 0.0

    def worker(self, load: Load, listeners: int) -> float:
        """Processor seconds of one worker that has so many listeners."""
        others = load.workers - 1
        return 1e-6 * (
            load.plain * self.plain
            + load.sessions * (self.blocking + self.session)
            + load.limits * (self.blocking + self.limit)
            + load.said * (self.plain + self.publish + others * self.answer)
            + load.said * others * self.message
            + load.said * load.workers * listeners * self.frame
        )

    def redis(self, load: Load) -> float:
        """Processor seconds of Redis."""
        each = (
            load.sessions * self.redis_session
            + load.limits * self.redis_limit
            + load.said * (self.redis_publish + (load.workers - 1) * self.redis_answer)
        )
        return 1e-6 * load.workers * each

    def messages(self, workers: int) -> tuple[float, float]:
        """Messages a second of all workers together, at which they take half of each worker's time,
        and all of Redis'; without listeners.
        """
        own = self.plain + self.publish + (workers - 1) * self.answer
        mean = (own + (workers - 1) * self.message) / workers
        redis = self.redis_publish + (workers - 1) * self.redis_answer
        return 0.5e6 / mean, 1e6 / redis


@dataclass(frozen=True)
class Load:
    """What each of so many workers gets.

    Attributes:
        plain: requests to an `async def`; likewise the others, by what they do.
        said: messages to the room.
    """

    workers: int
    plain: int = 0
    sessions: int = 0
    limits: int = 0
    said: int = 0


@dataclass(frozen=True)
class Row:
    """Processor seconds of a process at another load than those that the costs come from."""

    name: str
    predicted: float
    measured: float

    @property
    def off(self) -> float:
        return self.predicted / self.measured - 1


@dataclass
class Site:
    """Workers, each a server of its own, and their Redis."""

    redis: psutil.Process
    servers: list[Server] = field(default_factory=list)
    listeners: list[Listeners] = field(default_factory=list)
    heard: int = 0

    def spent(self) -> list[float]:
        """Processor seconds of each worker so far, and of Redis."""
        groups = [server.processes() for server in self.servers]
        return [_seconds(group) for group in (*groups, {self.redis})]

    def idle(self) -> list[float]:
        """Processor seconds a second of each if nothing is to be done."""
        before = self.spent()
        time.sleep(IDLE_SECONDS)
        return [(after - b) / IDLE_SECONDS for after, b in zip(self.spent(), before, strict=True)]

    def measure(self, *work: Callable[[], object]) -> list[float]:
        """Processor seconds that all of a work, done at once, takes each of them."""
        idle = self.idle()
        before, began = self.spent(), time.monotonic()
        with ThreadPoolExecutor(len(work)) as pool:
            for each in [pool.submit(each) for each in work]:
                # A request that failed costs less than one that did not.
                each.result()
        for listeners in self.listeners:
            listeners.wait(self.heard)
        took = time.monotonic() - began
        return [
            after - b - took * i for after, b, i in zip(self.spent(), before, idle, strict=True)
        ]

    def say(self, number: int, times: int) -> list[Callable[[], object]]:
        """The work of having one worker say something so often."""
        self.heard += times
        return asking(self.servers[number], "/say?text=hello", times)


def _seconds(processes: Sequence[psutil.Process] | set[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(float(one.user + one.system) for one in times)


def asking(server: Server, path: str, times: int, cookie: str = "") -> list[Callable[[], object]]:
    """The work of asking for a path so often, by `CLIENTS` clients."""
    headers = [("Cookie", cookie)] if cookie else []

    def ask() -> None:
        with server.connect() as connection:
            for _ in range(times // CLIENTS):
                answer = connection.get(path, headers)
                assert answer.status == 200, answer.text

    return [ask] * CLIENTS


def logged_in(server: Server) -> str:
    """The cookie of a session."""
    set_cookie = server.get("/login").header("set-cookie")
    assert set_cookie is not None
    return str(set_cookie).partition(";")[0]


def run(engine: str, times: int) -> tuple[Costs, list[Row]]:
    """The costs on an engine, of one and two workers; and what was predicted and measured for four
    with a mixed load.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="atila-trial-")))
        redis = stack.enter_context(RedisServer(folder))
        assert redis._process is not None
        site = Site(psutil.Process(redis._process.pid))
        address = {"TRIAL_SHARED": f"redis://127.0.0.1:{redis.port}/0"}

        def grow(listeners: int) -> None:
            server = stack.enter_context(serving(engine, SCRIPT, environment=address))
            site.servers.append(server)
            site.listeners.append(stack.enter_context(Listeners(server.url("/room", "ws"))))
            site.listeners[-1].open(listeners, site.heard)

        costs = Costs()
        grow(1)
        _measure_requests(costs, site, times)
        alone = _per_message(site, times)
        grow(1)
        _measure_messages(costs, site, times, alone)
        grow(10)
        grow(20)
        load = Load(4, plain=times, sessions=times // 2, limits=times // 2, said=times // 4)
        return costs, _check(costs, site, load)


def _check(costs: Costs, site: Site, load: Load) -> list[Row]:
    """Give all workers a load at the same time."""
    work = []
    for number, server in enumerate(site.servers):
        work += asking(server, "/", load.plain)
        work += asking(server, "/session", load.sessions, logged_in(server))
        work += asking(server, "/limited", load.limits)
        work += site.say(number, load.said)
    found = site.measure(*work)
    rows = [
        Row(
            f"worker {number} with {listeners.count} listeners",
            costs.worker(load, listeners.count),
            found[number - 1],
        )
        for number, listeners in enumerate(site.listeners, 1)
    ]
    rows.append(Row("Redis", costs.redis(load), found[-1]))
    sums = [sum(column) for column in zip(*((r.predicted, r.measured) for r in rows), strict=True)]
    return [*rows, Row("all", *sums)]


def _measure_requests(costs: Costs, site: Site, times: int) -> None:
    """What one worker spends by itself."""
    server = site.servers[0]

    def cost(path: str, cookie: str = "") -> list[float]:
        site.measure(*asking(server, path, times // 4, cookie))
        return [1e6 * one / times for one in site.measure(*asking(server, path, times, cookie))]

    costs.plain = cost("/")[0]
    costs.blocking = cost("/blocking")[0]
    session = cost("/session", logged_in(server))
    costs.session, costs.redis_session = session[0] - costs.blocking, session[1]
    limit = cost("/limited")
    costs.limit, costs.redis_limit = limit[0] - costs.blocking, limit[1]
    costs.read = cost("/read")[0] - costs.blocking
    costs.note = cost("/changed")[0] - costs.blocking


def _per_message(site: Site, times: int) -> list[float]:
    """Microseconds of each worker, and of Redis, for what the first one says."""
    site.measure(*site.say(0, times // 4))
    return [1e6 * one / times for one in site.measure(*site.say(0, times))]


def _measure_messages(costs: Costs, site: Site, times: int, alone: list[float]) -> None:
    """What two workers spend on each other: with one listener each, and with many at the second.

    Args:
        alone: what the first spent when there was no other, and Redis.
    """
    few = _per_message(site, times)
    site.listeners[1].open(LISTENERS, site.heard)
    many = _per_message(site, times)
    costs.frame = (many[1] - few[1]) / LISTENERS
    costs.message = few[1] - costs.frame
    costs.publish = alone[0] - costs.plain - costs.frame
    costs.answer = few[0] - alone[0]
    costs.redis_publish = alone[-1]
    costs.redis_answer = few[-1] - alone[-1]


def section(engine: str, costs: Costs, rows: list[Row]) -> str:
    """Of one engine, for the report."""
    names = [one.name for one in fields(Costs)]
    lines = [f"## {engine}\n", "| cost | µs of processor time |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {getattr(costs, name):.0f} |" for name in names]
    lines += [
        "\nFour workers with a mixed load:\n",
        "| process | predicted | measured | off by |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.predicted:.2f} s | {row.measured:.2f} s | {row.off:+.0%} |"
        for row in rows
    ]
    lines += [
        "\nMessages a second, said by all workers together in one room that all of them have:\n",
        "| workers | take half of each worker's core | take all of Redis' core |",
        "|---|---|---|",
    ]
    for size in SIZES:
        workers, redis = costs.messages(size)
        lines.append(f"| {size} | {workers:,.0f} | {redis:,.0f} |")
    return "\n".join(lines) + "\n"


def _times(text: str) -> int:
    """As many, or a few more, so that each client has the same share of a quarter of them."""
    share = 4 * CLIENTS
    return max(1, -(-int(text) // share)) * share


def main() -> int:
    """Run the command line; return the exit code."""
    made = parser("scaling", __doc__, 0)
    made.add_argument("--times", type=_times, default=2000, help="requests of each measurement")
    options = made.parse_args()
    about = describe()
    parts = [
        "# Scaling\n",
        f"{time.strftime('%Y-%m-%d')}, {about['processor']}, {about['cores']} cores,"
        f" {about['python']}. {options.note}\n",
        "Each worker is a server by itself; they share a Redis. Constants come of one and two"
        f" workers, {options.times:,} requests each.\n",
    ]
    is_off = False
    for engine in options.engine or ENGINES[:2]:
        costs, rows = run(engine, options.times)
        parts.append(section(engine, costs, rows))
        is_off |= abs(rows[-1].off) > OFF
        save(options.report, "scaling", "\n".join(parts), {})
    return 1 if is_off else 0


if __name__ == "__main__":
    sys.exit(main())
