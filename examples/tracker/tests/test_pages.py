"""What the pages promise, in this process."""

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from tracker import notices, tables

from atila.testing import TestClient

HTML = {"accept": "text/html"}
ADA = {"name": "ada", "password": "correct horse"}


class Visitor:
    """A browser without scripts: it keeps its cookies, and sends the forms of the page it is on."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.page: Any = None

    def open(self, path: str) -> str:
        self.page = self.client.get(path, headers=HTML)
        return str(self.page.text)

    def send(self, path: str, fields: dict[str, Any], **more: Any) -> str:
        token = re.search(r'name="_csrf_token" value="([^"]+)"', self.page.text)
        assert token, self.page.text
        body = {**fields, "_csrf_token": token[1]}
        self.page = self.client.post(path, body, headers=HTML, **more)
        return str(self.page.text)

    def log_in(self, path: str = "/login") -> "Visitor":
        self.open(path)
        self.send(path, ADA)
        assert "Log out ada" in self.page.text
        return self


@pytest.fixture
def visitor(client: TestClient, ada: dict[str, str]) -> Visitor:
    return Visitor(TestClient(client.app, follow_redirects=True))


def fault(page: str, field: str) -> str:
    found = re.search(rf'id="{field}-fault">([^<]+)<', page)
    return found[1] if found else ""


def test_a_visitor_is_sent_to_the_login_and_back(visitor: Visitor) -> None:
    visitor.open("/new")
    assert "<h1>Log in</h1>" in visitor.page.text
    wrong = visitor.send("/login?next=/new", {**ADA, "password": "wrong horse"})
    assert (visitor.page.status_code, fault(wrong, "password")) == (
        403,
        "no account has this name and password",
    )
    assert "<h1>New issue</h1>" in visitor.send("/login?next=/new", ADA)
    visitor.send("/logout", {})
    assert "<h1>Log in</h1>" in visitor.open("/new")


def test_signing_up(visitor: Visitor) -> None:
    visitor.open("/sign-up")
    page = visitor.send("/sign-up", {"name": "Grace!", "password": "short"})
    assert fault(page, "name")
    assert fault(page, "password")
    assert 'value="Grace!"' in page
    assert "the name ada is taken" in visitor.send("/sign-up", ADA)
    visitor.send("/sign-up", {"name": "grace", "password": "hopper hopper"})
    assert "Log out grace" in visitor.page.text


def test_a_form_has_its_faults_in_place(visitor: Visitor) -> None:
    visitor.log_in().open("/new")
    fields = {"title": "", "text": "<b>", "labels": ["bug", "idea"], "due": "soon"}
    page = visitor.send("/new", fields)
    assert visitor.page.status_code == 400
    assert fault(page, "title")
    assert fault(page, "due")
    assert "&lt;b&gt;</textarea>" in page
    assert re.findall(r'value="(\w+)" checked', page) == ["bug", "idea"]
    page = visitor.send("/new", {**fields, "title": "It <stops>", "due": ""})
    assert visitor.page.status_code == 200
    assert '<h1 id="title">It &lt;stops&gt;</h1>' in page


def opened(visitor: Visitor, **fields: Any) -> str:
    """The path of a new issue."""
    if "Log out" not in visitor.open("/new"):
        visitor.log_in("/login?next=/new")
    page = visitor.send("/new", {"title": "It stops", **fields})
    found = re.search(r'data-page="(/issues/\d+)"', page)
    assert found, page
    return found[1]


def test_an_issue_with_comments_and_a_file(visitor: Visitor) -> None:
    path = opened(visitor, text="every day")
    page = visitor.send(f"{path}/comments", {"text": "first"})
    number = re.findall(r'id="comment-(\d+)"', page)[-1]
    page = visitor.send(f"{path}/comments?reply_to={number}", {"text": "second"})
    assert re.search(rf'id="replies-{number}">\s*<li[^>]*>.*second', page, re.DOTALL)
    assert fault(visitor.send(f"{path}/comments", {"text": ""}), "text")
    page = visitor.send(f"{path}/attachments", {}, files={"file": ("a.txt", b"log", "text/plain")})
    assert "a.txt</a>" in page
    file = re.findall(r'href="(/attachments/\d+)"', page)[-1]
    assert visitor.client.get(file).content == b"log"
    assert fault(visitor.send(f"{path}/attachments", {"file": ""}), "file")
    visitor.open(path)
    assert ">Open it again<" in visitor.send(path, {"state": "closed"})


def test_filters_and_pages(visitor: Visitor) -> None:
    visitor.log_in()
    for number in range(5):
        visitor.open("/new")
        visitor.send("/new", {"title": f"Leaf {number}", "labels": "idea", "due": "2040-01-01"})
    page = visitor.open("/?text=Leaf&state=open&label=idea&due_before=2040-01-02&size=2&page=2")
    assert re.findall(r">(Leaf \d)<", page) == ["Leaf 2", "Leaf 1"]
    assert "5 issues" in page
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older
    assert re.findall(r">(Leaf \d)<", visitor.open(older[1].replace("&amp;", "&"))) == ["Leaf 0"]
    assert "0 issues" in visitor.open("/?text=Leaf&state=&due_before=2039-01-01")
    visitor.open("/?page=0")
    assert (visitor.page.status_code, 'role="alert"' in visitor.page.text) == (400, True)


def test_pages_are_protected(visitor: Visitor) -> None:
    for path in ("/", "/login", "/new", "/?page=0"):
        assert not re.search(r"""(src|href)="(\w+:)?//|<style|style=|onclick""", visitor.open(path))
        assert "default-src 'none'" in visitor.page.headers["content-security-policy"]
    path = opened(visitor)
    for target in (path, f"{path}/comments", f"{path}/attachments", "/new", "/logout", "/notices"):
        refused = visitor.client.post(target, {"text": "x", "state": "closed"}, headers=HTML)
        assert (refused.status_code, "CSRF" in refused.text) == (400, True), target
    assert ">Close the issue<" in visitor.open(path)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/issues/99999", 404), ("/issues/99999999999999999999", 400), ("/attachments/99999", 404)],
)
def test_what_there_is_not(visitor: Visitor, path: str, status: int) -> None:
    visitor.open(path)
    assert visitor.page.status_code == status


def test_who_wrote_hears_of_comments_after_the_answer(
    visitor: Visitor, client: TestClient, ada: dict[str, str]
) -> None:
    path = opened(visitor, title="A tap drips")
    grace = {"name": "grace2", "password": "hopper hopper"}
    token = client.post("/api/accounts", json=grace).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    client.post(f"/api{path}/comments", json={"text": "Mine too"}, headers=headers)
    client.post(f"/api{path}/comments", json={"text": "I see"}, headers=ada)
    page = visitor.open("/notices")
    assert page.count("grace2 wrote on “A tap drips”") == 1
    assert "ada wrote" not in page
    assert "Nothing new" in visitor.send("/notices", {})


def test_the_job_reminds_of_what_is_due_once(visitor: Visitor, data: Path) -> None:
    today = datetime.date.today()
    for title, days in (("Today", 0), ("Tomorrow", 1), ("Later", 2)):
        opened(visitor, title=title, due=str(today + datetime.timedelta(days=days)))
    visitor.send(opened(visitor, title="Done", due=str(today)), {"state": "closed"})
    engine = create_engine(f"sqlite:///{data}/tracker.sqlite3")
    for _ in range(2):
        with Session(engine) as db:
            notices.remind(None, 0, 1, db)  # type: ignore[arg-type]  # It has no request.
    with Session(engine) as db:
        texts = db.scalars(select(tables.Notice.text).where(tables.Notice.cause.like("due%"))).all()
    assert sorted(texts) == [
        f"“Today” is due on {today}",
        f"“Tomorrow” is due on {today + datetime.timedelta(days=1)}",
    ]


def test_a_page_hears_of_changes(visitor: Visitor, client: TestClient, ada: dict[str, str]) -> None:
    path = opened(visitor)
    with client.events(f"{path}/updates") as issue, client.events("/updates") as all_issues:
        client.patch(f"/api{path}", json={"state": "closed"}, headers=ada)
        assert next(issue).json() == next(all_issues).json() == {"issue": int(path.split("/")[2])}
    with pytest.raises(ConnectionRefusedError):
        client.events("/notices/updates")
