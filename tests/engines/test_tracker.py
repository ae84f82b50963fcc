"""The issue tracker of examples/tracker over real connections; its own tests are beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import browser
from support.servers import Server, serving

from atila.testing.waits import PATIENCE

engines = ("skitai", "granian")

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "tracker" / "serve.py"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as data:
        Path(data).chmod(0o777)
        variables = {"TRACKER_DATA": data}
        with serving(engine, SCRIPT, ready="/issues", environment=variables) as server:
            yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
        account = {"name": "ada", "password": "correct horse"}
        answer = client.post("/accounts", json=account)
        assert answer.status_code == 201, answer.text
        assert client.post("/login", json=account).status_code == 200
        client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        yield client


def rules(answer: httpx.Response) -> list[tuple[str, str, str]]:
    assert answer.status_code == 400, answer.text
    return [(each["in"], each["at"], each["rule"]) for each in answer.json()["errors"]]


def test_the_life_of_an_issue(client: httpx.Client) -> None:
    thread = [{"text": "a", "replies": [{"text": "b"}]}]
    new = {"title": "It stops", "labels": ["bug"], "due": "2030-01-31", "comments": thread}
    answer = client.post("/issues", json=new)
    assert answer.status_code == 201, answer.text
    path = f"/issues/{answer.json()['id']}"
    file = ("a.html", b"<script>" * 100_000, "text/html")
    attached = client.post(f"{path}/attachments", files={"file": file}).json()
    assert client.patch(path, json={"state": "closed"}).json()["state"] == "closed"
    shown: dict[str, Any] = client.get(path).json()
    assert shown["comments"][0]["replies"][0]["text"] == "b"
    assert shown["attachments"] == [attached]
    content = client.get(f"/attachments/{attached['id']}")
    assert content.content == file[1]
    assert content.headers["content-disposition"].startswith("attachment")
    page = client.get("/issues?label=bug&state=closed&due_before=2030-02-01").json()
    assert [each["id"] for each in page["issues"]] == [shown["id"]]


def nested(depth: int) -> bytes:
    comment = b'{"text": "x", "replies": ['
    return b'{"title": "x", "comments": [' + comment * depth + b"]}" * depth + b"]}"


WRONG = {
    "types": (b'{"title": 5, "labels": ["pest"]}', [("title", "type"), ("labels[0]", "enum")]),
    "a key twice": (
        b'{"title": "x", "comments": [{"text": "a", "text": "b"}]}',
        [("comments[0].text", "duplicate")],
    ),
    "NaN": (b'{"title": NaN}', [("", "format")]),
    "deep": (nested(100_000), [("", "format")]),
    "huge": (b'{"title": "' + b"x" * 4_000_000 + b'"}', [("title", "max_length")]),
    "many": (b'{"title": "x", "comments": [' + b"5," * 500_000 + b"5]}", None),
    "a cycle": (b'{"title": {"$ref": "#"}}', [("title", "type")]),
}


def test_bad_input_has_its_places_and_leaves_nothing(server: Server, client: httpx.Client) -> None:
    def send() -> None:
        for name, (body, expected) in WRONG.items():
            found = rules(client.post("/issues", content=body, headers=JSON))
            if expected is not None:
                assert found == [("body", at, rule) for at, rule in expected], name
            assert 1 <= len(found) <= 100, name

    send()
    before = server.resident()
    for _ in range(6):
        send()
    # 30 MB have been sent, which became some hundred MB of objects. Each thread that reads one
    # keeps room for the next: it levels out, on Python 3.13 after 75 MB, on 3.11 at once.
    assert server.resident() - before < 100_000_000


def test_bad_queries(client: httpx.Client) -> None:
    query = "label=x&page=0&size=1e3&due_before=soon&sort=title&page=2"
    assert {each[1] for each in rules(client.get(f"/issues?{query}"))} == {
        "label[0]",
        "page",
        "size",
        "due_before",
        "sort",
    }


def test_the_page_to_try_it(server: Server, client: httpx.Client) -> None:
    """In a browser: it loads under its policy, logs in, sends a request, and fits on a phone."""
    path = browser.executable()
    if path is None:
        pytest.skip("there is no Chromium: apt install chromium")
    token = client.headers["authorization"].removeprefix("Bearer ")
    # The identifiers of its elements have a backslash before each dot.
    operation = "[id*='open_issue']"
    with browser.browsing(path) as page:
        page.open(server.url("/docs"), width=390)
        page.wait_for("document.querySelectorAll('.opblock').length > 5")
        assert page.evaluate("document.title") == "Tracker"
        page.click(".btn.authorize")
        page.fill(".auth-container input", token)
        page.click(".auth-btn-wrapper .authorize")
        page.click(".auth-btn-wrapper .btn-done")
        page.click(f"{operation} .opblock-summary-control")
        page.fill(f"{operation} textarea.body-param__text", '{"title": "By the page"}')
        page.click(f"{operation} .btn.execute")
        selector = f"{operation} .live-responses-table .response .response-col_status"
        status = page.wait_for(f'document.querySelector("{selector}")?.innerText')
        assert status.split()[0] == "201"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        button = f'document.querySelector("{operation} .btn.execute").getBoundingClientRect()'
        assert page.evaluate(f"{button}.right") <= 390
        assert not page.complaints
        others = [url for url in page.requested if not url.startswith((server.url("/"), "data:"))]
        assert not [url for url in others if url != "about:blank"]
    assert client.get("/issues?text=By the page").json()["total"] == 1
