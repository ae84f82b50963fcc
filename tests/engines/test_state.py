"""What workers share: set in one, seen in the other, and kept when one is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.servers import Server, serving
from support.wire import Broken

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "state.py"
WORKERS = 2


@pytest.fixture(scope="session")
def server(engine: str) -> Iterator[Server]:
    """Two workers of apps/state.py."""
    with serving(engine, SCRIPT, WORKERS) as server:
        ask_all(server, "/")
        yield server


def ask(server: Server, target: str) -> tuple[int, Any]:
    """A worker's process id and its answer."""
    answer = server.get(target)
    assert answer.status == 200, answer.text
    return int(answer.header("x-worker")), json.loads(answer.text)


def ask_all(server: Server, target: str) -> dict[int, Any]:
    """The last answer of each of the workers, when all have answered."""
    answers: dict[int, Any] = {}

    def all_answered() -> bool:
        try:
            # At once, since there are servers that give all to one worker as long as it is idle.
            with ThreadPoolExecutor(8) as clients:
                answers.update(clients.map(lambda _: ask(server, target), range(8)))
        except (OSError, Broken):
            pass
        return len(answers) >= WORKERS

    wait_until(all_answered, f"{WORKERS} workers answer")
    return answers


def ask_worker(server: Server, pid: int, target: str) -> Any:
    """The answer of one worker; the others are asked too, for they answer first perhaps."""
    answers: dict[int, Any] = {}
    wait_until(lambda: answers.update([ask(server, target)]) or pid in answers, f"{pid} answers")
    return answers[pid]


def test_set_in_one_worker_seen_in_the_other(server: Server) -> None:
    for value in ("2", "3"):
        writer, _ = ask(server, f"/set?value={value}")
        answers = ask_all(server, "/get")
        assert set(answers) - {writer}
        for found in answers.values():
            assert found == [int(value), ["a", value], value]


def test_counting_loses_nothing(server: Server) -> None:
    _, before = ask(server, "/incr")
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: ask(server, "/incr"), range(100)))
    assert sorted(number for _, number in answers) == list(range(before + 1, before + 101))


def test_last_updates(server: Server) -> None:
    before = {pid: found["seen"] for pid, found in ask_all(server, "/getlu").items()}
    writer, noted = ask(server, "/setlu?detail=photo")
    answers = ask_all(server, "/getlu")
    assert set(answers) - {writer}
    assert {found["time"] for found in answers.values()} == {noted}

    # The event is for the worker where it happened.
    def is_told() -> bool:
        seen: list[Any] = ask_worker(server, writer, "/getlu")["seen"]
        return seen == [*before[writer], ["photo"]]

    wait_until(is_told, "the worker's event")
    for pid, found in ask_all(server, "/getlu").items():
        if pid != writer:
            assert found["seen"] == before[pid]


def test_values_of_an_app_stay_in_their_process(server: Server) -> None:
    totals = ask_all(server, "/total")
    assert all(total > 0 for total in totals.values())


@pytest.fixture
def mortal(engine: str) -> Iterator[Server]:
    with serving(engine, SCRIPT, WORKERS) as server:
        yield server


@pytest.mark.unable("hypercorn", "it ends when a worker is killed")
@pytest.mark.unable("uvicorn", "its own process manager is not what is tested here")
def test_killed_workers_take_nothing_with_them(mortal: Server) -> None:
    before = set(ask_all(mortal, "/"))
    ask(mortal, "/set?value=7")
    _, noted = ask(mortal, "/setlu?detail=x")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    answers: dict[int, Any] = {}

    def others_answer() -> bool:
        answers.update(ask_all(mortal, "/get"))
        return len(set(answers) - before) >= WORKERS

    wait_until(others_answer, "other workers answer")
    # Not the first value either that the new ones have written when they started.
    assert all(answers[pid] == [7, ["a", "7"], "7"] for pid in set(answers) - before)
    assert ask(mortal, "/getlu")[1]["time"] == noted


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_the_state_ends_with_the_server(
    engine: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def runs() -> set[str]:
        return {path.name for path in tmp_path.glob("atila-run-*")}

    with serving(engine, SCRIPT, WORKERS) as server:
        ask_all(server, "/set?value=7")
        of_server = runs()
        assert of_server
        if end == "terminate":
            server.terminate()
            server.wait_end()
            if engine in ("skitai", "granian"):
                assert not runs() & of_server
        else:
            server.kill()
    # Another server sees nothing of it, and removes what was left.
    with serving(engine, SCRIPT, WORKERS) as server:
        assert ask(server, "/get")[1] == [1, None, None]
        assert not runs() & of_server


# Logs -------------------------------------------------------------------------------------------


def lines(server: Server) -> list[dict[str, Any]]:
    """The access log so far."""
    found = []
    for line in server.log().splitlines():
        at = line.find('{"time":')
        if at >= 0 and line.rstrip().endswith("}"):
            found.append(json.loads(line[at:]))
    return found


def line_of(server: Server, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The line of the access log that a condition holds for, once it is there."""
    wait_until(lambda: any(map(condition, lines(server))), "a line in the access log")
    return next(filter(condition, lines(server)))


def test_access_log(server: Server, name: str) -> None:
    with server.connect() as connection:
        answer = connection.get(
            f"/log?text={name}&password=hidden-{name}", [("X-Request-Id", name)]
        )
    assert json.loads(answer.text) == name
    line = line_of(server, lambda line: line["id"] == name)
    assert line["target"] == f"/log?text={name}&password=***"
    assert (line["method"], line["status"], line["client"]) == ("GET", 200, "127.0.0.1")
    assert line["bytes"] == len(answer.text)
    assert 0 < line["ms"] < 10_000


def test_access_log_of_streams_and_refusals(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.get(f"/stream?n={name}")
    line = line_of(server, lambda line: line["target"] == f"/stream?n={name}")
    assert (line["status"], line["bytes"]) == (200, 6)
    assert server.get(f"/none/{name}").status == 404
    assert line_of(server, lambda line: line["target"] == f"/none/{name}")["status"] == 404


def test_messages_and_tracebacks(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.get(f"/log?text=message-{name}&password=x", [("X-Request-Id", name)])
    wait_until(lambda: f"[{name}] message-{name}" in server.log(), "the message is in the log")
    wait_until(lambda: "LookupError: as planned" in server.log(), "the traceback is in the log")
    assert "[find-me]" in server.log()


def test_a_failure_has_one_id_everywhere(server: Server) -> None:
    answer = server.get("/fail")
    found = json.loads(answer.text)["request_id"]
    assert answer.status == 500
    assert answer.header("x-request-id") == found
    assert line_of(server, lambda line: line["id"] == found)["status"] == 500
    wait_until(lambda: f"request {found} failed" in server.log(), "the failure is in the log")
