"""The faults of the chaos: each breaks a thing, looks what is answered meanwhile, and mends it."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import psycopg
from support.servers import Server

from trials.scenes import PATIENT, Scene

SECONDS = 1.5
"""How long a fault lasts."""
CUT = 3.0
"""How long the network is cut: longer than what is open waits for an answer at first."""
HOUR = 3600
FILE = b"x" * 3_000_000
UPSTREAM = ("hang", "reset", "half", "garbage", "refused")

Fault = Callable[[Scene], contextlib.AbstractContextManager[None]]
"""Within its block a thing is broken; when the block is left, it is mended."""


@contextlib.contextmanager
def worker_killed(scene: Scene) -> Iterator[None]:
    """SIGKILL of one of two workers."""
    victim = int(httpx.get(scene.server.url("/pid"), timeout=PATIENT).text)
    os.kill(victim, 9)
    yield


@contextlib.contextmanager
def connections_terminated(scene: Scene) -> Iterator[None]:
    """PostgreSQL ends all connections of the app, several times."""
    with psycopg.connect(f"postgresql://{scene.stage.postgresql.address}") as connection:
        for _ in range(5):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            time.sleep(SECONDS / 5)
    yield


@contextlib.contextmanager
def database_restarted(scene: Scene) -> Iterator[None]:
    """PostgreSQL crashes, is away, and starts again."""
    scene.stage.postgresql.stop("immediate")
    began = time.monotonic()
    found = scene.status("GET", "/item/1")
    scene.expect(found in (502, 503, 504), f"a query without a database was answered {found}")
    scene.expect(scene.status("GET", "/") == 200, "a route without a database failed, too")
    time.sleep(max(0.0, SECONDS - (time.monotonic() - began)))
    scene.stage.postgresql.start()
    yield


@contextlib.contextmanager
def redis_frozen(scene: Scene) -> Iterator[None]:
    """Redis takes connections and answers nothing."""
    redis = scene.stage.redis
    assert redis is not None
    redis.suspend()
    try:
        _while_redis_is_away(scene)
    finally:
        redis.resume()
    yield


@contextlib.contextmanager
def redis_killed(scene: Scene) -> Iterator[None]:
    """Redis is killed with all that it held, and starts empty."""
    redis = scene.stage.redis
    assert redis is not None
    redis.stop()
    try:
        _while_redis_is_away(scene)
    finally:
        redis.start()
    scene.counted[:] = [0, 0]
    yield


def _while_redis_is_away(scene: Scene) -> None:
    began = time.monotonic()
    status = scene.count()
    took = time.monotonic() - began
    scene.expect(status == 503, f"a count without Redis was answered {status}")
    scene.expect(took < 5, f"a count without Redis took {took:.1f} s")
    scene.expect(scene.status("GET", "/") == 200, "a route without shared state failed, too")
    scene.visit_in_vain()
    scene.expect(scene.status("GET", "/health/ready") == 503, "it was ready without Redis")


@contextlib.contextmanager
def upstream_lies(scene: Scene) -> Iterator[None]:
    """Servers that are asked hang, reset the connection, send half an answer or no HTTP."""
    for kind in UPSTREAM:
        began = time.monotonic()
        found = scene.status("GET", f"/ask/{kind}")
        took = time.monotonic() - began
        scene.expect(found in (502, 503, 504), f"of an upstream that does '{kind}': {found}")
        scene.expect(took < 5, f"of an upstream that does '{kind}': {took:.1f} s")
        scene.expect(scene.status("GET", "/") == 200, f"others failed while one did '{kind}'")
    yield


@contextlib.contextmanager
def disk_full(scene: Scene) -> Iterator[None]:
    """No byte is left for uploads."""
    assert scene.disk is not None
    whole = scene.status("POST", "/keep", files={"file": ("kept.bin", FILE)})
    scene.expect(whole == 200, f"an upload was answered {whole} before the disk was full")
    scene.disk.fill()
    found = scene.status("POST", "/keep", files={"file": ("new.bin", FILE)})
    again = scene.status("POST", "/keep", files={"file": ("kept.bin", FILE[::-1])})
    scene.expect(found >= 500 and again >= 500, f"uploads to a full disk: {found}, {again}")
    scene.expect(scene.status("GET", "/") == 200, "a full disk made other routes fail")
    scene.disk.empty()
    names = {path.name for path in scene.disk.folder.iterdir()}
    scene.expect(names == {"kept.bin"}, f"left on the disk: {sorted(names)}")
    kept = (scene.disk.folder / "kept.bin").read_bytes()
    scene.expect(kept == FILE, "what an upload should have replaced is not whole")
    (scene.disk.folder / "kept.bin").unlink(missing_ok=True)
    whole = scene.status("POST", "/keep", files={"file": ("kept.bin", FILE)})
    scene.expect(whole == 200, f"an upload was answered {whole} when there was room again")
    yield


@contextlib.contextmanager
def no_descriptors(scene: Scene) -> Iterator[None]:
    """A worker may open some files more, and clients take them all."""
    limits = []
    held: list[socket.socket] = []
    for process in scene.server.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            limits.append((process, process.rlimit(resource.RLIMIT_NOFILE)))
            most = process.num_fds() + 8
            process.rlimit(resource.RLIMIT_NOFILE, (most, limits[-1][1][1]))
    try:
        for _ in range(60):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", scene.server.port))
            held.append(one)
        time.sleep(SECONDS)
    finally:
        for one in held:
            one.close()
        for process, before in limits:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.rlimit(resource.RLIMIT_NOFILE, before)
    yield


@contextlib.contextmanager
def state_disk_full(scene: Scene) -> Iterator[None]:
    """No byte is left for the state that workers share."""
    assert scene.state_disk is not None
    big = {"text": "x" * 400_000}
    scene.state_disk.fill()
    began = time.monotonic()
    while time.monotonic() < began + SECONDS:
        # It may find a place in a file that is there; something large does not.
        found, large = scene.count(), scene.status("POST", "/note", data=big)
        scene.expect(found in (200, 503), f"a count without a disk was answered {found}")
        scene.expect(large == 503, f"a large value without a disk was answered {large}")
        scene.expect(scene.status("GET", "/") == 200, "a full disk made other routes fail")
        scene.visit()
    scene.expect(scene.status("GET", "/health/ready") == 503, "it was ready without a disk")
    scene.state_disk.empty()
    yield


@contextlib.contextmanager
def clock_jumps(scene: Scene) -> Iterator[None]:
    """The time of the day jumps an hour forward, and back."""
    assert scene.clock is not None
    scene.visit()
    for jump in (HOUR, 0):
        scene.clock.put(jump)
        # Sessions end at a time of the day.
        scene.visits = 0 if jump else scene.visits
        scene.visit()
        scene.expect(scene.count() == 200, f"a count failed when the clock was put {jump} s ahead")
        time.sleep(SECONDS / 2)
    yield


@contextlib.contextmanager
def host_cut_off(scene: Scene) -> Iterator[None]:
    """One of two hosts reaches neither PostgreSQL nor Redis nor, thereby, the other host."""
    cut, other = scene.servers
    with scene.hosts[0].cut():
        _while_cut(scene, [cut])
        for way in (("GET", "/item/1"), ("GET", "/health/ready")):
            found = scene.status(*way, server=other)
            scene.expect(found == 200, f"{way[1]} of the other host was answered {found}")
        found = scene.count(other)
        scene.expect(found == 200, f"a count on the other host was answered {found}")
    yield


@contextlib.contextmanager
def hosts_cut_off(scene: Scene) -> Iterator[None]:
    """No host reaches anything."""
    with contextlib.ExitStack() as stack:
        for host in scene.hosts:
            stack.enter_context(host.cut())
        _while_cut(scene, scene.servers)
    yield


def _while_cut(scene: Scene, servers: list[Server]) -> None:
    began = time.monotonic()
    for server in servers:
        since = time.monotonic()
        found = scene.count(server)
        took = time.monotonic() - since
        scene.expect(found == 503, f"a count on a host without a network was answered {found}")
        scene.expect(took < 6, f"a count on a host without a network took {took:.1f} s")
        found = scene.status("GET", "/health/ready", server)
        scene.expect(found == 503, f"/health/ready without a network was answered {found}")
        for path in ("/", "/health/live"):
            found = scene.status("GET", path, server)
            scene.expect(found == 200, f"{path} without a network was answered {found}")
    scene.visit_in_vain()
    time.sleep(max(0.0, CUT - (time.monotonic() - began)))


FAULTS: dict[str, dict[str, Fault]] = {
    "shared by Redis": {
        "worker killed": worker_killed,
        "connections terminated": connections_terminated,
        "database restarted": database_restarted,
        "Redis frozen": redis_frozen,
        "Redis killed": redis_killed,
        "upstream lies": upstream_lies,
        "disk full": disk_full,
        "no descriptors": no_descriptors,
        "clock jumps": clock_jumps,
    },
    "on a disk": {
        "state's disk full": state_disk_full,
        "worker killed, embedded state": worker_killed,
    },
    "of two hosts": {
        "one host cut off": host_cut_off,
        "both hosts cut off": hosts_cut_off,
        "connections terminated, two hosts": connections_terminated,
    },
}
"""By the scenes in which they happen."""
QUICK = ("worker killed", "connections terminated", "database restarted", "clock jumps")
"""Those of the short form."""
