"""The setting HEALTH_PATH: who lives, who is ready, and what checks may do."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from atila import Atila, HTTPError, Mount, SetupError, Site
from atila.monitoring import logs
from atila.runtime.context import current
from atila.testing.waits import PATIENCE, wait_until

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__, layers=NO_LAYERS)
    app.config.HEALTH_PATH = "/health"
    yield app
    if app._site is not None:
        app._site.shutdown(0.0)


def test_without_checks(app: Atila) -> None:
    client = app.test_client()
    for name, value in {
        "live": {"status": "ok"},
        "ready": {"status": "ok", "checks": {}},
    }.items():
        answer = client.get(f"/health/{name}")
        assert (answer.status_code, answer.json()) == (200, value)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        head = client.head(f"/health/{name}")
        assert (head.status_code, head.content) == (200, b"")
        assert client.post(f"/health/{name}").status_code == 405
    assert client.get("/health").status_code == 404


def test_without_the_setting() -> None:
    app = Atila(__name__, layers=NO_LAYERS)
    app.readiness_check(lambda was: None)
    assert app.test_client().get("/health/live").status_code == 404


def test_below_the_mount_point(app: Atila) -> None:
    site = Site([Mount("/shop", app)])
    assert app.test_client().get("/shop/health/ready").status_code == 200
    site.shutdown()


def test_all_kinds_of_checks(app: Atila) -> None:
    threads = []

    @app.readiness_check
    def in_a_thread(was):
        assert current.get() is was
        threads.append(threading.current_thread().name)

    @app.readiness_check
    async def on_the_loop(was):
        assert current.get() is was
        assert was.site.loop.is_current()
        await asyncio.sleep(0)
        return True

    @app.readiness_check
    def gives_what_is_awaited(was):
        async def later():
            return "whatever"

        return later()

    answer = app.test_client().get("/health/ready")
    checks = ["in_a_thread", "on_the_loop", "gives_what_is_awaited"]
    assert answer.json() == {"status": "ok", "checks": dict.fromkeys(checks, "ok")}
    assert threads[0].startswith("atila-health")


@pytest.mark.parametrize("debug", [False, True])
def test_checks_that_fail(app: Atila, debug: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "atila.health")
    app.debug = debug
    fails = [True]

    @app.readiness_check
    def raising(was):
        if fails:
            raise OSError("secret of the database")

    @app.readiness_check
    async def refusing(was):
        if fails:
            raise HTTPError(409, "not now \ud800")

    @app.readiness_check
    def false(was):
        return not fails

    @app.readiness_check
    def passing(was):
        return 0

    client = app.test_client()
    for _ in range(3):
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        told = answer.json()
        errors = told.pop("errors", None)
        failed = dict.fromkeys(("raising", "refusing", "false"), "failed")
        assert told == {"status": "failed", "checks": {**failed, "passing": "ok"}}
        if debug:
            assert errors["raising"] == "OSError: secret of the database"
            assert set(errors) == set(failed)
        else:
            assert errors is None
            assert "secret" not in answer.text
    assert client.get("/health/live").status_code == 200
    fails.clear()
    assert client.get("/health/ready").status_code == 200
    # Once when it began and once when it ended, not with each who asks.
    about = [r.getMessage() for r in caplog.records if "raising" in r.getMessage()]
    assert about == [
        "the readiness check raising failed",
        "the readiness check raising passes again",
    ]
    assert "secret of the database" in caplog.text


def test_checks_that_hang(app: Atila) -> None:
    app.config.HEALTH_TIMEOUT = 0.1
    gate, runs, cancelled = threading.Event(), [], []

    @app.readiness_check
    def blocks(was):
        runs.append(1)
        gate.wait(PATIENCE)

    @app.readiness_check
    async def sleeps(was):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    @app.readiness_check
    def passes(was):
        pass

    client = app.test_client()
    for _ in range(3):
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        checks = {"blocks": "timeout", "sleeps": "timeout", "passes": "ok"}
        assert answer.json() == {"status": "failed", "checks": checks}
    # The thread is still at it, so there is no second one; what slept was ended each time.
    assert len(runs) == 1
    wait_until(lambda: len(cancelled) == 3)
    gate.set()

    def ran_again() -> bool:
        # The first one may still end in time for a request that waits for it.
        return client.get("/health/ready").json()["checks"]["blocks"] == "ok" and len(runs) > 1

    wait_until(ran_again)


def test_who_asks_at_the_same_time_shares_a_run(app: Atila) -> None:
    gate, most, now, runs = threading.Event(), [0, 0], [0, 0], [0, 0]

    @app.readiness_check
    def blocks(was):
        runs[0] += 1
        now[0] += 1
        most[0] = max(most[0], now[0])
        gate.wait(PATIENCE)
        now[0] -= 1

    @app.readiness_check
    async def sleeps(was):
        runs[1] += 1
        now[1] += 1
        most[1] = max(most[1], now[1])
        while not gate.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.001)
        now[1] -= 1

    client = app.test_client()
    with ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(client.get, "/health/ready") for _ in range(20)]
        wait_until(lambda: runs == [1, 1])
        # Let all of them come to it.
        for _ in range(20):
            assert client.get("/health/live").status_code == 200
        gate.set()
        assert {future.result().status_code for future in asked} == {200}
    assert most == [1, 1]
    # How many come too late for the first run is up to the machine; without sharing it is 20.
    assert runs[0] < 20


def test_they_answer_while_the_queue_is_full(app: Atila, full_queue) -> None:
    app.readiness_check(lambda was: None)
    app.default_error_handler(lambda was, error: "error")
    with full_queue(app) as client:
        waiting = app.site.pool.waiting
        for _ in range(5):
            assert client.get("/health/live").status_code == 200
            assert client.get("/health/ready").status_code == 200
        assert app.site.pool.waiting == waiting


def test_a_process_that_ends_is_not_ready(app: Atila) -> None:
    started, gate = threading.Event(), threading.Event()

    @app.route("/waits")
    def waits(was):
        started.set()
        gate.wait(PATIENCE)
        return "done"

    client = app.test_client()
    asked = threading.Thread(target=client.get, args=("/waits",))
    asked.start()
    assert started.wait(PATIENCE)
    assert client.get("/health/ready").status_code == 200
    ending = threading.Thread(target=app.site.shutdown)
    ending.start()
    wait_until(lambda: app.site.is_draining)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "draining", "checks": {}})
    assert client.get("/health/live").status_code == 200
    gate.set()
    asked.join()
    ending.join()


def test_hooks_and_the_access_log_know_nothing_of_them(
    app: Atila, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    called: list[str] = []
    monkeypatch.setattr(logs._log, "info", lambda form, line: lines.append(line))
    app.config.ACCESS_LOG = "combined"
    app.route("/")(lambda was: "")

    @app.before_request
    def refuse(was):
        called.append("before")
        raise HTTPError(401)

    app.teardown_request(lambda was: called.append("teardown"))
    app.failed_request(lambda was, error: called.append("failed"))
    client = app.test_client()
    for name in ("live", "ready"):
        assert client.get(f"/health/{name}").status_code == 200
    assert client.get("/").status_code == 401
    wait_until(lambda: "teardown" in called and lines)
    assert called == ["before", "failed", "teardown"]
    assert len(lines) == 1


# Mistakes.


def test_a_check_without_a_context(app: Atila) -> None:
    with pytest.raises(SetupError, match=r"database must take the context first.*was"):

        @app.readiness_check
        def database():
            pass


def test_two_checks_of_one_name(app: Atila) -> None:
    def database(was):
        pass

    app.readiness_check(database)
    with pytest.raises(SetupError, match=r"test_health.py:\d+: there is a readiness check data"):
        app.readiness_check(database)


def test_a_check_that_yields(app: Atila) -> None:
    with pytest.raises(SetupError, match="must not yield"):

        @app.readiness_check
        def database(was):
            yield


@pytest.mark.parametrize("path", ["health", "/health/", "/a b", False])
def test_a_path_that_is_none(app: Atila, path: object) -> None:
    app.config.HEALTH_PATH = path
    with pytest.raises(SetupError, match=r'HEALTH_PATH is .*; it must be a path: "/health"'):
        _ = app.site


@pytest.mark.parametrize("seconds", [0, -1, "5", None, float("nan")])
def test_a_timeout_that_is_none(app: Atila, seconds: object) -> None:
    app.config.HEALTH_TIMEOUT = seconds
    with pytest.raises(SetupError, match=r"HEALTH_TIMEOUT is .*; it must be a number of seconds"):
        _ = app.site


def test_a_path_that_is_taken(app: Atila) -> None:
    app.route("/health/live")(lambda was: "")
    with pytest.raises(SetupError, match="/health/live leads to the same place"):
        _ = app.site


def test_what_is_shown_is_json(app: Atila) -> None:
    app.debug = True

    @app.readiness_check
    def database(was):
        raise ValueError('"\n\x00<b>\ud800')

    text = app.test_client().get("/health/ready").text
    assert json.loads(text)["errors"]["database"] == 'ValueError: "\n\x00<b>?'
