"""The board of examples/board: a notice by our handler, approved in Django's admin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.servers import Server, serving

from atila.testing.waits import PATIENCE

engines = ("skitai", "granian")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "board"
PASSWORD = "admin-s3cret"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database and an administrator."""
    data = tmp_path_factory.mktemp("board")
    for each in (data, data.parent):
        each.chmod(0o777)
    variables = {
        **os.environ,
        "BOARD_DATA": str(data),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    account = ["createsuperuser", "--noinput", "--username=admin", "--email=admin@example.com"]
    # The second fails if the migrations are not those of the models.
    for command in (["migrate"], ["makemigrations", "--check"], account):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=FOLDER,
            env=variables,
            check=True,
            capture_output=True,
        )
    (data / "board.sqlite3").chmod(0o666)
    return data


@pytest.fixture(scope="module")
def server(engine: str, data: Path) -> Iterator[Server]:
    with serving(
        engine, FOLDER / "serve.py", ready="/notices", environment={"BOARD_DATA": str(data)}
    ) as server:
        yield server


def token_of(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def test_a_notice_appears_when_it_is_approved(server: Server, engine: str) -> None:
    new = {"title": f"Lost by {engine}: a cät", "text": "<b>Grey</b>"}
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE, follow_redirects=True) as client:
        written = client.post("/notices", json=new)
        assert written.status_code == 202, written.text
        number = written.json()["id"]
        assert client.get("/notices", params={"search": engine}).json() == []
        page = client.get("/admin/")
        login = {"username": "admin", "password": PASSWORD, "next": "/admin/"}
        login["csrfmiddlewaretoken"] = token_of(page.text)
        assert "Site administration" in client.post(page.url, data=login).text
        style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
        assert style is not None
        assert client.get(style[1]).headers["content-type"].startswith("text/css")
        page = client.get(f"/admin/notices/notice/{number}/change/")
        form = {**new, "approved": "on", "csrfmiddlewaretoken": token_of(page.text)}
        assert "was changed successfully" in client.post(page.url, data=form).text
        (shown,) = client.get("/notices", params={"search": engine}).json()
        assert {name: shown[name] for name in ("id", *new)} == {"id": number, **new}


def test_what_is_no_notice(server: Server) -> None:
    for wrong in ({"title": "x"}, {"title": " ", "text": "x"}, {"title": "x" * 101, "text": "x"}):
        assert httpx.post(server.url("/notices"), json=wrong).status_code == 400
