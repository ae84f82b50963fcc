"""`hatch run demo`: started as a user does, on both engines, and used over real connections."""

import ast
import contextlib
import html
import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import websocket

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

pytestmark = pytest.mark.served

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "examples" / "demo"
HANDLERS = ("hello", "three", "temperature", "echo", "guestbook", "sign")
ENGINES = [
    pytest.param(name, marks=pytest.mark.engine(name), id=name) for name in ("granian", "skitai")
]
SCRIPT = pytest.param("script", marks=pytest.mark.engine("skitai"), id="script")
"""`python examples/demo/serve.py`"""


@dataclass(slots=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_up(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, f"the demo did not start:\n{self.output()}"
            try:
                httpx.get(self.url + "/guestbook")
            except httpx.TransportError:
                return False
            return True

        wait_until(answers, "the demo answers", log=self.output)

    def family(self) -> list[psutil.Process]:
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def is_running(process: psutil.Process) -> bool:
    """Whether it goes on; a zombie has ended, though nobody asked how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(engine: str, folder: Path, *options: str) -> Server:
    port = free_port()
    command = ["examples/demo/serve.py", "--port", str(port), *options]
    if engine == "script":
        command = [sys.executable, *command]
    else:
        atila = str(Path(sysconfig.get_path("scripts"), "atila"))
        command = [atila, "serve", *command, "--engine", engine, "--host", "127.0.0.1"]
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
    environment.pop("ATILA_DEMO_DATA", None)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        server.wait_until_up()
    except BaseException:
        server.kill()
        raise
    return server


@pytest.fixture(scope="module", params=ENGINES)
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = start(request.param, tmp_path_factory.mktemp(request.param))
    yield server.url
    server.kill()


def code_of(name: str) -> str:
    text = (DEMO / "app.py").read_text()
    (found,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return "\n".join(text.splitlines()[found.decorator_list[0].lineno - 1 : found.end_lineno])


@pytest.mark.parametrize("name", HANDLERS)
def test_the_page_shows_the_source(demo: str, name: str) -> None:
    page = httpx.get(demo).text
    shown = [html.unescape(code) for code in re.findall(r"<code>(.*?)</code>", page, re.DOTALL)]
    assert any(code_of(name) in code for code in shown)


def test_the_page_needs_nothing_from_elsewhere(demo: str) -> None:
    answer = httpx.get(demo)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(src|href)\s*=\s*["']?(\w+:)?//|@import|url\(""", answer.text)


def test_a_plain_function(demo: str) -> None:
    assert "Hi, Ada!" in httpx.get(demo + "/hello/Ada", params={"greeting": "Hi"}).text
    assert "Hello, Ada!" in httpx.get(demo + "/hello/Ada").text


def test_what_a_visitor_sends_is_escaped(demo: str) -> None:
    answer = httpx.get(demo + "/hello/%3Cb%3E", params={"greeting": "<script>"})
    assert "&lt;script&gt;, &lt;b&gt;!" in answer.text


def test_three_tasks_run_at_once(demo: str) -> None:
    answer = httpx.get(demo + "/three").json()
    total = answer.pop("total")
    assert set(answer) == {"query", "hash", "wait"}
    took = [task["ended"] - task["began"] for task in answer.values()]
    assert max(took) <= total < sum(took)


def test_the_api(demo: str) -> None:
    answer = httpx.get(demo + "/temperature", params={"celsius": "100"})
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    assert answer.json() == {"fahrenheit": 212.0, "kelvin": 373.15}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "celsius"),
        ("celsius=warm", "celsius"),
        ("celsius=nan", "celsius"),
        ("celsius=-300", "celsius"),
        ("celsius=1&celsius=2", "celsius"),
        ("celsius=20&wind=3", "wind"),
    ],
)
def test_the_api_names_what_is_wrong(demo: str, query: str, named: str) -> None:
    answer = httpx.get(f"{demo}/temperature?{query}", headers={"accept": "application/json"})
    assert answer.status_code == 400
    assert named in answer.json()["detail"]


def connect(url: str) -> websocket.WebSocket:
    return websocket.create_connection(url.replace("http", "ws") + "/echo", timeout=PATIENCE)


def test_the_websocket_echoes(demo: str) -> None:
    client = connect(demo)
    try:
        for message in ("hello", "höchst erfreut", "x" * 1000):
            client.send(message)
            assert client.recv() == "ECHO: " + message
    finally:
        client.close()


def test_the_guest_book_keeps_what_is_written(demo: str) -> None:
    entry = {"name": "Grace", "text": "<i>It runs.</i>"}
    answer = httpx.post(demo + "/guestbook", json=entry)
    assert answer.status_code == 201
    (first, *_) = httpx.get(demo + "/guestbook").json()["entries"]
    assert {name: first[name] for name in entry} == entry


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"name": "Grace"}, "text"),
        ({"name": " ", "text": "x"}, "name"),
        ({"name": 5, "text": "x"}, "name"),
        ({"name": "Grace", "text": "x" * 201}, "text"),
    ],
)
def test_the_guest_book_names_what_is_wrong(
    demo: str, entry: dict[str, object], named: str
) -> None:
    answer = httpx.post(demo + "/guestbook", json=entry)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]


def test_the_guest_book_takes_no_form(demo: str) -> None:
    answer = httpx.post(demo + "/guestbook", data={"name": "Grace", "text": "x"})
    assert answer.status_code == 415


@pytest.mark.parametrize("engine", ENGINES)
def test_several_workers_share_the_guest_book(engine: str, tmp_path: Path) -> None:
    server = start(engine, tmp_path, "--workers", "2")
    texts = [f"text {number}" for number in range(24)]

    def sign(text: str) -> int:
        entry = {"name": "Grace", "text": text}
        return httpx.post(server.url + "/guestbook", json=entry, timeout=PATIENCE).status_code

    try:
        with ThreadPoolExecutor(8) as executor:
            assert set(executor.map(sign, texts)) == {201}
        entries = httpx.get(server.url + "/guestbook").json()["entries"]
        assert sorted(entry["text"] for entry in entries) == sorted(texts)
    finally:
        server.kill()


@pytest.mark.parametrize("engine", [*ENGINES, SCRIPT])
def test_ctrl_c_ends_it_cleanly(engine: str, tmp_path: Path) -> None:
    server = start(engine, tmp_path)
    try:
        page = connect(server.url)
        family = server.family()
        # A terminal sends it to every process of the foreground.
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(PATIENCE) in (0, 130)
        wait_until(lambda: not any(map(is_running, family)), "all of its processes have ended")
        page.shutdown()
        assert "Traceback" not in server.output()
        assert f"127.0.0.1:{server.port}" in server.output()
    finally:
        server.kill()
