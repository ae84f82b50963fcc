"""The state that workers share goes away, and comes back: 503 for those that need it, not ready,
and all is as before without anybody's doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from support.disks import SmallDisk, small_disk
from support.servers import Server, serving
from support.wire import Answer, Broken
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE, patience, wait_until
from atila_tasks.testing import RedisServer

AWAY = Path(__file__).with_name("apps") / "away.py"
WRITES = (
    "/set?name=a&value=1",
    "/held?value=x",
    "/incr",
    "/setlu",
    "/limited",
)
READS = ("/get?name=a", "/getlu")

engines = ("skitai", "granian", "uvicorn")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


def client_of(store: RedisServer) -> Any:
    return redis.Redis(port=store.port)


def fail_to_save(store: RedisServer) -> None:
    """MISCONF: what is written could not be saved."""
    client = client_of(store)
    with tempfile.TemporaryDirectory() as gone:
        client.config_set("dir", gone)
    client.config_set("save", "3600 1")
    client.bgsave()
    wait_until(
        lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "it cannot be saved"
    )


class EndlessData:
    """Has Redis load data from a pipe in the place of its file, until it is to be there again.

    Redis looks at its connections each 2 MiB that it loads; keys that have expired it drops.
    """

    SIZE = 2**21
    PIECE = b"\xfc" + bytes(8) + b"\x00\x01k\x80" + SIZE.to_bytes(4, "big") + bytes(SIZE)
    """A key in the format of such files: when it has expired, its type, name and value."""
    END = b"\xff" + bytes(8)
    """The end, with no checksum."""

    def __init__(self) -> None:
        self._is_enough = threading.Event()
        self._feeder: threading.Thread | None = None

    def begin(self, store: RedisServer) -> None:
        """Restart Redis, which then never has loaded everything."""
        path = Path(client_of(store).config_get("dir")["dir"], "dump.rdb")
        store.stop()
        os.mkfifo(path)
        self._is_enough.clear()
        self._feeder = threading.Thread(target=self._feed, args=(path,), daemon=True)
        self._feeder.start()
        store.start()

    def _feed(self, path: Path) -> None:
        with contextlib.suppress(BrokenPipeError), path.open("wb", buffering=0) as pipe:
            pipe.write(b"REDIS0009")
            while not self._is_enough.wait(0.01):
                pipe.write(self.PIECE)
            pipe.write(self.END)

    def end(self, store: RedisServer) -> None:
        """Let it have all."""
        self._is_enough.set()
        if self._feeder is not None:
            self._feeder.join(PATIENCE)


DATA = EndlessData()
FAULTS: dict[str, tuple[Callable[[RedisServer], object], Callable[[RedisServer], object], bool]] = {
    # How it is broken, how mended, and whether it still can be read.
    "down": (RedisServer.stop, RedisServer.start, False),
    "loading": (DATA.begin, DATA.end, False),
    "hung": (RedisServer.suspend, RedisServer.resume, False),
    "no memory": (
        lambda store: client_of(store).config_set("maxmemory", "1"),
        lambda store: client_of(store).config_set("maxmemory", "0"),
        True,
    ),
    "read only": (
        lambda store: client_of(store).replicaof("127.0.0.1", "1"),
        lambda store: client_of(store).replicaof("no", "one"),
        True,
    ),
    "not saved": (fail_to_save, lambda store: client_of(store).config_set("save", ""), True),
}


def check_away(answer: Answer) -> None:
    assert answer.status == 503, answer.text
    assert answer.header("retry-after") == "1"
    assert json.loads(answer.text)["message"] == "Service Unavailable"
    assert "Redis" not in answer.text
    assert "disk" not in answer.text


def readiness(server: Server) -> tuple[int, Any]:
    answer = server.get("/health/ready")
    return answer.status, json.loads(answer.text)


READY = 200, {"status": "ok", "checks": {"shared-state": "ok"}}
NOT_READY = 503, {"status": "failed", "checks": {"shared-state": "failed"}}


def check_back(server: Server) -> None:
    wait_until(lambda: readiness(server) == READY, "it is ready again", log=server.log)
    for path in (*WRITES, *READS, "/room-less"):
        answer = server.get(path)
        assert answer.status == (404 if path == "/room-less" else 200), (path, answer.text)


@pytest.mark.parametrize("fault", FAULTS)
def test_redis(
    engine: str, fault: str, store: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED", f"redis://127.0.0.1:{store.port}?prefix=away")
    break_it, mend_it, can_be_read = FAULTS[fault]
    with serving(engine, AWAY) as server:
        pid = server.get("/pid").text
        for path in (*WRITES, *READS):
            assert server.get(path).status == 200, path
        assert readiness(server) == READY
        noted = json.loads(server.get("/getlu").text)["value"]
        break_it(store)
        try:
            began = time.monotonic()
            check_away(server.get(WRITES[0]))
            first = time.monotonic() - began
            began = time.monotonic()
            with ThreadPoolExecutor(16) as clients:
                for answer in clients.map(server.get, WRITES * 20):
                    check_away(answer)
            rest = time.monotonic() - began
            print(f"{engine}, {fault}: the first in {first:.2f} s, 100 others in {rest:.2f} s")
            # Only the first waits.
            assert rest < patience(2)
            for path in READS:
                answer = server.get(path)
                assert answer.status == 200 if can_be_read else check_away(answer) is None
            if not can_be_read:
                assert json.loads(server.get("/caught").text)["value"] == "away: 503"
            assert readiness(server) == NOT_READY
            assert server.get("/health/live").status == 200
            assert server.get("/").text == "ready"
        finally:
            mend_it(store)
        check_back(server)
        # What could not be noted is noted now.
        assert json.loads(server.get("/getlu").text)["value"] > noted
        assert server.get("/pid").text == pid
        assert "Traceback" not in server.log()
        assert "Redis: " in server.log() or "Redis has not answered" in server.log()
        assert ("Redis: BusyLoadingError: " in server.log()) == (fault == "loading")


def test_updates_are_noted_later(
    engine: str, store: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED", f"redis://127.0.0.1:{store.port}?prefix=away")
    with serving(engine, AWAY) as one, serving(engine, AWAY) as two:
        before = json.loads(two.get("/getlu").text)["value"]
        client_of(store).config_set("maxmemory", "1")
        check_away(one.get("/setlu"))
        # Its own event has come, and it knows itself.
        wait_until(lambda: json.loads(one.get("/told").text)["value"] == 1, "the event")
        assert json.loads(one.get("/getlu").text)["value"] > before
        assert json.loads(two.get("/getlu").text)["value"] == before
        client_of(store).config_set("maxmemory", "0")
        # Nobody asks the one that owes it.
        wait_until(
            lambda: json.loads(two.get("/getlu").text)["value"] > before,
            "the other knows",
            log=one.log,
        )


def test_a_start_while_redis_is_away(
    engine: str, store: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED", f"redis://127.0.0.1:{store.port}?prefix=away")
    store.stop()
    with serving(engine, AWAY) as server:
        check_away(server.get("/get?name=first"))
        assert readiness(server) == NOT_READY
        store.start()
        check_back(server)
        assert json.loads(server.get("/get?name=first").text) == {"value": 1}


@pytest.mark.parametrize("fault", ["down", "hung"])
def test_messages_after_redis_was_away(
    engine: str, fault: str, store: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED", f"redis://127.0.0.1:{store.port}?prefix=away")
    break_it, mend_it, _ = FAULTS[fault]
    with (
        serving(engine, AWAY) as one,
        serving(engine, AWAY) as two,
        connect(one.url("/room", "ws"), open_timeout=PATIENCE) as early,
    ):
        assert early.recv(PATIENCE)
        break_it(store)
        try:
            check_away(two.get(WRITES[0]))
            # One of those to whom nobody has listened yet; the server goes on meanwhile.
            with ThreadPoolExecutor(8) as clients:
                pushed = [clients.submit(two.get, "/push?text=lost") for _ in range(4)]
                began = time.monotonic()
                assert two.get("/").text == "ready"
                assert time.monotonic() - began < patience(2)
                assert {each.result().status for each in pushed} <= {200, 503}
        finally:
            mend_it(store)
        for server in (one, two):
            wait_until(lambda s=server: readiness(s) == READY, "it is ready", log=server.log)
        with connect(two.url("/room", "ws"), open_timeout=PATIENCE) as late:
            assert late.recv(PATIENCE)
            for number, server in enumerate((one, two)):

                def arrives(server: Server = server, number: int = number) -> bool:
                    answer = server.get(f"/push?text=push{number}")
                    return answer.status == 200 and json.loads(answer.text)["value"] == 2

                wait_until(arrives, "both hear of it", log=lambda: one.log() + two.log())
            for socket in (early, late):
                heard: list[str | bytes] = []
                while "push1" not in heard:
                    heard.append(socket.recv(PATIENCE))
                assert "push0" in heard


# The embedded state -------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    tmp_path.chmod(0o755)
    with small_disk(folder, 600) as disk:
        monkeypatch.setenv("TMPDIR", str(folder))
        yield disk


def workers_of(server: Server, least: int) -> set[str]:
    pids: set[str] = set()

    def all_answered() -> bool:
        with ThreadPoolExecutor(8) as clients:
            pids.update(answer.text for answer in clients.map(server.get, ["/pid"] * 8))
        return len(pids) >= least

    wait_until(all_answered, f"{least} workers answer", log=server.log)
    return pids


def test_the_disk_is_full(engine: str, disk: SmallDisk) -> None:
    with serving(engine, AWAY, 2) as server:
        before = workers_of(server, 2)
        for path in (*WRITES, *READS, "/fill?size=1000"):
            assert server.get(path).status == 200, path
        values = {path: server.get(path).text for path in READS}
        disk.fill()
        big = "/fill?size=400000"
        for path in (big, *WRITES, big, *WRITES):
            # Some may yet find a place in a file that is there.
            answer = server.get(path)
            assert answer.status in (200, 503)
            if path == big or answer.status == 503:
                check_away(answer)
        # All workers read what was there before.
        for _ in range(8):
            assert json.loads(server.get("/get?name=pad").text) == {"value": "x" * 1000}
            assert server.get("/get?name=first").text == '{"value":1}'
        assert values.keys() == set(READS)
        assert server.get("/").text == "ready"
        wait_until(lambda: readiness(server) == NOT_READY, "it is not ready", log=server.log)
        disk.empty()
        check_back(server)
        assert server.get("/fill?size=2000").status == 200
        for _ in range(8):
            assert json.loads(server.get("/get?name=pad").text) == {"value": "x" * 2000}
        # Nobody died of it.
        assert workers_of(server, 2) == before
        assert "Traceback" not in server.log()


def test_a_start_while_the_disk_is_full(
    engine: str, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS", "1")
    disk.fill()
    with serving(engine, AWAY, 2) as server:
        before = workers_of(server, 2)
        for _ in range(8):
            check_away(server.get("/incr"))
        # Their files have no place either, and are counted nevertheless.
        page = server.get("/metrics").text
        assert 'http_response_status_code="200",http_route="/pid"' in page, page
        disk.empty()
        wait_until(lambda: is_back(server), "it works", log=server.log)
        check_back(server)
        assert json.loads(server.get("/get?name=first").text) == {"value": 1}
        assert workers_of(server, 2) == before


def is_back(server: Server) -> bool:
    try:
        return all(server.get("/incr").status == 200 for _ in range(8))
    except (OSError, Broken):
        return False
