"""Metrics, health and structured logs, over real connections."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.servers import USUAL, Server, serving
from support.wire import Answer, Broken
from websockets.sync.client import connect

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

SCRIPT = Path(__file__).with_name("apps") / "monitoring.py"
COUNT = "http_server_request_duration_seconds_count"
THREADS, QUEUE = 2, 4
"""Those of the app."""

engines = (*USUAL, "gunicorn")

Samples = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    """Two workers."""
    with serving(engine, SCRIPT, 2) as server:
        pids_of(server, "/pid")
        yield server


@pytest.fixture
def single(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """One worker, with few threads, for one test."""
    monkeypatch.setenv("ATILA_SMALL", "1")
    with serving(engine, SCRIPT) as server:
        yield server


def get(server: Server, target: str) -> Answer | None:
    try:
        return server.get(target)
    except (OSError, Broken):
        return None


def ask(server: Server, method: str, target: str, request_id: str = "none") -> Answer:
    headers = [("Connection", "close"), ("X-Request-Id", request_id)]
    with server.connect() as connection:
        connection.ask(target, method, headers)
        return connection.read(method)


def pids_of(server: Server, target: str, least: int = 2) -> set[int]:
    """The workers, when so many have answered."""
    pids: set[int] = set()

    def all_answered() -> bool:
        with ThreadPoolExecutor(8) as clients:
            found = list(clients.map(lambda _: get(server, target), range(8)))
        pids.update(int(answer.text) for answer in found if answer is not None)
        return len(pids) >= least

    wait_until(all_answered, f"{least} workers answer")
    return pids


def page_of(server: Server) -> tuple[int, Samples]:
    """Which worker has made the page, and what is on it."""
    answer = server.get("/metrics")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/plain; version=")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = (value for _, value in sorted(sample.labels.items()))
            found[sample.name, *labels] = sample.value
            if sample.name == "worker_info":
                worker = int(sample.labels["pid"])
    return worker, found


def pages_of(server: Server, name: tuple[str, ...], value: float) -> None:
    """Wait until two workers have shown one value."""
    shown: set[int] = set()

    def all_show() -> bool:
        with ThreadPoolExecutor(4) as clients:
            for worker, page in clients.map(lambda _: page_of(server), range(4)):
                if page.get(name) == value:
                    shown.add(worker)
                else:
                    shown.discard(worker)
        return len(shown) >= 2

    wait_until(all_show, f"two workers show {name} = {value}")


def test_what_the_workers_count_is_summed(server: Server) -> None:
    key = (COUNT, "GET", "200", "/items/<int:id>")
    _, page = page_of(server)
    pages_of(server, key, value) if (value := page.get(key)) else None
    before, orders = page.get(key, 0.0), page.get(("orders_total", "books"), 0.0)
    asked, workers = 0, set()
    while len(workers) < 2 or asked < 40:
        with ThreadPoolExecutor(8) as clients:
            answers = clients.map(lambda number: server.get(f"/items/{number}"), range(8))
            workers |= {int(answer.text) for answer in answers}
        asked += 8
    for _ in range(10):
        assert ask(server, "POST", "/orders").status == 200
    pages_of(server, key, before + asked)
    pages_of(server, ("orders_total", "books"), orders + 10)


def test_hostile_paths_and_methods(server: Server) -> None:
    def routes() -> set[tuple[str, ...]]:
        return {name for name in page_of(server)[1] if name[0] == COUNT}

    server.get("/none")
    server.get("/items/1")
    ask(server, "BREW", "/none")
    wait_until(lambda: (COUNT, "GET", "404", "") in routes(), "counted")
    for number in range(30):
        server.get(f"/none/{number}/%22%7D%0A")
        server.get(f"/items/{number}")
        ask(server, f"BREW{number}", f"/{number}")
    shown = routes()
    assert not [name for name in shown if "none" in "".join(name) or "BREW" in "".join(name)]
    of_items = {name for name in shown if "items" in name[3]}
    assert of_items <= {(COUNT, "GET", "200", "/items/<int:id>")}
    unknown = {name for name in shown if name[3] == ""}
    assert unknown <= {
        (COUNT, method, status, "")
        for method in ("GET", "_OTHER")
        for status in ("200", "400", "404", "405", "501")
    }


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
def test_open_websockets(server: Server) -> None:
    name = ("atila_open_websockets",)
    pages_of(server, name, 0.0)
    with connect(server.url("/echo", "ws")) as one, connect(server.url("/echo", "ws")) as two:
        for socket in (one, two):
            socket.send("hello")
            assert socket.recv() == "hello"
        pages_of(server, name, 2.0)
    pages_of(server, name, 0.0)
    assert page_of(server)[1][COUNT, "GET", "101", "/echo"] >= 2


def test_health(server: Server) -> None:
    assert server.get("/health/live").status == 200
    assert told(server) == (200, {"status": "ok", "checks": {"database": "ok", "cache": "ok"}})
    board = server.board
    try:
        board.open("broken")
        answer = server.get("/health/ready")
        assert (answer.status, "hunter2" in answer.text) == (503, False)
        checks = {"database": "failed", "cache": "ok"}
        assert json.loads(answer.text) == {"status": "failed", "checks": checks}
        board.open("hanging")
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: told(server), range(8)))
        checks = {"database": "failed", "cache": "timeout"}
        assert answers == [(503, {"status": "failed", "checks": checks})] * 8
        assert server.get("/health/live").status == 200
    finally:
        for gate in ("broken", "hanging"):
            (board.folder / f"{gate}.gate").unlink(missing_ok=True)
    wait_until(lambda: told(server)[0] == 200, "ready again")
    assert "the readiness check database failed" in server.log()
    assert "hunter2" in server.log()


def told(server: Server) -> tuple[int, Any]:
    answer = server.get("/health/ready")
    return answer.status, json.loads(answer.text)


def test_logs(server: Server, name: str) -> None:
    assert ask(server, "GET", f"/logs?name={name}", f"id-{name}").status == 500

    def lines() -> list[dict[str, Any]]:
        found = [line for line in server.log().splitlines() if line.startswith("{")]
        return [json.loads(line) for line in found if name in line]

    wait_until(lambda: len(lines()) == 4, "three messages and a line of the access log")
    by_logger = {line.get("logger", "access"): line for line in lines() if "exception" not in line}
    (failed,) = (line for line in lines() if "exception" in line)
    shop, said = by_logger["atila.shop"], by_logger["atila.app"]
    assert (shop["message"], shop["order"], shop["level"]) == (f"bought {name}", 7, "INFO")
    assert (said["message"], said["level"]) == (f"told {name}", "WARNING")
    assert failed["exception"].endswith(f"RuntimeError: unexpected {name}")
    assert {line["request_id"] for line in (shop, said, failed)} == {f"id-{name}"}
    assert by_logger["access"]["id"] == f"id-{name}"


@pytest.mark.parametrize("name_of_engine", ["granian", "skitai"])
def test_format_of_the_command_line(name_of_engine: str, tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    port, home = free_port(), tmp_path / "home"
    home.mkdir()
    atila = Path(sys.executable).with_name("atila")
    options = ["--engine", name_of_engine, "--port", str(port), "--log-format", "json"]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [atila, "serve", "serve.py", *options],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def said() -> list[dict[str, Any]]:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE)
        except httpx.TransportError:
            return []
        files = [tmp_path / "log.txt", *home.glob("**/*.log")]
        text = "\n".join(file.read_text(errors="replace") for file in files)
        return [json.loads(line) for line in text.splitlines() if '"said"' in line]

    try:
        wait_until(said, "a line of JSON", log=(tmp_path / "log.txt").read_text)
        assert said()[0]["logger"] == "atila.app"
        assert said()[0]["request_id"]
    finally:
        process.terminate()
        process.wait(PATIENCE)


SERVE = """
import skitai
from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    was.log("said")
    return "hello"


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run()
"""


def test_who_watches_is_not_in_the_access_log(server: Server) -> None:
    for target in ("/health/live", "/health/ready", "/metrics", "/items/4711"):
        assert server.get(target).status == 200

    def targets() -> set[str]:
        found = [line for line in server.log().splitlines() if line.startswith('{"time"')]
        return {json.loads(line).get("target", "") for line in found}

    wait_until(lambda: "/items/4711" in targets(), "the line of the last request")
    assert not [target for target in targets() if target.startswith(("/health", "/metrics"))]


@pytest.mark.unable("hypercorn", "it ends when a worker is killed")
def test_what_a_killed_worker_counted_still_counts(server: Server) -> None:
    key = ("orders_total", "books")
    for _ in range(10):
        assert ask(server, "POST", "/orders").status == 200
    before = page_of(server)[1][key]
    assert before >= 10
    victim, *_ = pids_of(server, "/pid")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: _others(server, victim), "two other workers")
    pages_of(server, key, before)
    # What it was at is forgotten.
    wait_until(lambda: page_of(server)[1]["http_server_active_requests",] == 1.0, "idle")


def _others(server: Server, victim: int) -> bool:
    pids = pids_of(server, "/pid", 1)
    pids |= pids_of(server, "/pid", 1)
    return len(pids - {victim}) >= 2


@pytest.mark.unable(
    "gunicorn", "the handler runs in a thread of the server, whose own queue stands before it"
)
def test_they_answer_while_the_queue_is_full(single: Server, name: str) -> None:
    with ThreadPoolExecutor(THREADS + QUEUE) as clients:
        target = f"/waits?gate={name}"
        waiting = [clients.submit(single.get, target) for _ in range(THREADS)]
        single.board.wait_count(f"{name}-started", THREADS)
        waiting += [clients.submit(single.get, target) for _ in range(QUEUE)]
        wait_until(lambda: queued(single) == QUEUE, "the queue is full")
        assert single.get("/").status == 503
        for _ in range(3):
            assert single.get("/health/live").status == 200
            assert told(single)[0] == 200
        _, page = page_of(single)
        assert page["atila_queued_requests",] == QUEUE
        assert page["atila_worker_threads", "busy"] == THREADS
        assert page["http_server_active_requests",] == THREADS + QUEUE + 1
        single.board.open(name)
        assert {future.result().status for future in waiting} == {200}


def queued(server: Server) -> float:
    return page_of(server)[1]["atila_queued_requests",]


@pytest.mark.unable("gunicorn", "who connects meanwhile waits until the server has gone")
@pytest.mark.unable("hypercorn", "who connects meanwhile waits until the server has gone")
def test_a_server_that_ends_is_not_ready(single: Server, name: str) -> None:
    with ThreadPoolExecutor(1) as clients, single.connect() as kept:
        running = clients.submit(single.get, f"/waits?gate={name}")
        single.board.wait_count(f"{name}-started")
        last = [kept.get("/health/ready")]
        assert last[0].status == 200
        single.terminate()

        def is_ready() -> bool:
            try:
                last.append(kept.get("/health/ready"))
            except (OSError, Broken):
                return False
            return last[-1].status == 200

        wait_until(lambda: not is_ready(), "no longer ready")
        # Servers end connections on which nothing is under way; Skitai may answer once more.
        if last[-1].status != 200:
            assert json.loads(last[-1].text) == {"status": "draining", "checks": {}}

        def is_refused() -> bool:
            answer = get(single, "/health/ready")
            return answer is None or answer.status == 503

        wait_until(is_refused, "new connections are refused")
        assert not running.done()
        single.board.open(name)
        assert running.result().text == "done"
    single.wait_end()
