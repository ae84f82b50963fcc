"""WebSockets: memory of an idle connection, and echoes: ``python -m benchmarks.websockets``.

Every contestant is measured in each round, one server alive at a time. Connections are raw sockets
without compression. Ratios are to Starlette on uvicorn in the same run.
"""

import argparse
import contextlib
import json
import resource
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks import memory
from benchmarks.contestants import ATILA_SERVE, GRANIAN, ON_UVICORN, OURS, UVICORN, Contestant
from benchmarks.servers import HOST, Server, ServerFailed, running

CONNECTIONS = 5000
ECHOING = 64
"""Connections that echo at a time, with one message under way on each."""
MESSAGE = b"x" * 100
WARM_UP = 20
SETTLE_SECONDS = 1.0
STEP = 200
"""Connections after which pings are answered."""
BASE = "starlette-uvicorn"

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="

_ATILA = "benchmarks.apps.atila_sockets_app:app"
CONTESTANTS = (
    Contestant(
        BASE,
        "Starlette · uvicorn",
        f"{UVICORN} benchmarks.apps.starlette_sockets_app:app",
        ("starlette", "websockets", *ON_UVICORN),
    ),
    Contestant(
        "atila-granian",
        "Atila · granian",
        f"{ATILA_SERVE} --engine granian {_ATILA}",
        (*OURS, "granian"),
        "ours",
    ),
    Contestant(
        "atila-uvicorn", "Atila · uvicorn", f"{UVICORN} {_ATILA}", (*OURS, *ON_UVICORN), "ours"
    ),
    Contestant(
        "atila-skitai",
        "Atila · skitai",
        f"{ATILA_SERVE} --engine skitai {_ATILA}",
        (*OURS, "skitai"),
        "ours",
    ),
    Contestant(
        "raw-rsgi",
        "RSGI function · granian",
        f"{GRANIAN} --interface rsgi --loop uvloop benchmarks.apps.raw_sockets_rsgi:app",
        ("granian",),
        "limit",
    ),
)
PATHS = ("/echo", "/chatty", "/nopool", "/reporty")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server did in one round.

    Attributes:
        idle_bytes: resident bytes of an open connection on which nothing was sent yet.
        used_bytes: the same after one echo on each.
        echoes: messages per second that came back, by path.
        cpu_us: microseconds of processor that the server took for each, by path.
    """

    idle_bytes: float
    used_bytes: float
    echoes: dict[str, float]
    cpu_us: dict[str, float]


def connect(port: int, path: str) -> socket.socket:
    """A connection whose handshake is done.

    Raises:
        OSError: the server refused it.
    """
    connection = socket.create_connection((HOST, port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionRefusedError("no answer to the handshake")
        head += piece
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise ConnectionRefusedError(head[:100].decode("latin-1"))
    return connection


FRAME = b"\x81" + bytes([0x80 | len(MESSAGE)]) + b"\0\0\0\0" + MESSAGE
ECHO = b"\x81" + bytes([len(MESSAGE)]) + MESSAGE


PONG = b"\x8a\x80\0\0\0\0"


def receive(connection: socket.socket) -> bytes:
    """What comes next, without pings, which are answered."""
    back = connection.recv(4096)
    if not back:
        raise ConnectionResetError("closed instead of an echo")
    while back[:1] == b"\x89":
        connection.sendall(PONG)
        back = back[2 + back[1] :] or connection.recv(4096)
    return back


def echo_once(connection: socket.socket) -> None:
    """Send a message, and make sure that it comes back."""
    connection.sendall(FRAME)
    back = receive(connection)
    while len(back) < len(ECHO):
        back += receive(connection)
    if back != ECHO:
        raise ConnectionAbortedError(f"not an echo: {back[:40]!r}")


def settle(connections: list[socket.socket], seconds: float) -> None:
    """Let some time pass, and answer pings meanwhile: a server may close who does not."""
    poll = select.epoll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for number, _ in poll.poll(left):
            if not by_number[number].recv(4096):
                raise ConnectionResetError("an idle connection was closed")
            by_number[number].sendall(PONG)
    poll.close()


def echo_rate(connections: list[socket.socket], seconds: float) -> int:
    """How many echoes came back within some seconds, one under way on each connection."""
    poll = select.epoll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    for connection in connections:
        connection.sendall(FRAME)
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for number, _ in poll.poll(1):
            connection = by_number[number]
            if receive(connection) != ECHO:
                raise ConnectionAbortedError("not an echo")
            count += 1
            connection.sendall(FRAME)
    poll.close()
    return count


def _resident(server: Server) -> int:
    """Resident bytes of the server's largest process: the worker."""
    return max(usage.rss for usage in memory.snapshot(server.pid).values())


def _cpu(server: Server) -> float:
    return sum(usage.cpu for usage in memory.snapshot(server.pid).values())


def measure(server: Server, count: int, seconds: float, paths: tuple[str, ...]) -> Figures:
    """Measure one server."""
    with contextlib.ExitStack() as stack:
        warm = [stack.enter_context(connect(server.port, paths[0])) for _ in range(WARM_UP)]
        for connection in warm:
            echo_once(connection)
        settle(warm, SETTLE_SECONDS)
        before = _resident(server)
        idle: list[socket.socket] = []
        while len(idle) < count:
            idle.append(stack.enter_context(connect(server.port, paths[0])))
            if len(idle) % STEP == 0:
                settle([*warm, *idle], 0.01)
        settle([*warm, *idle], SETTLE_SECONDS)
        opened = _resident(server)
        for number, connection in enumerate(idle):
            echo_once(connection)
            if number % STEP == 0:
                settle([*warm, *idle], 0.01)
        settle([*warm, *idle], SETTLE_SECONDS)
        used = _resident(server)
    echoes, cpu = {}, {}
    for path in paths:
        with contextlib.ExitStack() as stack:
            busy = [stack.enter_context(connect(server.port, path)) for _ in range(ECHOING)]
            echo_rate(busy, min(1.0, seconds))
            for connection in busy:
                receive(connection)
            began = _cpu(server)
            number = echo_rate(busy, seconds)
            echoes[path], cpu[path] = number / seconds, 1e6 * (_cpu(server) - began) / number
    return Figures((opened - before) / count, (used - before) / count, echoes, cpu)


def run(rounds: int, count: int, seconds: float, only: set[str]) -> dict[str, list[Figures]]:
    """All contestants, round by round."""
    found: dict[str, list[Figures]] = {}
    for number in range(rounds):
        for contestant in CONTESTANTS:
            if only and contestant.name not in only | {BASE}:
                continue
            print(f"round {number + 1}/{rounds}  {contestant.name}", file=sys.stderr, flush=True)
            paths = PATHS if contestant.kind == "ours" else PATHS[:1]
            try:
                with running(contestant) as server:
                    figures = measure(server, count, seconds, paths)
            except (OSError, ServerFailed) as error:
                print(f"  FAILED: {error}", file=sys.stderr, flush=True)
                continue
            found.setdefault(contestant.name, []).append(figures)
    return found


def table(found: dict[str, list[Figures]]) -> list[str]:
    """The medians as lines of text, each with its ratio to Starlette."""
    lines = [
        "| contestant | KiB/connection, idle | after an echo | path | echoes/s | CPU µs/echo |"
    ]
    lines.append("|---|---|---|---|---|---|")
    base = found[BASE]
    idle_base = median(f.idle_bytes for f in base)
    used_base = median(f.used_bytes for f in base)
    rate_base = median(f.echoes["/echo"] for f in base)
    cpu_base = median(f.cpu_us["/echo"] for f in base)
    for name, figures in found.items():
        idle = median(f.idle_bytes for f in figures)
        used = median(f.used_bytes for f in figures)
        for path in figures[0].echoes:
            rate = median(f.echoes[path] for f in figures)
            cpu = median(f.cpu_us[path] for f in figures)
            lines.append(
                f"| {name} | {idle / 1024:.1f} ({idle / idle_base:.2f}x)"
                f" | {used / 1024:.1f} ({used / used_base:.2f}x) | {path}"
                f" | {rate:.0f} ({rate / rate_base:.2f}x) | {cpu:.1f} ({cpu / cpu_base:.2f}x) |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websockets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--duration", type=float, default=5.0)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Servers inherit it; Starlette's side needs it as well as ours.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    only = set(filter(None, options.only.split(",")))
    found = run(options.rounds, options.connections, options.duration, only)
    if options.json:
        print(json.dumps({name: [asdict(f) for f in each] for name, each in found.items()}))
    else:
        print("\n".join(table(found)))


if __name__ == "__main__":
    main()
