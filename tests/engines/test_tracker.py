"""The issue tracker of examples/tracker over real connections; its own tests are beside it."""

from __future__ import annotations

import contextlib
import datetime
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import browser
from support.accessibility import violations
from support.servers import Server, serving

from atila.testing.waits import PATIENCE, wait_until

engines = ("skitai", "granian")

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "tracker" / "serve.py"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as data:
        Path(data).chmod(0o777)
        # The job that reminds of what is due runs each hour otherwise.
        variables = {"TRACKER_DATA": data, "ATILA_MAINTAIN_INTERVAL": "1"}
        with serving(engine, SCRIPT, 2, "/api/issues", environment=variables) as server:
            yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
        account = {"name": "ada", "password": "correct horse"}
        answer = client.post("/api/accounts", json=account)
        assert answer.status_code == 201, answer.text
        assert client.post("/api/login", json=account).status_code == 200
        client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        yield client


def rules(answer: httpx.Response) -> list[tuple[str, str, str]]:
    assert answer.status_code == 400, answer.text
    return [(each["in"], each["at"], each["rule"]) for each in answer.json()["errors"]]


def test_the_life_of_an_issue(client: httpx.Client) -> None:
    thread = [{"text": "a", "replies": [{"text": "b"}]}]
    new = {"title": "It stops", "labels": ["bug"], "due": "2030-01-31", "comments": thread}
    answer = client.post("/api/issues", json=new)
    assert answer.status_code == 201, answer.text
    path = f"/api/issues/{answer.json()['id']}"
    file = ("a.html", b"<script>" * 100_000, "text/html")
    attached = client.post(f"{path}/attachments", files={"file": file}).json()
    assert client.patch(path, json={"state": "closed"}).json()["state"] == "closed"
    shown: dict[str, Any] = client.get(path).json()
    assert shown["comments"][0]["replies"][0]["text"] == "b"
    assert shown["attachments"] == [attached]
    content = client.get(f"/api/attachments/{attached['id']}")
    assert content.content == file[1]
    assert content.headers["content-disposition"].startswith("attachment")
    page = client.get("/api/issues?label=bug&state=closed&due_before=2030-02-01").json()
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
            found = rules(client.post("/api/issues", content=body, headers=JSON))
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
    assert {each[1] for each in rules(client.get(f"/api/issues?{query}"))} == {
        "label[0]",
        "page",
        "size",
        "due_before",
        "sort",
    }


def open_issue(client: httpx.Client, **fields: Any) -> str:
    """The path of its page."""
    answer = client.post("/api/issues", json={"title": "It stops", **fields})
    return f"/issues/{answer.json()['id']}"


def test_every_worker_hears_of_a_change(server: Server, client: httpx.Client) -> None:
    path = open_issue(client)
    with contextlib.ExitStack() as stack:
        streams = []
        for _ in range(8):
            stream = httpx.stream("GET", server.url(f"{path}/updates"), timeout=PATIENCE)
            streams.append(stack.enter_context(stream).iter_lines())
            next(streams[-1])  # It listens.
        client.post(f"/api{path}/comments", json={"text": "here"})
        for lines in streams:
            assert next(line for line in lines if line.startswith("data: "))


class Visitor:
    """A browser without scripts, which keeps its cookies and fills in forms."""

    def __init__(self, server: Server) -> None:
        self.client = httpx.Client(
            base_url=server.url(""),
            headers={"accept": "text/html"},
            follow_redirects=True,
            timeout=PATIENCE,
        )

    def send(self, page: str, form: dict[str, Any], to: str = "", **more: Any) -> httpx.Response:
        token = re.search(r'name="_csrf_token" value="([^"]+)"', self.client.get(page).text)
        assert token
        return self.client.post(to or page, data={**form, "_csrf_token": token[1]}, **more)


def test_pages_and_jobs_without_a_script(server: Server, client: httpx.Client) -> None:
    visitor = Visitor(server)
    with visitor.client:
        page = visitor.send("/login", {"name": "ada", "password": "wrong horse"})
        assert (page.status_code, "no account has this" in page.text) == (403, True)
        assert visitor.client.get("/new").url.path == "/login"
        page = visitor.send("/login?next=/new", {"name": "ada", "password": "correct horse"})
        assert page.url.path == "/new"
        page = visitor.send("/new", {"title": "", "due": "soon"})
        assert (page.status_code, page.text.count('aria-invalid="true"')) == (400, 2)
        due = datetime.date.today().isoformat()
        page = visitor.send("/new", {"title": "Leaves", "due": due, "labels": ["bug", "idea"]})
        path = page.url.path
        file = {"file": ("log.txt", b"log", "text/plain")}
        page = visitor.send(path, {}, f"{path}/attachments", files=file)
        assert "log.txt</a>" in page.text
        client.post("/api/accounts", json={"name": "grace", "password": "hopper hopper"})
        token = client.post("/api/login", json={"name": "grace", "password": "hopper hopper"})
        headers = {"authorization": f"Bearer {token.json()['token']}"}
        client.post(f"/api{path}/comments", json={"text": "Mine too"}, headers=headers)

        def is_notified() -> bool:
            found = visitor.client.get("/notices").text
            return f"“Leaves” is due on {due}" in found and "grace wrote on “Leaves”" in found

        wait_until(is_notified, "ada hears of the comment and of the day", log=server.log)


@pytest.fixture(scope="module")
def window() -> Iterator[browser.Page]:
    """Of one browser for both engines."""
    path = browser.executable()
    if path is None:
        pytest.skip("there is no Chromium: apt install chromium")
    with browser.browsing(path) as page:
        yield page


@pytest.fixture
def page(window: browser.Page) -> browser.Page:
    # The page of the last test might ask a server that has ended for its updates.
    window.open("about:blank", width=1280)
    window.wait_for("location.href === 'about:blank'")
    window.complaints.clear()
    window.requested.clear()
    return window


def check_quiet(server: Server, page: browser.Page) -> None:
    """Nothing is in the console, and no other host was asked for anything."""
    assert not page.complaints
    own = (server.url("/"), "data:", "about:")
    assert page.requested
    assert not [url for url in page.requested if not url.startswith(own)]


def log_in(server: Server, page: browser.Page, path: str) -> None:
    """Log in on the way to a page."""
    page.call("Network.clearBrowserCookies")
    page.open(server.url(f"/login?next={path}"), width=390)
    page.fill("main [name=name]", "ada")
    page.fill("main [name=password]", "correct horse")
    page.click("main form button")
    page.wait_for(f"location.pathname === '{path}' && document.readyState === 'complete'")


def test_a_second_window_shows_changes_at_once(
    server: Server, client: httpx.Client, page: browser.Page
) -> None:
    path = open_issue(client, comments=[{"text": "first"}])
    log_in(server, page, path)
    with page.another() as second, page.another() as listing:
        second.open(server.url(path), width=1280)
        listing.open(server.url("/"), width=1280)
        second.fill("#comments > form textarea", "being typed")
        page.evaluate("document.querySelector('.thread details').open = true")
        page.fill(".thread details textarea", "second")
        page.click(".thread details button")
        second.wait_for("document.querySelector('.thread .thread')?.innerText.includes('second')")
        page.click("#issue button")
        second.wait_for("document.querySelector('#issue .mark').innerText === 'closed'")
        listing.wait_for("document.querySelector('#found .mark').innerText === 'closed'")
        client.post(f"/api{path}/comments", json={"text": "third"})
        page.wait_for("document.querySelector('#thread').innerText.includes('third')")
        assert second.evaluate("document.querySelector('#comments > form textarea').value") == (
            "being typed"
        )
        for window in (page, second, listing):
            check_quiet(server, window)


def test_a_page_that_was_left_keeps_no_connection(
    server: Server, client: httpx.Client, page: browser.Page
) -> None:
    """Browsers keep it for the way back, and open six connections to a host."""
    path = open_issue(client)
    log_in(server, page, path)
    for _ in range(4):
        page.open(server.url("/"), width=1280)
        page.open(server.url(path), width=1280)
    client.post(f"/api{path}/comments", json={"text": "while it is shown"})
    page.wait_for("document.querySelector('#thread').innerText.includes('while it is shown')")
    page.evaluate("window.isKept = true")
    page.open(server.url("/"), width=1280)
    client.post(f"/api{path}/comments", json={"text": "while it is left"})
    page.evaluate("history.back()")
    page.wait_for("document.querySelector('#thread').innerText.includes('while it is left')")
    assert page.evaluate("window.isKept")
    client.post(f"/api{path}/comments", json={"text": "when it is back"})
    page.wait_for("document.querySelector('#thread').innerText.includes('when it is back')")


@pytest.mark.unable("skitai", "what a page looks like is no matter of the engine")
def test_nobody_is_kept_from_using_the_pages(
    server: Server, client: httpx.Client, page: browser.Page
) -> None:
    thread: list[dict[str, Any]] = []
    for depth in range(20):
        thread = [{"text": f"{20 - depth} deep {'x' * 80}", "replies": thread}]
    path = open_issue(client, title="y" * 80, labels=["bug"], due="2030-01-31", comments=thread)
    page.open(server.url("/login"), width=390)
    page.click("main form button")
    page.wait_for("document.querySelectorAll('[aria-invalid=true]').length === 2")
    assert violations(page) == []
    log_in(server, page, path)
    for shown in (path, "/", "/new"):
        page.open(server.url(shown), width=1280)
        for scheme in ("light", "dark"):
            page.prefer(scheme)
            assert violations(page) == [], (shown, scheme)
        for width in (390, 768, 1280):
            page.resize(width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, shown
    # Browsers note an answer of 400 there, whatever the page does with it.
    assert not [each for each in page.complaints if "status of 400" not in each]
    page.complaints.clear()


def test_the_page_to_try_it(server: Server, client: httpx.Client, page: browser.Page) -> None:
    """In a browser: it loads under its policy, logs in, sends a request, and fits on a phone."""
    token = client.headers["authorization"].removeprefix("Bearer ")
    # The identifiers of its elements have a backslash before each dot.
    operation = "[id*='open_issue']"
    page.open(server.url("/api/docs"), width=390)
    page.wait_for("document.querySelectorAll('.opblock').length > 5")
    assert page.evaluate("document.title") == "Tracker"
    for scheme, ground in (("dark", "rgb(28, 32, 34)"), ("light", "rgb(255, 255, 255)")):
        page.prefer(scheme)
        page.wait_for(f"getComputedStyle(document.documentElement).backgroundColor === '{ground}'")
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
    check_quiet(server, page)
    assert client.get("/api/issues?text=By the page").json()["total"] == 1
