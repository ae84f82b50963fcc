"""Handlers that wait for another site: ``python -m benchmarks.waiting``.

1,000 requests at once, each of which waits 100 ms for an upstream, on one worker with four threads:
a server that gives a thread to each needs 25 s. Then the same connections ask on and on.
"""

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.contestants import ATILA_SERVE, GRANIAN, UVICORN, Contestant
from benchmarks.generator import STALL_SECONDS, Generator, parse
from benchmarks.memory import snapshot
from benchmarks.servers import HOST, ROOT, ServerFailed, running

CONNECTIONS = 1_000
WAVES = 5
"""The first opens the connections to the upstream and does not count."""
STALLED = f"no answer in {STALL_SECONDS:.0f} s"

YIELDING = "atila-granian-yielding"
PATHS = {YIELDING: "/late-yielding"}
"""The pages of those that have another than "/late"."""

CONTESTANTS = (
    Contestant(
        "atila-granian",
        "Atila async def · granian",
        f"{ATILA_SERVE} --engine granian --threads 4 benchmarks.apps.waiting_atila_app:app",
        ("atila-tasks", "granian"),
        "ours",
    ),
    Contestant(
        YIELDING,
        "Atila generator coroutine · granian",
        f"{ATILA_SERVE} --engine granian --threads 4 benchmarks.apps.waiting_atila_app:app",
        ("atila-tasks", "granian"),
        "ours",
    ),
    Contestant(
        "fastapi-aiohttp",
        "FastAPI async def, aiohttp · uvicorn",
        f"{UVICORN} benchmarks.apps.waiting_fastapi_app:app",
        ("fastapi", "aiohttp"),
    ),
    Contestant(
        "raw-rsgi",
        "RSGI function, aiohttp · granian",
        f"{GRANIAN} --interface rsgi benchmarks.apps.waiting_raw_rsgi:app",
        ("granian", "aiohttp"),
        "limit",
    ),
    Contestant(
        "raw-rsgi-thread",
        "RSGI function in threads, aiohttp · granian",
        f"{GRANIAN} --interface rsgi benchmarks.apps.waiting_raw_rsgi_thread:app",
        ("granian", "aiohttp"),
        "limit",
    ),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Seconds from the first of 1,000 requests to the last answer, the median of the waves;
    answers per second while 1,000 connections ask on and on; how many of these had waited for
    more than two seconds at the end; and the milliseconds of processor time that the server took
    for an answer, which says more than the others when the machine is busy.
    """

    contestant: str
    wave_s: float
    rps: float
    stalled: int
    cpu_ms: float


def measure(contestant: Contestant, seconds: float) -> Waiting:
    """Let 1,000 requests in at once, several times, and then all the time."""
    path = PATHS.get(contestant.name, "/late")
    with running(contestant) as server:
        address = (HOST, server.port)
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n\r\n".encode()
        with _connected(address) as sockets:
            waves = [_wave(request, sockets) for _ in range(WAVES)][1:]
        body = _ask(address, request)
        before = _cpu(server.pid)
        tally = Generator(address, path, body, CONNECTIONS).run(seconds)
        used = _cpu(server.pid) - before
        stalled = tally.errors.pop(STALLED, 0)
        if tally.errors:
            raise ServerFailed(f"{contestant.name}: {tally.errors}\n{server.log_tail()}")
    rps, cpu_ms = tally.right / tally.elapsed, 1000 * used / tally.right
    return Waiting(contestant.name, median(waves), rps, stalled, cpu_ms)


def _cpu(pid: int) -> float:
    return sum(usage.cpu for usage in snapshot(pid).values())


@contextmanager
def _connected(address: tuple[str, int]) -> Iterator[list[socket.socket]]:
    sockets = [socket.create_connection(address, timeout=10) for _ in range(CONNECTIONS)]
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


def _wave(request: bytes, sockets: list[socket.socket]) -> float:
    received = dict.fromkeys(sockets, b"")
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        started = time.perf_counter()
        for one in sockets:
            one.sendall(request)
        left = len(sockets)
        while left:
            for key, _ in selector.select(10):
                one = key.fileobj
                data = one.recv(65536)
                received[one] += data
                answer = parse(received[one])
                if answer is None and data:
                    continue
                if answer is None or answer.status != 200:
                    raise ServerFailed(f"answered {received[one][:200]!r}")
                selector.unregister(one)
                left -= 1
        return time.perf_counter() - started


def _ask(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, timeout=10) as one:
        one.sendall(request)
        data = b""
        while (answer := parse(data)) is None:
            data += one.recv(65536)
        return answer.body


@contextmanager
def upstream() -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "apps" / "upstream.py"), str(port)]
    )
    os.environ["UPSTREAM"] = f"http://{HOST}:{port}"
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--duration", type=float, default=5.0, help="seconds of the second part")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all contestants")
    options = parser.parse_args()
    found: dict[str, list[Waiting]] = {each.name: [] for each in CONTESTANTS}
    with upstream():
        for _ in range(options.rounds):
            for contestant in CONTESTANTS:
                found[contestant.name].append(measure(contestant, options.duration))
    if options.json:
        print(json.dumps([asdict(one) for all_ in found.values() for one in all_]))
        return
    base = median(one.rps for one in found["fastapi-aiohttp"])
    print(f"{CONNECTIONS} requests at once, each waits 100 ms for an upstream")
    print(f"  {'':36}{'all, s':>8}{'answers/s':>11}{'vs FastAPI':>12}{'stalled':>9}{'CPU ms':>8}")
    for contestant in CONTESTANTS:
        ones = found[contestant.name]
        wave = median(one.wave_s for one in ones)
        rps = median(one.rps for one in ones)
        stalled = median(one.stalled for one in ones)
        cpu = median(one.cpu_ms for one in ones)
        print(
            f"  {contestant.label:36}{wave:8.2f}{rps:11,.0f}{rps / base:11.2f}x{stalled:9.0f}"
            f"{cpu:8.2f}"
        )


if __name__ == "__main__":
    main()
