"""`hatch run demo`: started as a user does, on both engines, and used over real connections."""

import ast
import contextlib
import html
import importlib
import json
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

from atila.testing import TestClient
from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

pytestmark = pytest.mark.served

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "examples" / "demo"
HANDLERS = (
    "hello",
    "live",
    "three",
    "clocked",
    "speak",
    "listen",
    "post",
    "order",
    "refused",
    "account",
    "log_in",
    "sign",
    "entries",
)
HTML = {"accept": "text/html"}
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


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client in this process."""
    data = str(tmp_path_factory.mktemp("inside"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_DEMO_DATA", data)
        client = TestClient.of(DEMO / "serve.py")
        with client:
            yield client


def code_of(function: str) -> str:
    """A function with its decorators, as its module has it."""
    for module in (DEMO / "demo").glob("*.py"):
        text = module.read_text()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    raise AssertionError(function)


def shown_code(page: str) -> list[str]:
    blocks = re.findall(r"<code>(.*?)</code>", page, re.DOTALL)
    return [html.unescape(re.sub(r"</?span[^>]*>", "", block)) for block in blocks]


@pytest.mark.parametrize("function", HANDLERS)
def test_the_page_shows_the_source(inside: TestClient, function: str) -> None:
    assert any(code_of(function) in code for code in shown_code(inside.get("/").text))


def test_each_part_has_its_source_and_its_page(inside: TestClient) -> None:
    page = inside.get("/").text
    cards = re.findall(r'<section class="card" id="(\w+)".*?</section>', page, re.DOTALL)
    assert cards == ["live", "hello", "three", "chat", "order", "login", "guestbook", "watch"]
    for card in re.findall(r'<section class="card".*?</section>', page, re.DOTALL):
        assert re.search(r'<a href="/guide/\w[\w-]*">Guide: ', card)
        assert len(re.findall(r"<pre [^>]*><code>.+?</code>", card, re.DOTALL)) == 1
    for setting in ("METRICS_PATH", "HEALTH_PATH", "OPENAPI_PATH"):
        assert any(f"app.config.{setting} = " in code for code in shown_code(page))


def test_the_links_lead_somewhere(inside: TestClient) -> None:
    page = inside.get("/").text
    paths = set(re.findall(r'(?:href|src)="(/[^"#]*)"', page)) - {"/account"}
    assert {"/docs", "/metrics", "/health/ready", "/guide/tasks"} <= paths
    found = {path: inside.get(path).status_code for path in paths}
    assert set(found.values()) == {200}, found


def test_the_policy_is_on_every_page(inside: TestClient) -> None:
    refused = inside.post("/order", {"seats": "9"}, headers=HTML)
    for answer in (inside.get("/"), inside.get("/login"), inside.get("/hello/Ada"), refused):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(
            r"""(src|href)\s*=\s*["']?(\w+:)?//|<style|style=|onclick""", answer.text
        )


def test_what_a_visitor_sends_is_escaped(inside: TestClient) -> None:
    answer = inside.get("/hello/%3Cb%3E?greeting=%3Cscript%3E")
    assert "&lt;script&gt;, &lt;b&gt;!" in answer.text
    wrong = inside.post("/order", {"name": "<script>"}, headers=HTML)
    assert "&lt;script&gt;" in wrong.text
    assert "<script>" not in wrong.text


def test_a_form_comes_back_with_its_faults_in_place(inside: TestClient) -> None:
    fields = {"name": "A", "seats": "12", "day": "soon", "meal": "breakfast"}
    page = inside.post("/order", fields, headers=HTML)
    assert page.status_code == 400
    for field in fields:
        fault = re.search(rf'id="{field}-fault">([^<]+)<', page.text)
        assert fault, field
    assert 'name="seats" value="12"' in page.text
    right = {"name": "Ada", "seats": "2", "day": "2030-01-31", "meal": "lunch"}
    assert "A table for 2 on 2030-01-31" in inside.post("/order", right, headers=HTML).text
    assert inside.post("/order", right, headers={"accept": "application/json"}).json() == {
        "name": "Ada",
        "seats": 2,
        "day": "2030-01-31",
        "meal": "lunch",
    }
    refused = inside.post("/order", fields, headers={"accept": "application/json"}).json()
    assert {each["at"] for each in refused["errors"]} == set(fields)


def test_the_pages_of_the_guide_are_pages(inside: TestClient) -> None:
    paths = set(re.findall(r'href="(/guide/[^"#]+)"', inside.get("/").text))
    assert paths
    for path in paths:
        page = inside.get(path).text
        assert page.count("<h1>") + page.count("<h1 id") == 1, path
        assert '<pre tabindex="0"><code class="language-python">' in page, path
        assert not re.search(r"```|&lt;!--|\]\(", page), path
        for link in set(re.findall(r'href="(/[^"#]*)', page)):
            assert inside.get(link).status_code == 200, (path, link)
        for place in re.findall(r'href="#([^"]+)"', page):
            assert f'id="{place}"' in page, (path, place)


def test_the_guide_has_no_other_files(inside: TestClient) -> None:
    for name in ("nothing", "..%2Fdecisions", "*", "%2Fetc%2Fpasswd"):
        assert inside.get(f"/guide/{name}").status_code == 404, name


def test_figures_are_those_of_the_time_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DEMO))
    figures = importlib.import_module("demo.figures")
    before, after = (object.__new__(figures.Sample) for _ in range(2))
    for sample, at, count in ((before, 10.0, 0), (after, 12.0, 40)):
        sample.time, sample.gauges, sample.buckets = at, {}, {}
        sample.requests, sample.seconds = count, count * 0.02
        # 20 of 40 within 10 ms, the others between 10 and 50 ms.
        for bound, share in ((0.01, 0.5), (0.05, 1.0), (float("inf"), 1.0)):
            sample.buckets[bound] = count * share
    told = after.since(before)
    assert (told["rate"], told["mean"], told["slow"]) == (20.0, 20.0, 46.0)


def token_of(page: str) -> str:
    found = re.search(r'name="_csrf_token"[^>]*value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_three_tasks_run_at_once(demo: str) -> None:
    answer = httpx.get(demo + "/three").json()
    total = answer.pop("total")
    assert set(answer) == {"query", "hash", "wait"}
    took = [task["ended"] - task["began"] for task in answer.values()]
    assert max(took) <= total < sum(took)


def test_login_and_out(demo: str) -> None:
    with httpx.Client(
        base_url=demo, headers=HTML, follow_redirects=True, timeout=PATIENCE
    ) as visitor:
        asked = visitor.get("/account")
        assert asked.url.path == "/login"
        form = {"name": "ada", "password": "wrong", "_csrf_token": token_of(asked.text)}
        wrong = visitor.post(str(asked.url), data=form)
        assert (wrong.status_code, "No account has this" in wrong.text) == (403, True)
        form |= {"password": "analytical engine", "_csrf_token": token_of(wrong.text)}
        page = visitor.post(str(asked.url), data=form)
        assert (page.url.path, "Welcome, ada" in page.text) == ("/account", True)
        assert visitor.post("/logout", data={}).status_code == 400
        visitor.post("/logout", data={"_csrf_token": token_of(page.text)})
        assert visitor.get("/account").url.path == "/login"


def test_a_chat_reaches_both_ways(demo: str) -> None:
    socket = connect(demo)
    try:
        with httpx.stream("GET", demo + "/chat/events", timeout=PATIENCE) as events:
            lines = events.iter_lines()
            next(lines)  # It listens.
            socket.send('{"name": "Ada", "text": "by socket"}')
            assert json.loads(socket.recv())["text"] == "by socket"
            answer = httpx.post(demo + "/chat", json={"name": "Grace", "text": "by request"})
            assert answer.status_code == 202
            assert json.loads(socket.recv())["text"] == "by request"
            data = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
            assert [next(data)["text"], next(data)["text"]] == ["by socket", "by request"]
        assert httpx.post(demo + "/chat", json={"name": "", "text": "x"}).status_code == 400
    finally:
        socket.close()


def connect(url: str) -> websocket.WebSocket:
    return websocket.create_connection(url.replace("http", "ws") + "/chat/socket", timeout=PATIENCE)


def sign(url: str, text: str, signer: str = "Grace") -> int:
    with httpx.Client(base_url=url, headers=HTML, timeout=PATIENCE) as visitor:
        form = {"signer": signer, "text": text, "_csrf_token": token_of(visitor.get("/").text)}
        return visitor.post("/guestbook", data=form).status_code


def test_the_guest_book_keeps_what_is_written(demo: str) -> None:
    assert sign(demo, "<i>It runs.</i>") == 303
    (first, *_) = httpx.get(demo + "/guestbook").json()["entries"]
    assert (first["name"], first["text"]) == ("Grace", "<i>It runs.</i>")
    assert sign(demo, " ") == 400
    assert sign(demo, "x" * 201) == 400
    assert httpx.post(demo + "/guestbook", data={"signer": "a", "text": "b"}).status_code == 400


@pytest.mark.parametrize("engine", ENGINES)
def test_several_workers_are_one(engine: str, tmp_path: Path) -> None:
    """They share guest book, forms, metrics, and what is live."""
    server = start(engine, tmp_path, "--workers", "2")
    texts = [f"text {number}" for number in range(12)]
    try:
        with ThreadPoolExecutor(4) as executor:
            assert set(executor.map(lambda text: sign(server.url, text), texts)) == {303}
        entries = httpx.get(server.url + "/guestbook").json()["entries"]
        assert sorted(entry["text"] for entry in entries) == sorted(texts)
        with httpx.stream("GET", server.url + "/live", timeout=PATIENCE) as live:
            events = (json.loads(x[6:]) for x in live.iter_lines() if x.startswith("data: "))
            assert next(events)["total"] >= 2 * len(texts)
            sign(server.url, "one more")
            shown = next(each for each in events if each["rate"])
            assert shown["mean"] > 0
            assert shown["slow"] > 0
            assert shown["streams"] == 1
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
