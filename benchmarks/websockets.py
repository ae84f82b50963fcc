"""WebSockets: memory of an idle connection, and echoes: ``python -m benchmarks.websockets``.

Memory is measured with one server alive at a time; echoes with all of them, which are idle but for
the one whose turn it is: turns are short, since the speed of a machine changes from second to
second. Connections are raw sockets without compression. Ratios are to Starlette on uvicorn in the
same round, and medians of the rounds.
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
from typing import Any

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
    Contestant(
        "raw-rsgi-duty",
        "RSGI function with a framework's duty · granian",
        f"{GRANIAN} --interface rsgi --loop uvloop benchmarks.apps.raw_sockets_rsgi_duty:app",
        ("granian",),
        "limit",
    ),
    Contestant(
        "raw-asgi",
        "ASGI function · uvicorn",
        f"{UVICORN} benchmarks.apps.raw_sockets_asgi:app",
        ON_UVICORN,
        "limit",
    ),
    Contestant(
        "raw-asgi-duty",
        "ASGI function with a framework's duty · uvicorn",
        f"{UVICORN} benchmarks.apps.raw_sockets_asgi_duty:app",
        ON_UVICORN,
        "limit",
    ),
)
PATHS = ("/echo", "/chatty", "/nopool", "/reporty")


@dataclass(frozen=True, slots=True)
class Memory:
    """What connections cost one server.

    Attributes:
        idle: resident bytes of an open connection on which nothing was sent yet.
        used: the same after one echo on each.
    """

    idle: float
    used: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What one server did in one turn.

    Attributes:
        rate: messages per second that came back.
        cpu: microseconds of processor that the server took for each.
    """

    rate: float
    cpu: float


Echoes = dict[str, list[Speed]]
"""By the name of the contestant and the path, the rounds."""


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


def measure_memory(server: Server, count: int, path: str) -> Memory:
    """Open connections, and use each of them once."""
    with contextlib.ExitStack() as stack:
        warm = [stack.enter_context(connect(server.port, path)) for _ in range(WARM_UP)]
        for connection in warm:
            echo_once(connection)
        settle(warm, SETTLE_SECONDS)
        before = _resident(server)
        idle: list[socket.socket] = []
        while len(idle) < count:
            idle.append(stack.enter_context(connect(server.port, path)))
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
    return Memory((opened - before) / count, (used - before) / count)


def measure_speed(server: Server, seconds: float, path: str) -> Speed:
    """One turn of echoes."""
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connect(server.port, path)) for _ in range(ECHOING)]
        echo_rate(busy, seconds / 4)
        for connection in busy:
            receive(connection)
        began = _cpu(server)
        number = echo_rate(busy, seconds)
        return Speed(number / seconds, 1e6 * (_cpu(server) - began) / number)


def run_memory(chosen: list[Contestant], count: int) -> dict[str, Memory]:
    """All contestants, one after the other."""
    found = {}
    for contestant in chosen:
        print(f"memory  {contestant.name}", file=sys.stderr, flush=True)
        try:
            with running(contestant) as server:
                found[contestant.name] = measure_memory(server, count, PATHS[0])
        except (OSError, ServerFailed) as error:
            print(f"  FAILED: {error}", file=sys.stderr, flush=True)
    return found


def run_echoes(chosen: list[Contestant], rounds: int, seconds: float) -> Echoes:
    """All contestants and their paths, in turns."""
    found: Echoes = {}
    with contextlib.ExitStack() as stack:
        servers = {contestant: stack.enter_context(running(contestant)) for contestant in chosen}
        for number in range(rounds):
            print(f"echoes  round {number + 1}/{rounds}", file=sys.stderr, flush=True)
            for contestant, server in servers.items():
                for path in PATHS if contestant.kind == "ours" else PATHS[:1]:
                    speed = measure_speed(server, seconds, path)
                    found.setdefault(f"{contestant.name} {path}", []).append(speed)
    return found


def memory_table(found: dict[str, Memory]) -> list[str]:
    """The memory of connections as lines of text, with ratios to Starlette."""
    base = found[BASE]
    lines = ["| contestant | KiB/connection, idle | after an echo |", "|---|---|---|"]
    for name, each in found.items():
        lines.append(
            f"| {name} | {each.idle / 1024:.1f} ({each.idle / base.idle:.2f}x)"
            f" | {each.used / 1024:.1f} ({each.used / base.used:.2f}x) |"
        )
    return lines


def echo_table(found: Echoes) -> list[str]:
    """The echoes as lines of text, with ratios to Starlette."""
    base = found[f"{BASE} {PATHS[0]}"]
    lines = ["| contestant | echoes/s | CPU µs/echo |", "|---|---|---|"]
    for name, rounds in found.items():
        rate, cpu = median(each.rate for each in rounds), median(each.cpu for each in rounds)
        rates = median(ours.rate / theirs.rate for ours, theirs in zip(rounds, base, strict=True))
        cpus = median(ours.cpu / theirs.cpu for ours, theirs in zip(rounds, base, strict=True))
        lines.append(f"| {name} | {rate:.0f} ({rates:.2f}x) | {cpu:.1f} ({cpus:.2f}x) |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websockets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--duration", type=float, default=0.7, help="seconds of a turn")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Servers inherit it; Starlette's side needs it as well as ours.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    only = set(filter(None, options.only.split(",")))
    chosen = [each for each in CONTESTANTS if not only or each.name in only | {BASE}]
    used = run_memory(chosen, options.connections) if options.connections else {}
    echoes = run_echoes(chosen, options.rounds, options.duration) if options.rounds else {}
    if options.json:
        print(json.dumps({"memory": _plain(used), "echoes": _plain(echoes)}))
        return
    print(
        "\n".join([*(memory_table(used) if used else []), *(echo_table(echoes) if echoes else [])])
    )


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [asdict(each) for each in value] if isinstance(value, list) else asdict(value)
        for name, value in found.items()
    }


if __name__ == "__main__":
    main()
