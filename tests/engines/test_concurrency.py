"""Tasks of this machine, and answers made of tasks, over a real connection on every engine."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from support.servers import USUAL, Server, serving

from atila.testing.waits import PATIENCE, wait_until
from atila_tasks import STA_NORMAL, STA_TIMEOUT

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "concurrency" / "serve.py"
JSON = {"accept": "application/json"}
KILLED = "the process of a task ended before the task: killed by SIGKILL"


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    """A server of apps/concurrency."""
    with serving(engine, SCRIPT) as server:
        assert server.get("/spec/prepare").text == "prepared"
        yield server


def json(client: httpx.Client, path: str, **params: Any) -> Any:
    answer = client.get(path, params=params, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.json()


def programs(server: Server, line: str) -> list[psutil.Process]:
    """The programs of a server, of a line that only one test uses."""
    return [p for p in server.processes() if " ".join(_command(p)) == line]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_thread_process_subprocess(client: httpx.Client) -> None:
    answer = json(client, "/spec/tasks")
    assert answer.pop("top") in (3, -1)
    assert answer == {"thread": 81.0, "process": 81.0}


def test_mask_and_tasks(client: httpx.Client) -> None:
    assert json(client, "/spec/mask") == {"results": [1, 1, 2]}
    assert json(client, "/spec/tasks/list") == {"results": ["db", "stub", 81.0]}
    results = json(client, "/spec/tasks/dict")
    assert results.pop("files") == listed().replace(" ", "_")
    assert results == {"result": [{"name": "Hans", "password": "****"}]}


def listed() -> str:
    return subprocess.run(["ls", "/var/log"], capture_output=True, text=True).stdout


def test_coroutines(client: httpx.Client) -> None:
    assert client.get("/coroutine/2").text == "ready"
    answer = json(client, "/coroutine")
    assert "serve.py\n" in answer.pop("d")
    assert answer == {"a": "Example Domain", "b": "mask", "c": "mask"}
    assert json(client, "/async") == {"a": 4.0, "b": "b\n", "c": "3"}


def test_thread_pass(client: httpx.Client) -> None:
    assert json(client, "/thread_future") == {"result": "synchronous"}


def test_then(client: httpx.Client) -> None:
    assert json(client, "/then/process") == {"result": 2.0, "a": 1}
    assert json(client, "/then/thread") == {"result": 2.0, "a": None}
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]
    assert json(client, "/then/db") == {"result": rows, "a": None}
    assert json(client, "/datalist") == {"result": rows}
    assert json(client, "/then/tasks") == {"result": {"a": 1, "b": "b\n"}, "a": None}


def test_map(client: httpx.Client) -> None:
    answer = json(client, "/bench/sp")
    assert [row["id"] for row in answer.pop("result")] == [2, 1]
    assert answer == {"files": listed(), "record_count": {"cnt": 2}}
    assert json(client, "/map/names") == {
        "page": 1,
        "nested": ["1", {"deep": [5, 6], "value": None}],
        "a": 7,
        "g": "b",
    }
    created = client.get("/map/created")
    assert (created.status_code, created.json()) == (201, {"id": 7})
    assert client.get("/map/none").status_code == 410
    hidden = {
        "files": listed().replace(" ", "_"),
        "result": [{"name": "Hans", "password": "****"}],
    }
    assert json(client, "/map/filter") == json(client, "/mapped") == hidden


@pytest.mark.parametrize("path", ["/render_or_map", "/render_or_mapped"])
def test_page_or_data(client: httpx.Client, path: str) -> None:
    assert json(client, path) == {"result": "<data>"}
    page = client.get(path, headers={"accept": "text/html"})
    assert page.text.strip() == "<h1>&lt;data&gt;</h1>"


def test_streams(client: httpx.Client) -> None:
    assert client.get("/download_csv").text == 'ID, NAME\n1, "a"\n2, "b"3, "c"'
    answer = client.get("/threaproducer")
    assert answer.text.count("[") == 3
    assert answer.text.count(",") == 3 * 99
    assert client.get("/queue/short", params={"gate": "short"}).text == "0\n1\n2\n"


@pytest.mark.unable("gunicorn", "it reads ahead: pieces of a body are not handed on one by one")
def test_streaming_both_ways(server: Server) -> None:
    with server.connect() as connection:
        connection.send(
            "POST /bistreaming HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for piece in ("one", "two"):
            connection.send(f"3\r\n{piece}\r\n")
            if piece == "one":
                assert connection.read_head().status == 200
            assert connection.read_chunk() == b":" + piece.encode()
        connection.send("0\r\n\r\n")
        assert connection.read_chunk() == b""


# What goes wrong


def test_function_of_the_launch_script(client: httpx.Client, engine: str) -> None:
    answer = json(client, "/in-script")
    number, module, pid = answer["text"].split()
    assert (number, answer["own"]) == ("7", True)
    assert int(pid) != answer["pid"]
    # Where it is the main program, it is not run as that again.
    assert module == ("__mp_main__" if engine in ("skitai", "granian") else "serve")


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [
        ("die", "ProcessDied", KILLED),
        ("die_with_heir", "ProcessDied", KILLED),
        ("odd", "ProcessFailed", "Odd: odd"),
        ("leave", "RuntimeError", "a task ended with SystemExit"),
        ("lock", "TypeError", "the result of lock, a lock, cannot be sent from its process"),
    ],
)
def test_failing_process(client: httpx.Client, name: str, kind: str, error: str) -> None:
    answer = json(client, f"/process/{name}")
    assert (answer["status"], answer["kind"]) == (-1, kind)
    assert answer["error"].startswith(error)
    # The others know nothing of it.
    assert json(client, "/then/process") == {"result": 2.0, "a": 1}


def test_process_dies_beside_others(server: Server, client: httpx.Client, name: str) -> None:
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(json, client, "/process-waits", gate=name)
        server.board.wait_count(f"{name}-begun")
        assert json(client, "/process/die")["error"] == KILLED
        server.board.open(name)
        assert waiting.result()["status"] == 3


def test_process_out_of_time(server: Server, client: httpx.Client, name: str) -> None:
    answer = json(client, "/process-waits", gate=name, timeout=1.0)
    assert (answer["status"], answer["kind"]) == (1, "TaskTimeout")
    (pid,) = server.board.text(f"{name}-pid").split()
    wait_until(lambda: pid not in {str(p.pid) for p in server.processes()}, "it is killed")
    server.board.open(name)
    assert json(client, "/then/process") == {"result": 2.0, "a": 1}
    assert server.board.count(f"{name}-ended") == 0


@pytest.mark.parametrize("style", ["def", "yield", "async"])
def test_options_of_a_group(server: Server, client: httpx.Client, name: str, style: str) -> None:
    answer = json(client, f"/group-late/{style}", gate=name)
    assert answer == {"statuses": [STA_TIMEOUT, STA_NORMAL], "gate": name}
    server.board.open(name)
    assert server.board.count(f"{name}-ended") == 0


def test_unsendable_function(client: httpx.Client) -> None:
    error = json(client, "/process-lambda")["error"]
    assert "<lambda>" in error
    assert "at the top of a module" in error


def test_large_data(client: httpx.Client) -> None:
    size = 8 * 1024 * 1024
    answer = client.post("/process-large", content=bytes(size))
    assert answer.json() == {"size": size}
    assert json(client, "/process/zeros", count=size) == {"size": size}


def run(client: httpx.Client, line: str, **options: Any) -> Any:
    answer = client.post("/program", json={"line": line, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_programs(server: Server, client: httpx.Client) -> None:
    assert run(client, "echo 'a b'  c")["data"] == "a b c\n"
    assert run(client, "echo 'a b' | wc -w", shell=True)["data"].strip() == "2"
    failed = run(client, "ls /no/such/place")
    assert failed["status"] == -1
    assert failed["error"].startswith("ls: exit status 2: ls: ")
    assert run(client, "no-such-program")["kind"] == "FileNotFoundError"
    late = run(client, "sh -c 'sleep 61.7 & sleep 61.7'", timeout=0.5)
    assert (late["status"], late["kind"]) == (1, "TaskTimeout")
    assert run(client, "yes", limit=1_000_000)["kind"] == "OutputTooLong"
    assert run(client, "head -c 30000000 /dev/zero >&2; exit 7", shell=True)["error"].startswith(
        "sh: exit status 7"
    )
    # What a program leaves behind holds nobody up, and ends with it.
    assert run(client, "sleep 61.7 & echo left", shell=True, timeout=PATIENCE)["data"] == "left\n"
    wait_until(lambda: not programs(server, "sleep 61.7"), "no program is left")


def test_many_at_once(server: Server, client: httpx.Client) -> None:
    # All threads and processes that there may be.
    for kind in ("thread", "process", "program"):
        json(client, "/many", kind=kind, count=64)
    main = worker_of(server, client)
    handles = main.num_fds()
    threads = main.num_threads()
    for kind, count in (("thread", 2000), ("process", 2000), ("program", 200)):
        assert json(client, "/many", kind=kind, count=count) == {"sum": count * (count - 1) // 2}
    assert main.num_fds() <= handles + 2
    # Threads of handlers may come, up to their number.
    assert main.num_threads() <= threads + 8
    zombies = [p for p in main.children(recursive=True) if p.status() == psutil.STATUS_ZOMBIE]
    assert zombies == []


def worker_of(server: Server, client: httpx.Client) -> psutil.Process:
    """The process that answers."""
    return psutil.Process(json(client, "/in-script")["pid"])


def test_more_than_may_wait_is_refused(client: httpx.Client) -> None:
    answer = client.get("/many", params={"kind": "sleep", "count": 3000})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert json(client, "/many", kind="thread", count=3) == {"sum": 3}


@pytest.mark.unable("gunicorn", "WSGI does not tell that a client has left")
def test_clients_that_leave_cancel_their_tasks(server: Server, name: str) -> None:
    clients = 6
    line = f"sleep 73.{int(name[:6], 16)}"
    connections = [server.connect() for _ in range(clients)]
    for connection in connections:
        connection.ask(f"/leaving?gate={name}&line={line.replace(' ', '%20')}")
    wait_until(lambda: len(programs(server, line)) == clients, "all programs run")
    server.board.wait_count(f"{name}-begun", 2)
    for connection in connections:
        connection.close()
    wait_until(lambda: not programs(server, line), "all programs are gone")
    server.board.wait_count(f"{name}-left", clients)
    # Two had a process each, which was killed; for four it was not their turn yet.
    server.board.open(name)
    assert server.get("/then/process").status == 200
    assert server.board.count(f"{name}-begun") == 2
    assert server.board.count(f"{name}-ended") == 0
    assert server.board.count(f"{name}-went-on") == 0


def test_client_leaves_a_stream(server: Server, name: str) -> None:
    line = f"sleep 74.{int(name[:6], 16)}"
    with server.connect(4096) as connection:
        connection.ask(f"/streaming-away?gate={name}&line={line.replace(' ', '%20')}")
        wait_until(lambda: len(programs(server, line)) == 1, "the program runs")
        connection.reset()
    server.board.wait_count(f"{name}-left")
    wait_until(lambda: not programs(server, line), "the program is gone")


def test_client_that_does_not_read_holds_up_the_producer(server: Server, name: str) -> None:
    with server.connect(4096) as connection:
        connection.ask(f"/queue/endless?gate={name}")
        server.board.wait_count(f"{name}-put")
        assert server.board.stalled_count(f"{name}-put") < 500
        connection.reset()
    server.board.wait_count(f"{name}-stopped")


def test_failing_producer(server: Server, client: httpx.Client, name: str) -> None:
    refused = client.get("/queue/refused", params={"gate": name}, headers=JSON)
    assert (refused.status_code, refused.json()["detail"]) == (409, "nothing today")
    with server.connect() as connection:
        connection.ask(f"/queue/fails?gate={name}")
        assert connection.read_head().status == 200
        server.board.wait_count(f"{name}-put", 2)
        server.board.open(name)
        assert b"0\r\n\r\n" not in connection.read_to_end()
    wait_until(lambda: "no third piece" in server.log(), "the error is in the log")


def test_nothing_waits_for_itself(client: httpx.Client) -> None:
    # Eight requests, each of 15 threads that wait, of which there are four.
    with ThreadPoolExecutor(8) as clients:
        sums = list(clients.map(lambda _: json(client, "/nested", depth=3)["sum"], range(8)))
    assert sums == [15] * 8
    assert "yield task" in json(client, "/on-the-loop")["error"]


def test_errors_of_some_lose_nothing_of_the_others(client: httpx.Client) -> None:
    assert json(client, "/partial") == {
        "good": 7,
        "bad": "invalid literal for int() with base 10: 'seven'",
        "dead": KILLED,
        "first": 1,
        "failed": "false: exit status 1",
        "echo": "a",
    }


def test_hooks_are_shown_data(client: httpx.Client) -> None:
    assert client.get("/shown/thread?show=1").text == "str: data"
    assert client.get("/shown/tasks?show=1").text == "dict: {'a': 'data', 'b': 2}"


# The end of a server


def leave_behind(server: Server, name: str) -> str:
    """Have a process and a program at work; the line of the program."""
    line = f"sleep 75.{int(name[:6], 16)}"
    answer = server.get(f"/left-behind?gate={name}&line={line.replace(' ', '%20')}")
    assert answer.status == 200
    server.board.wait_count(f"{name}-begun")
    wait_until(lambda: programs(server, line), "the program runs")
    return line


def test_killed_server_leaves_no_process(engine: str, name: str) -> None:
    with serving(engine, SCRIPT) as server:
        line = leave_behind(server, name)
        everything = server.processes()
        tasks = [p for p in everything if "worker_process.py" in " ".join(_command(p))]
        tasks += programs(server, line)
        assert len(tasks) == 2
        # The master first: it would replace a worker that is killed before it.
        server.process.kill()
        for process in everything.difference(tasks):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(lambda: not server.processes(), "all processes are gone")
        assert server.board.count(f"{name}-ended") == 0


def test_stopped_server_lets_tasks_end_in_time(engine: str, name: str) -> None:
    with serving(engine, SCRIPT) as server:
        line = leave_behind(server, name)
        main = os.getpgid(server.process.pid)
        assert main == server.process.pid
        server.terminate()
        server.board.open(name)
        # The process was let to its end, the program had none.
        server.board.wait_count(f"{name}-ended")
        server.wait_end()
        assert not programs(server, line)


def test_a_task_yielded_without_the_option_says_so(server: Server, client: httpx.Client) -> None:
    assert client.get("/no-option").status_code == 500
    says = ": a handler that yields what it waits for is a coroutine, so write @app.route"
    wait_until(lambda: says in server.log(), "the log says so")
