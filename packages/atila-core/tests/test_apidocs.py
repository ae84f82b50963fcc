"""`pytest --docs`: the API reference, from what tests ask for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atila.app.application import Atila
from atila.serving import route_header
from atila.testing.api_reference import Body, Reference, body_of
from atila.testing.waits import PATIENCE

CONFTEST = """
from atila.pytest_hooks import *
from atila.testing import TestClient
from pathlib import Path

@pytest.fixture (scope = "session")
def client ():
    with TestClient.of (Path (__file__).parents [1] / "serve.py") as client:
        yield client
"""

SERVE = """
import json
import skitai
from atila import Atila

app = Atila(__name__)
JSON = [("content-type", "application/json")]

@app.route("/tickers/<int:product_code>", methods=["GET", "PUT"])
def ticker(was, product_code, instock=2):
    if product_code == 404:
        raise was.Error("404 Not Found", "no such product")
    return was.response(200, json.dumps({"instock": int(instock)}), JSON)

@app.route("/account")
def account(was):
    if not was.request.get_header("authorization"):
        raise was.Error(401)
    return "```"

skitai.mount("/apis", app)
skitai.run()
"""

TESTS = """
def test_get (client):
    assert client.get ("/apis/tickers/123").status_code == 200
    assert client.get ("/apis/tickers/7").status_code == 200
    assert client.get ("/apis/tickers/404").status_code == 404

def test_put (client):
    assert client.put ("/apis/tickers/5", json = {"instock": 3}).json () == {"instock": 3}
    assert client.get ("/nowhere").status_code == 404
"""

ACCOUNT = """
def test_account (client):
    assert client.get ("/apis/account").status_code == 401
    assert client.get ("/apis/account", headers = {"Authorization": "Bearer s3cret"}).text
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "serve.py").write_text(SERVE)
    tests = tmp_path / "tests"
    (tests / "account").mkdir(parents=True)
    (tests / "conftest.py").write_text(CONFTEST)
    (tests / "test_tickers.py").write_text(TESTS)
    (tests / "account" / "test_account.py").write_text(ACCOUNT)
    return tmp_path


def run_pytest(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    home = project / ".home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
        cwd=project / "tests",
        env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.served
def test_the_reference_of_all_tests(project: Path) -> None:
    done = run_pytest(project, "--docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 requests are not in it" in done.stdout
    text = (project / "docs/api/index.md").read_text()
    assert text.startswith(
        "## Table of Content\n\n"
        "1. [/apis/account](#account) [**`GET`**](#get-apisaccount)\n"
        "2. [/apis/tickers/\\<int:product_code>](#ticker)"
        " [**`GET`**](#get-apistickersintproduct_code)"
        " [**`PUT`**](#put-apistickersintproduct_code)\n"
    )
    assert (
        "## ticker\n\n"
        "**URL Parameters**: `product_code`  \n"
        "**Authorization Required**: NO\n\n"
        "#### `GET` `/apis/tickers/<int:product_code>`\n\n"
        "**Success Response Example**\n\n"
        "> **_URL_**: `/apis/tickers/123`  \n"
        "> **_Response_**: `200 OK`  \n"
        "> **_Response Data_** (application/json)\n\n"
        '```json\n{\n  "instock": 2\n}\n```\n'
    ) in text
    assert "/apis/tickers/7" not in text
    assert "**Error Response Example**\n\n> **_URL_**: `/apis/tickers/404`" in text
    assert '> **_Request Data_** (application/json)\n\n```json\n{\n  "instock": 3\n}' in text


UPLOADS = """
import asyncio

def test_upload (client):
    files = {"f": ("a.txt", b"secret")}
    assert client.post ("/apis/upload", {"title": "x"}, files = files).text == "a.txt"
    assert client.get ("/apis/moved", follow_redirects = True).status_code == 200

def test_async (client):
    async def test ():
        other = client.app.async_test_client ()
        return await other.put ("/apis/tickers/9", json = {"instock": 8})
    assert asyncio.run (test ()).json () == {"instock": 8}
"""

UPLOAD = """
@app.route("/upload", methods=["POST"])
def upload(was, f, title):
    return f.name

@app.route("/moved")
def moved(was):
    return was.redirect("/apis/tickers/5")

skitai.mount"""


@pytest.mark.served
def test_uploads_redirects_and_the_asynchronous_client(project: Path) -> None:
    serve = project / "serve.py"
    serve.write_text(serve.read_text().replace("\nskitai.mount", UPLOAD, 1))
    (project / "tests" / "test_tickers.py").write_text(UPLOADS)
    done = run_pytest(project, "--docs")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (project / "docs/api/index.md").read_text()
    assert "> **_Request Data_** (multipart/form-data)" in text
    assert "title=x\nf=<FILE: a.txt>" in text
    assert "secret" not in text
    assert "> **_URL_**: `/apis/moved`  \n> **_Response_**: `302 Found`" in text
    assert "> **_URL_**: `/apis/tickers/5`  \n> **_Response_**: `200 OK`" in text
    assert '"instock": 8' in text


@pytest.mark.served
def test_the_reference_of_a_folder(project: Path) -> None:
    done = run_pytest(project, "account", "--docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (project / "docs/api/index.md").exists()
    text = (project / "docs/api/account.md").read_text()
    assert "**Authorization Required**: YES" in text
    assert "`authorization: Bearer ********`" in text
    assert "s3cret" not in text
    assert "\n````html\n```\n````" in text


@pytest.mark.served
def test_nothing_is_written_if_a_test_fails(project: Path) -> None:
    (project / "tests" / "test_bad.py").write_text("def test_bad(): assert False")
    done = run_pytest(project, "--docs")
    assert done.returncode == 1
    assert "the API reference is not written" in done.stdout
    assert not (project / "docs").exists()


@pytest.mark.served
def test_nothing_is_written_without_the_option(project: Path) -> None:
    assert run_pytest(project).returncode == 0
    assert not (project / "docs").exists()


# Who is told which route answered -----------------------------------------------------------------


def told(debug: bool, headers: dict[str, str]) -> str | None:
    app = Atila("told")
    app.debug = debug

    @app.route("/")
    def index(was: object) -> str:
        return "index"

    return app.test_client().get("/", headers=headers).headers.get(route_header.ANSWER)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(route_header.VARIABLE, raising=False)
    monkeypatch.delenv("SKITAIENV", raising=False)


@pytest.mark.usefixtures("production")
def test_the_route_is_told_to_who_asks_in_development() -> None:
    asking = {route_header.ASK: "1"}
    assert '"rule": "/"' in (told(True, asking) or "")
    assert told(True, {}) is None
    assert told(False, asking) is None
    assert told(True, {**asking, "x-forwarded-for": "192.0.2.1"}) is None


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("client", "is_told"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_the_route_is_told_on_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, client: str, is_told: bool
) -> None:
    monkeypatch.setattr("atila.testing.exchange.TestExchange.client", (client, 1))
    assert (told(True, {route_header.ASK: "1"}) is not None) is is_told


# Bodies -------------------------------------------------------------------------------------------


def test_bodies_are_shown_by_their_kind() -> None:
    assert body_of(b"", "text/plain") is None
    assert body_of(b'{"a":"\xc3\xa4"}', "application/json") == Body(
        "application/json", '{\n  "a": "ä"\n}'
    )
    assert body_of(b"\xff\xfe", "image/png") == Body("image/png", "(2 bytes)")
    assert body_of(b"{", "application/json") == Body("application/json", "(1 bytes)")
    shown = body_of(b"x" * 10000, "text/plain")
    assert shown is not None
    assert len(shown.text) < 5000


def test_files_of_a_form_are_named_only() -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nhello\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n\xff\r\n'
        b"--b--\r\n"
    )
    shown = body_of(form, "multipart/form-data; boundary=b")
    assert shown == Body("multipart/form-data", "title=hello\nfile=<FILE: a.bin>")


def test_equal_names_have_anchors_of_their_own() -> None:
    reference = Reference()
    for rule in ("/a", "/b"):
        route = f'{{"rule": "{rule}", "name": "same", "parameters": [], "authorization": "digest"}}'
        reference.add("GET", rule, {}, None, "200 OK", {"X-Atila-Route": route}, None)
    text = reference.markdown()
    assert "[/a](#same)" in text
    assert "[/b](#same-1)" in text
    assert "**Authorization Required**: YES (digest)" in text
