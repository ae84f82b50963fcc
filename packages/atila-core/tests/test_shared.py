"""State of workers: the stores, and what is beneath them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from atila import Atila, Mount, SetupError, Site
from atila.runtime import server_run
from atila.runtime.shared import PURGE_EVERY, LocalShared, Shared, choose
from atila.runtime.shared_embedded import EmbeddedShared
from atila.runtime.store import SharedStore, Store
from atila.runtime.updates import Updates
from atila.testing.waits import PATIENCE

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture(params=["local", "embedded"])
def shared(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shared]:
    shared = LocalShared() if request.param == "local" else EmbeddedShared(folder)
    yield shared
    shared.close()


@pytest.fixture
def store(shared: Shared) -> SharedStore:
    return serving(shared)


def serving(shared: Shared, space: str = "store") -> SharedStore:
    store = SharedStore()
    store.attach(shared, space)
    store.serve()
    return store


def in_child(function: Callable[[], object]) -> None:
    """Call a function in a forked process, and wait for it."""
    child = FORK.Process(target=function)
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0


VALUES = [
    None,
    True,
    0,
    -(2**63),
    2**64 - 1,
    1.5,
    "",
    "häl\x00",
    [],
    [1, ["a"]],
    {"a": {"b": None}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values(store: SharedStore, value: object) -> None:
    store["x"] = value
    assert store["x"] == value
    assert type(store["x"]) is type(value)
    assert "x" in store


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", {1: 2}, {1, 2}, datetime.now(UTC), 10**5000, "\ud800", [open]],
    # Named without what differs from run to run, since workers compare what they have collected.
    ids=["object", "bytes", "key", "set", "time", "integer", "surrogate", "function"],
)
def test_what_cannot_be_shared(store: SharedStore, value: object) -> None:
    with pytest.raises(TypeError, match=r"'x'.*app\.g"):
        store["x"] = value
    assert "x" not in store


def test_names_are_strings(store: SharedStore) -> None:
    with pytest.raises(TypeError, match="int"):
        store[1] = 1  # type: ignore[index]
    assert 1 not in store


def test_as_a_dict(store: SharedStore) -> None:
    store.update(a=1, b=2)
    store.set("c", 3)
    assert (dict(store), len(store), sorted(store)) == (
        {"a": 1, "b": 2, "c": 3},
        3,
        ["a", "b", "c"],
    )
    assert (store.get("a"), store.get("none"), store.get("none", 5)) == (1, None, 5)
    assert (store.pop("a"), store.pop("a", None)) == (1, None)
    del store["b"]
    store.remove("b")
    store.delete("c")
    for gone in (lambda: store["b"], lambda: store.pop("b"), lambda: store.__delitem__("b")):
        with pytest.raises(KeyError, match="b"):
            gone()
    assert store.setdefault("d", []) == []
    assert store.setdefault("d", [1]) == []
    store.clear()
    assert not store


def test_spaces_are_apart(shared: Shared) -> None:
    one, other = serving(shared, "one"), serving(shared, "other")
    one["x"] = 1
    assert "x" not in other


def test_a_value_that_was_read_is_a_copy(store: SharedStore) -> None:
    store["x"] = ["a"]
    store["x"].append("b")
    assert store["x"] == ["a"]


def test_counting(store: SharedStore) -> None:
    assert [store.incr("n"), store.incr("n", 5), store.incr("n", -2)] == [1, 6, 4]
    for wrong in ("text", True, 1.5):
        store["n"] = wrong
        with pytest.raises(TypeError, match="integer"):
            store.incr("n")
        assert store["n"] == wrong


def test_one_of_many_adds(store: SharedStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda n: store.add("nonce", n), range(50))) == 1


def test_threads_lose_nothing(store: SharedStore) -> None:
    def count(_: int) -> None:
        for _ in range(25):
            store.incr("by incr")
            with store:
                store["held"] = store.get("held", 0) + 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(8)))
    assert (store["by incr"], store["held"]) == (200, 200)


def test_time_limits(store: SharedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    store.set("short", 1, timeout=10)
    store.set("long", 1, 100)
    store.incr("short")
    now += 11
    assert ("short" in store, "long" in store, list(store)) == (False, True, ["long"])
    assert store.pop("short", None) is None
    store.set("short", 1, timeout=10)
    now += 11
    assert store.incr("short") == 1, "a new value"
    now += 1000
    assert store["short"] == 1, "a value without a limit"
    assert store.add("long", 2)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_the_clock_jumps(shared: Shared, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    moment, later = time.monotonic(), time.time() + jump
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    shared.set("space", "name", b"1", 10)
    monkeypatch.setattr(time, "time", lambda: later)
    assert shared.get("space", "name") == b"1"
    moment += 11
    assert shared.get("space", "name") is None


def test_lasting_files_go_by_the_time_of_the_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monotonic clock begins anew when the system starts."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    shared = EmbeddedShared(folder, lasting=True)
    shared.set("space", "name", b"1", 10)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    assert shared.get("space", "name") == b"1"
    now += 11
    assert shared.get("space", "name") is None


def test_what_has_ended_is_deleted(shared: Shared) -> None:
    for number in range(PURGE_EVERY * 2):
        shared.set("space", str(number), b"1", 1e-6)
    with shared.lock("space"):
        if isinstance(shared, EmbeddedShared):
            assert shared._files is not None
            ((count,),) = shared._files.reader.execute("select count(*) from entries")
        else:
            assert isinstance(shared, LocalShared)
            count = len(shared._spaces["space"])
    assert count <= PURGE_EVERY


def test_first_values_undo_nothing(shared: Shared) -> None:
    def start() -> SharedStore:
        store = SharedStore()
        store.set("num-nodes", 0)
        assert store["num-nodes"] == 0
        store.attach(shared, "store")
        store["in setup"] = 1
        store.serve()
        return store

    first = start()
    assert dict(first) == {"num-nodes": 0, "in setup": 1}
    first.update({"num-nodes": 5, "in setup": 6})
    assert dict(start()) == {"num-nodes": 5, "in setup": 6}
    first.detach(LocalShared())
    assert first["num-nodes"] == 5
    first.detach(shared)
    assert dict(first) == {"num-nodes": 0}


def test_updates(shared: Shared) -> None:
    updates = Updates(shared)
    assert updates.get("a", "b") == 0.0
    before = time.time()
    noted = [updates.set("a") for _ in range(50)]
    assert noted == sorted(set(noted))
    assert before <= noted[0] <= noted[-1] <= time.time() + 0.1
    assert updates.get("a") == updates.get("b", "a") == noted[-1]
    assert updates.set("b") == updates.get("a", "b")


def test_nothing_tells_values(store: SharedStore) -> None:
    store["name"] = "secret"
    private = Store()
    private["name"] = "secret"
    assert "secret" not in repr(store) + repr(private)


def test_a_store_of_one_process_takes_anything() -> None:
    store = Store()
    store["x"] = value = object()
    assert store["x"] is value
    assert [store.incr("n"), store.incr("n", 2)] == [1, 3]
    store.delete("n")
    store.delete("n")
    assert list(store) == ["x"]


# Processes ----------------------------------------------------------------------------------------


def test_two_users_see_each_other(folder: Path) -> None:
    one, other = serving(EmbeddedShared(folder)), serving(EmbeddedShared(folder))
    for number in range(20):
        one["x"] = number
        assert other["x"] == number
        other["x"] = -number
        assert one["x"] == -number
    del one["x"]
    assert "x" not in other


def test_processes_lose_nothing(folder: Path) -> None:
    store = serving(EmbeddedShared(folder))
    store["forked"] = "before"

    def count() -> None:
        assert store["forked"] == "before"
        for _ in range(100):
            store.incr("by incr")
            with store:
                store["held"] = store.get("held", 0) + 1

    children = [FORK.Process(target=count) for _ in range(3)]
    for child in children:
        child.start()
    count()
    for child in children:
        child.join(PATIENCE)
        assert child.exitcode == 0
    assert (store["by incr"], store["held"]) == (400, 400)


def test_readers_never_see_what_is_old(folder: Path) -> None:
    """What one worker has written is there for another that asks after that."""
    store = serving(EmbeddedShared(folder))
    told = FORK.Value("q", 0)
    wrong = FORK.Value("q", 0)

    def write() -> None:
        for number in range(1, 400):
            store["x"] = number
            told.value = number

    def read() -> None:
        while (before := told.value) < 399:
            if store.get("x", 0) < before:
                wrong.value += 1

    children = [FORK.Process(target=task) for task in (write, read, read)]
    for child in children:
        child.start()
    for child in children:
        child.join(PATIENCE)
    assert wrong.value == 0
    assert store["x"] == 399


def test_writers_that_are_killed_break_nothing(folder: Path) -> None:
    store = serving(EmbeddedShared(folder))

    def write() -> None:
        while True:
            with store:
                store["a"] = store["b"] = store.incr("n")

    for round in range(10):
        child = FORK.Process(target=write)
        child.start()
        goal = store.get("n", 0) + 5
        while store.get("n", 0) < goal:
            time.sleep(0.001)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join(PATIENCE)
        # Nobody is locked out, nothing is cached that is not so.
        before = store["n"]
        assert store.incr("n") == before + 1
        assert serving(EmbeddedShared(folder))["n"] == store["n"], round


def test_a_count_that_stayed_odd_is_mended(folder: Path) -> None:
    one, other = EmbeddedShared(folder), EmbeddedShared(folder)
    one.set("s", "x", b"1")
    assert one._files is not None
    counts = one._files.counts
    slot = next(n for n in range(len(counts)) if counts[n])
    counts[slot] += 1  # As if the writer were killed.
    assert other.get("s", "x") == b"1"
    assert other._cache.get("s") is None
    one.set("s", "x", b"2")
    assert counts[slot] % 2 == 0
    assert other.get("s", "x") == b"2"
    assert other._cache["s"] == (counts[slot], {"x": (b"2", None)})


def test_files_are_private_and_made_at_need(folder: Path) -> None:
    shared = EmbeddedShared(folder)
    assert not folder.exists()
    shared.get("s", "x")
    assert folder.stat().st_mode & 0o777 == 0o700
    shared.close()
    with pytest.raises(RuntimeError, match="stopped"):
        shared.get("s", "x")


@pytest.mark.parametrize("trap", ["open", "link"])
def test_a_folder_of_somebody_else_is_refused(folder: Path, tmp_path: Path, trap: str) -> None:
    if trap == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="TMPDIR"):
        EmbeddedShared(folder).get("s", "x")


# Runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv(server_run.RUN, raising=False)
    return tmp_path


def test_who_is_alone_shares_nothing(temporary: Path) -> None:
    assert server_run.find_folder() is None
    assert isinstance(choose(), LocalShared)


def test_workers_find_the_folder_of_their_master(temporary: Path) -> None:
    with server_run.running() as folder:
        assert server_run.find_folder() == folder
        in_child(lambda: serving(choose()).set("x", 1))
        assert serving(choose())["x"] == 1
        assert isinstance(choose(alone=True), LocalShared)
    assert not folder.exists()
    assert server_run.RUN not in os.environ


def test_workers_of_others_have_their_parent_in_common(temporary: Path) -> None:
    in_child(lambda: serving(choose()).set("x", 1))
    (folder,) = temporary.iterdir()
    in_child(lambda: serving(choose()).__getitem__("x"))
    assert folder.name.startswith(f"atila-run-{os.getpid()}-")


def test_a_run_of_another_server_is_not_taken(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(server_run.RUN, "1:/nowhere")
    assert server_run.find_folder() is None


def test_what_killed_runs_left_is_removed(temporary: Path) -> None:
    over = temporary / "atila-run-999999999-17-abc"
    used = temporary / "atila-run-999999999-18"
    mine = temporary / f"atila-run-{os.getpid()}-{server_run._started(os.getpid())}"
    stranger = temporary / "atila-run-x"
    for each in (mine, stranger):
        each.mkdir(mode=0o700)
    user = EmbeddedShared(used)
    user.get("s", "x")
    over.mkdir(mode=0o700)
    with server_run.running() as folder:
        choose().get("s", "x")
        mine_too = folder.name
        assert {path.name for path in temporary.iterdir()} == {
            used.name,
            mine.name,
            stranger.name,
            mine_too,
        }


# Apps ---------------------------------------------------------------------------------------------


def test_apps_of_a_site_share_g_and_not_their_stores() -> None:
    layers = dict.fromkeys(("auth", "render", "tasks", "ws"))
    one, other = Atila("one", layers=layers), Atila("other", layers=layers)

    @one.route("/")
    def write(was):
        was.g["LOADED_MODELS"] = ["a", "b"]
        one.store["x"] = 1

    @other.route("/")
    def read(was):
        return "|".join(was.g["LOADED_MODELS"]) + f" {other.store.get('x')}"

    site = Site([Mount("/one", one), Mount("/", other)])
    one.test_client().get("/one/")
    assert other.test_client().get("/").text == "a|b None"
    site.shutdown()
    assert "x" not in one.store, "values end with the site"


def test_a_second_site_takes_no_store_away() -> None:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    Site([Mount("/", app)])
    app.store["x"] = 1
    with pytest.raises(SetupError, match="one place"):
        Site([Mount("/", app)])
    assert app.store["x"] == 1


def test_setlu_makes_an_event_and_skitai_g_is_was_g() -> None:
    import skitai

    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    told = threading.Event()
    details: list[object] = []

    @app.on("setlu:tables.users")
    def updated(was, *args, **kwargs):
        details.append((args, kwargs))
        told.set()

    @app.route("/")
    def index(was):
        skitai.g["x"] = 1
        noted = was.setlu("tables.users", "one", two=2)
        return f"{was.getlu('tables.users') == noted} {was.getlu('none')} {was.g['x']}"

    assert app.test_client().get("/").text == "True 0.0 1"
    assert told.wait(PATIENCE)
    assert details == [(("one",), {"two": 2})]


def test_values_of_all_workers_show_through_those_of_a_process() -> None:
    shared = SharedStore()
    store = Store(shared)
    shared["nodes"] = 3
    assert (store["nodes"], list(store), len(store), "nodes" in store) == (3, ["nodes"], 1, True)
    store["nodes"] = 4
    assert (store["nodes"], shared["nodes"], len(store)) == (4, 3, 1)
    del store["nodes"]
    assert store.incr("nodes") == 4
    assert shared["nodes"] == 3
    with pytest.raises(KeyError):
        store["none"]
