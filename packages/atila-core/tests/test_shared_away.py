"""Shared state that cannot be had for a while: what is raised, and what is there afterwards."""

from __future__ import annotations

import gc
import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from atila import SharedUnavailable
from atila.runtime.allocation import allocate
from atila.runtime.shared_embedded import EmbeddedShared
from atila.runtime.store import SharedStore
from atila.runtime.updates import Updates
from atila.testing.waits import PATIENCE, wait_until

FORK = multiprocessing.get_context("fork")


class Limit:
    """Lets files of this process have no more than so many bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *error: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


def in_child(function: Callable[[], object]) -> None:
    child = FORK.Process(target=function)
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    shared, other = EmbeddedShared(tmp_path / "run"), EmbeddedShared(tmp_path / "run")
    shared.set("s", "pad", b"x" * 1000)
    assert other.get("s", "pad") == b"x" * 1000

    def work() -> None:
        with Limit(200_000):
            for _ in range(3):
                with pytest.raises(SharedUnavailable) as raised:
                    shared.set("s", "pad", b"y" * 400_000)
                assert raised.value.code == 503
                assert ("retry-after", "1") in raised.value.headers
                # What is smaller has a place; what was there is there.
                shared.incr("s", "n")
                assert shared.get("s", "pad") == b"x" * 1000
            with shared.lock("s"):
                shared.set("s", "one", b"1")
                with pytest.raises(SharedUnavailable):
                    shared.set("s", "pad", b"y" * 400_000)
            assert shared.get("s", "one") == b"1"
        shared.set("s", "pad", b"y" * 400_000)
        shared.close()

    in_child(work)
    assert other.get("s", "n") == b"3"
    assert other.get("s", "pad") == b"y" * 400_000
    other.set("s", "pad", b"z")
    assert shared.get("s", "pad") == b"z"


def test_a_commit_that_fails_is_undone(tmp_path: Path) -> None:
    shared = EmbeddedShared(tmp_path / "run")
    shared.set("s", "n", b"1")
    assert shared._files is not None
    # Left open, as after an error that SQLite does not undo itself.
    shared._files.writer.execute("begin immediate")
    with pytest.raises(SharedUnavailable):
        shared.set("s", "n", b"2")
    assert shared.get("s", "n") == b"1"
    shared.set("s", "n", b"3")
    assert EmbeddedShared(tmp_path / "run").get("s", "n") == b"3"


def test_it_cannot_even_be_made(tmp_path: Path) -> None:
    def work() -> None:
        shared = EmbeddedShared(tmp_path / "run")
        # Descriptors that earlier tests left in cycles are not to be closed just then.
        gc.collect()
        with Limit(0):
            before = set(Path("/proc/self/fd").iterdir())
            for _ in range(5):
                with pytest.raises(SharedUnavailable):
                    shared.get("s", "n")
                with pytest.raises(SharedUnavailable):
                    shared.check()
            assert len(set(Path("/proc/self/fd").iterdir())) == len(before)
        shared.check()
        assert shared.incr("s", "n") == 1

    in_child(work)


def test_what_nobody_uses_is_not_made_by_a_check(tmp_path: Path) -> None:
    EmbeddedShared(tmp_path / "run").check()
    assert not (tmp_path / "run").exists()


def test_a_mapped_file_has_its_place(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"abc")
        file.flush()
        allocate(file.fileno(), 100_000)
        assert (tmp_path / "file").stat().st_blocks * 512 >= 100_000
        assert (tmp_path / "file").read_bytes() == b"abc" + bytes(99_997)

        def work() -> None:
            with Limit(150_000), pytest.raises(OSError, match=r"too large|space"):
                allocate(file.fileno(), 200_000)

        in_child(work)


class Away(EmbeddedShared):
    """One that can be taken away."""

    is_away = True

    def _open(self):
        if self.is_away:
            raise SharedUnavailable("away")
        return super()._open()


def test_first_values_are_sent_later(tmp_path: Path) -> None:
    shared, store = Away(tmp_path / "run"), SharedStore()
    store.set("early", 1)
    store.attach(shared, "store")
    store.set("in setup", 2)
    store.serve()
    for use in (lambda: store["early"], lambda: store.set("late", 3), lambda: list(store)):
        with pytest.raises(SharedUnavailable):
            use()
    shared.is_away = False
    store.set("late", 3)
    assert dict(store) == {"early": 1, "in setup": 2, "late": 3}


def test_updates_are_noted_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shared = Away(tmp_path / "run")
    updates, other = Updates(shared), Updates(EmbeddedShared(tmp_path / "run"))
    with pytest.raises(SharedUnavailable):
        updates.set("tables.users")
    with pytest.raises(SharedUnavailable):
        updates.get("tables.users")
    assert other.get("tables.users") == 0.0
    shared.is_away = False
    wait_until(lambda: other.get("tables.users") > 0.0, "it is noted")
    wait_until(lambda: not updates._owed, "nothing is owed")
    assert updates.get("tables.users") == other.get("tables.users")
    shared._files = None
    shared.is_away = True
    with pytest.raises(SharedUnavailable):
        updates.set("tables.photos")
    updates.close()
    assert "tables.photos could not be noted before the end" in caplog.text
