"""Tests, conditional work, chains, hooks with `async def`, and maintenance."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise

import pytest

from atila import Atila, HTTPError, Mount, SetupError, Site
from atila.testing import TestClient
from atila.testing.waits import PATIENCE, wait_until

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=NO_LAYERS)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


@pytest.mark.parametrize("order", ["below", "above"])
@pytest.mark.parametrize(
    ("verdict", "status"), [("None", 200), ("True", 200), ("False", 403), ("answer", 402)]
)
def test_testpass(app: Atila, client: TestClient, verdict: str, status: int, order: str) -> None:
    def test(was):
        if verdict == "answer":
            return was.response("402 Payment Required", "pay")
        return {"None": None, "True": True, "False": False}[verdict]

    def handler(was):
        return "in"

    required, route = app.testpass_required(test), app.route("/")
    required(route(handler)) if order == "above" else route(required(handler))
    assert client.get("/").status_code == status


def test_run_before_and_after(app: Atila, client: TestClient) -> None:
    calls: list[str] = []

    @app.route("/")
    @app.run_before(lambda was: calls.append("1"), lambda was: calls.append("2"))
    @app.run_before(lambda was: calls.append("3") or was.request.args.get("stop"))
    @app.run_after(lambda was: calls.append("after") or "ignored")
    def index(was):
        calls.append("handler")
        return "index"

    assert client.get("/").text == "index"
    assert calls == ["1", "2", "3", "handler", "after"]
    del calls[:]
    assert client.get("/?stop=stopped").text == "stopped"
    assert calls == ["1", "2", "3", "after"]


def test_app_hooks_come_before_chains(app: Atila, client: TestClient) -> None:
    calls: list[str] = []
    app.before_request(lambda was: calls.append("hook"))
    app.route("/")(app.run_before(lambda was: calls.append("chain"))(lambda was: ""))
    client.get("/")
    assert calls == ["hook", "chain"]


@pytest.mark.parametrize("decorator", ["run_before", "run_after", "testpass_required"])
def test_functions_that_cannot_be_called(app: Atila, decorator: str) -> None:
    with pytest.raises(SetupError, match="wants functions"):
        getattr(app, decorator)("name")
    with pytest.raises(SetupError, match="must take the context first"):
        getattr(app, decorator)(lambda: None)


def test_if_file_modified(app: Atila, client: TestClient, tmp_path) -> None:
    file = tmp_path / "config"
    file.write_text("1")
    loaded: list[str] = []

    def reload_config(was, path):
        loaded.append(file.read_text())
        if loaded[-1] == "broken":
            raise HTTPError(503)
        return "ignored"

    app.route("/")(app.if_file_modified(str(file), reload_config, interval=0)(lambda was: "page"))
    client.get("/")
    assert loaded == []
    for number, text in enumerate(["2", "broken"], 1):
        file.write_text(text)
        os.utime(file, (number, number))
        assert client.get("/").status_code == (503 if text == "broken" else 200)
    assert client.get("/").status_code == 503  # Once more, as it was not done.
    file.unlink()
    assert client.get("/").text == "page"
    assert loaded == ["2", "broken", "broken"]


def test_changes_are_looked_for_once_in_an_interval(
    app: Atila, client: TestClient, tmp_path
) -> None:
    file, calls = tmp_path / "config", []
    decorate = app.if_file_modified(str(file), lambda was, path: calls.append(path), interval=60)
    app.route("/")(decorate(lambda was: ""))
    file.write_text("made")
    for number in range(3):
        os.utime(file, (number, number))
        client.get("/")
    assert calls == [str(file)]


def test_if_cache_updated(app: Atila, client: TestClient) -> None:
    cleared, told = [], []

    def clear(was, name):
        cleared.append((name, was.getlu(name) > 0))

    done = threading.Event()

    @app.on("setlu:tables.users")
    def updated(was, *args, **kwargs):
        told.append((args, kwargs))
        done.set()

    @app.route("/query")
    @app.if_cache_updated(["tables.users", "tables.photos"], clear, interval=0)
    def query(was):
        return str(was.getlu("tables.photos"))

    @app.route("/update")
    def update(was):
        return str(was.setlu("tables.users", 7, by="me"))

    assert client.get("/query").text == "0.0"
    assert cleared == []
    first, second = client.get("/update").text, client.get("/update").text
    assert float(first) < float(second)
    client.get("/query")
    client.get("/query")
    assert cleared == [("tables.users", True)]
    assert done.wait(PATIENCE)
    assert told[0] == ((7,), {"by": "me"})


def test_getlu_of_several_is_the_last(app: Atila, client: TestClient) -> None:
    app.route("/")(lambda was: f"{was.setlu('a')} {was.setlu('b')} {was.getlu('a', 'b', 'c')}")
    _, last, found = client.get("/").text.split()
    assert last == found


# Hooks ------------------------------------------------------------------------------------------


def test_hooks_may_be_async(app: Atila, client: TestClient) -> None:
    import asyncio

    seen: list[str] = []

    @app.before_request
    async def before(was):
        await asyncio.sleep(0)
        seen.append(f"before {was.site.loop.is_current()}")
        return was.request.args.get("answer")

    @app.finish_request
    async def finish(was, response):
        return response + "--"

    @app.failed_request
    async def failed(was, expt):
        seen.append(expt[0].__name__)

    @app.teardown_request
    async def teardown(was):
        seen.append("teardown")

    app.route("/def")(lambda was: "def")

    @app.route("/async")
    async def in_async(was, fail="", answer=""):
        return 1 / 0 if fail else "async"

    assert client.get("/def").text == "def--"
    assert client.get("/async").text == "async--"
    assert client.get("/async?answer=mine").text == "mine--"
    wait_until(lambda: len(seen) == 6)
    assert sorted(seen) == ["before True"] * 3 + ["teardown"] * 3
    del seen[:]
    assert client.get("/async?fail=1").status_code == 500
    wait_until(lambda: len(seen) == 3)
    assert seen == ["before True", "ZeroDivisionError", "teardown"]


def test_a_hook_without_a_context_is_a_mistake(app: Atila) -> None:
    for add in (app.before_request, app.finish_request, app.failed_request, app.teardown_request):
        with pytest.raises(SetupError, match=r"test_chains.py:\d+: .* must take the context first"):
            add(lambda: None)


# Maintenance ------------------------------------------------------------------------------------


def test_maintenance(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    app.config.MAINTAIN_INTERVAL = 0.02
    runs: dict[str, list[int]] = {"each": [], "third": [], "own": [], "async": []}
    threads = set()
    passed, begun = [], []
    enough = threading.Event()

    @app.maintain(1)
    def each(was, now, count):
        assert was.app is app
        assert abs(time.time() - now) < 5
        passed.append((time.monotonic() - start) / app.config.MAINTAIN_INTERVAL)
        runs["each"].append(count)
        threads.add(threading.current_thread().name)
        if len(runs["each"]) > 6:
            enough.set()

    @app.maintain(3)
    def third(was, now, count):
        runs["third"].append(count)
        threads.add(threading.current_thread().name)

    @app.maintain(1, threading=True)
    def own(was, now, count):
        begun.append(time.monotonic())
        runs["own"].append(count)
        assert threading.current_thread().name not in threads
        time.sleep(0.1)

    @app.maintain(2)
    def failing(was, now, count):
        raise OSError("no disk")

    @app.maintain()
    async def coroutine(was, now, count):
        runs["async"].append(count)

    start = time.monotonic()
    site = Site([Mount("/", app)])
    assert enough.wait(PATIENCE)
    site.shutdown(5.0)
    stopped = len(runs["each"])
    time.sleep(0.1)
    assert len(runs["each"]) == stopped
    assert threads == {"atila-maintenance"}
    assert runs["each"] == sorted(set(runs["each"]))
    # Of the intervals that have passed, of which a busy machine leaves out some.
    assert all(1 <= n <= p + 0.1 for n, p in zip(runs["each"], passed, strict=True))
    thirds = [n for before, n in pairwise([0, *runs["each"]]) if n // 3 > before // 3]
    # The last one may have been left out by the end.
    assert runs["third"] in (thirds, thirds[:-1])
    assert runs["own"]
    assert {*runs["own"]} <= {*runs["each"]}
    assert all(after - before >= 0.1 for before, after in pairwise(begun))
    assert runs["async"]
    assert "OSError: no disk" in caplog.text


def test_names_of_jobs_are_unique(app: Atila) -> None:
    def job(was, now, count): ...

    app.maintain(1)(job)
    with pytest.raises(SetupError, match=r"a maintenance job job already, at .*test_chains.py:\d+"):
        app.maintain(2)(job)


@pytest.mark.parametrize("interval", [0, -1, 1.5])
def test_intervals_are_whole_numbers(app: Atila, interval: int) -> None:
    with pytest.raises(SetupError, match="whole number of intervals"):
        app.maintain(interval)(lambda was, now, count: None)


def test_a_site_without_jobs_has_no_thread_for_them(app: Atila) -> None:
    site = Site([Mount("/", app)])
    assert site._maintainer is not None
    assert site._maintainer._thread is None
