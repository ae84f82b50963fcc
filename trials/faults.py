"""The faults of the chaos: each breaks a thing, looks what is answered meanwhile, and mends it."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import psutil
import psycopg
from support.disks import SmallDisk
from support.servers import Server

from trials.stage import Stage

PATIENT = 30.0
SECONDS = 1.5
"""How long a fault lasts."""
FILE = b"x" * 3_000_000
UPSTREAM = ("hang", "reset", "half", "garbage", "refused")


@dataclass
class Scene:
    """What faults act on.

    Attributes:
        wrong: what was not as it should be, in words.
        notes: what was seen.
        counted: increments of the counter that were answered 200, and those that were not.
    """

    stage: Stage
    server: Server
    disk: SmallDisk | None = None
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counted: list[int] = field(default_factory=lambda: [0, 0])

    def expect(self, right: object, what: str) -> None:
        if not right:
            self.wrong.append(what)

    def status(self, method: str, path: str, **more: object) -> int:
        """The status of a request on a connection of its own; 0 if there was no answer."""
        try:
            return httpx.request(method, self.server.url(path), timeout=PATIENT, **more).status_code  # type: ignore[arg-type] # they are httpx's
        except httpx.HTTPError:
            return 0

    def count(self) -> int:
        """Increment the counter in the shared state."""
        status = self.status("POST", "/count")
        self.counted[status != 200] += 1
        return status


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
    _compare_counter(scene)


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
    _compare_counter(scene)


def _while_redis_is_away(scene: Scene) -> None:
    began = time.monotonic()
    status = scene.count()
    took = time.monotonic() - began
    scene.expect(status == 503, f"a count without Redis was answered {status}")
    scene.expect(took < 5, f"a count without Redis took {took:.1f} s")
    scene.expect(scene.status("GET", "/") == 200, "a route without shared state failed, too")
    scene.expect(scene.status("GET", "/visit") == 200, "a session without Redis failed")
    scene.expect(scene.status("GET", "/health/ready") == 503, "it was ready without Redis")


def _compare_counter(scene: Scene) -> None:
    for _ in range(20):
        scene.count()
    answer = httpx.get(scene.server.url("/counted"), timeout=PATIENT)
    held, (right, failed) = int(answer.text), scene.counted
    what = f"{right} counts were answered 200, {failed} were not, {held} are held"
    scene.expect(right <= held <= right + failed, what)


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
    if scene.disk is None:
        yield
        return
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


FAULTS: dict[str, Fault] = {
    "worker killed": worker_killed,
    "connections terminated": connections_terminated,
    "database restarted": database_restarted,
    "Redis frozen": redis_frozen,
    "Redis killed": redis_killed,
    "upstream lies": upstream_lies,
    "disk full": disk_full,
    "no descriptors": no_descriptors,
}
QUICK = ("worker killed", "connections terminated", "database restarted")
"""Those of the short form."""
