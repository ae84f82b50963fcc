"""`atila serve --interface wsgi`: granian calls the handlers in its own threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.servers import Server, serving

from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.served

SCRIPT = Path(__file__).with_name("engines") / "apps" / "together.py"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    server: Server
    with (
        serving("granian-wsgi", SCRIPT) as server,
        httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client,
    ):
        yield client


def test_plain_handlers_and_bad_input(client: httpx.Client) -> None:
    assert client.get("/api").json() == {"name": "Hans", "numbers": [1, 2.5]}
    assert client.get("/api", params={"x": "1"}).status_code == 400
    assert client.get("/nothing").status_code == 404


def test_tasks_coroutines_and_streams(client: httpx.Client) -> None:
    assert client.get("/at-once").json() == {"places": [0, 1, 2]}
    assert client.get("/coroutine").json()["c"] == 7
    assert client.get("/download").text.count("\n") == 4
    assert client.post("/streaming", content=b"x" * 10_000).content == b"x" * 10_000


def test_there_are_no_websockets(client: httpx.Client) -> None:
    assert client.get("/chatty").status_code == 501


SHOWING = """
import sys
from pathlib import Path

import skitai

from atila import Atila

app = Atila(__name__)


@app.route("/")
def show(was):
    frame, callers = sys._getframe(), []
    while frame is not None:
        callers.append(Path(frame.f_code.co_filename).parts[-2:])
        frame = frame.f_back
    return {"headers": was.request.get_headers(), "callers": ["/".join(each) for each in callers]}


@app.route("/<int:status>")
def answer(was, status):
    return was.response(status, b"", {"x-name": "Zoé"})


skitai.mount("/", app)
"""


@pytest.fixture(scope="module")
def showing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    script = tmp_path_factory.mktemp("showing") / "showing.py"
    script.write_text(SHOWING)
    environment = {"HTTP_PROXY": "http://proxy.example", "HTTP_NOTHING": ""}
    with (
        serving("granian-wsgi", script, environment=environment) as server,
        httpx.Client(base_url=server.url(""), timeout=PATIENCE, trust_env=False) as client,
    ):
        yield client


def test_variables_of_the_process_are_no_headers_of_a_request(showing: httpx.Client) -> None:
    shown = showing.get("/", headers={"x-own": "1"}).json()["headers"]
    names = {name for name, _ in shown} if isinstance(shown, list) else set(shown)
    assert "x-own" in {name.lower() for name in names}
    assert not {"proxy", "nothing"} & {name.lower() for name in names}


def test_granian_makes_no_environ(showing: httpx.Client) -> None:
    callers = showing.get("/").json()["callers"]
    assert "engines/granian_wsgi.py" in callers
    assert "granian/wsgi.py" not in callers


def test_a_header_that_is_not_ascii_is_a_400(showing: httpx.Client) -> None:
    answer = showing.get("/", headers={"x-name": "Zoé".encode()})
    assert answer.status_code == 400
    assert "x-name" in answer.text


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("GET", 200, "0"), ("HEAD", 200, None), ("GET", 204, None), ("GET", 304, None)],
)
def test_an_empty_answer(
    showing: httpx.Client, method: str, status: int, length: str | None
) -> None:
    answer = showing.request(method, f"/{status}")
    assert answer.status_code == status
    assert answer.headers.get("content-length") in (length, "0" if method == "HEAD" else length)
    assert answer.headers.get("x-name", "").encode(answer.headers.encoding) == "Zoé".encode()
