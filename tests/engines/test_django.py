"""Django: the specification's model and service as tasks, its migrations, and its admin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.servers import TESTS, Server, serving

from atila_tasks.testing import PostgreSQLServer

SITE = Path(__file__).parent / "apps" / "django_site"
LAUNCHED = "it loads an `app` of a module, so that nothing is mounted beside it"

pytestmark = [
    pytest.mark.unable(engine, LAUNCHED) for engine in ("uvicorn", "hypercorn", "gunicorn")
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQLServer]:
    """A database with the tables of the site, which its migrations have made."""
    with PostgreSQLServer() as server, pytest.MonkeyPatch.context() as patch:
        who = f"{server.user} {server.password} {server.port} test"
        patch.setenv("ATILA_TEST_DJANGO", who)
        migrations = tmp_path_factory.mktemp("migrations")
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": os.pathsep.join([str(SITE), str(TESTS), str(migrations)]),
            "DJANGO_SUPERUSER_PASSWORD": "admin-s3cret",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (migrations / "made").mkdir()
        (migrations / "made" / "__init__.py").touch()
        overriding = "--settings=migrating"
        (migrations / "migrating.py").write_text(
            "from settings import *\nMIGRATION_MODULES = {'firebase_vue': 'made'}\n"
        )
        admin = ["--noinput", "--username=admin", "--email=admin@example.com"]
        for command in (["makemigrations"], ["migrate"], ["createsuperuser", *admin]):
            subprocess.run(
                [sys.executable, "-m", "django", *command, overriding],
                env=environment,
                check=True,
                capture_output=True,
            )
        assert (migrations / "made" / "0001_initial.py").is_file()
        yield server


@pytest.fixture(scope="module")
def server(engine: str, database: PostgreSQLServer) -> Iterator[Server]:
    with serving(engine, SITE / "serve.py") as server:
        yield server


def test_the_service_of_the_specification(client: httpx.Client, name: str) -> None:
    added = client.post(f"/users/{name}", json={"email": "hans@example.com"})
    assert added.status_code == 201, added.text
    user = added.json()["user"]
    assert (user["uid"], user["email"], user["lev"]) == (name, "hans@example.com", "user")
    assert user["created"] == user["last_updated"]
    assert client.get(f"/users/{name}").json()["user"] == user
    assert client.get(f"/by-id/{user['id']}").json()["user"] == user
    changed = client.patch(f"/users/{name}", json={"nick_name": "Hans", "lev": "staff"})
    assert changed.json()["user"]["nick_name"] == "Hans"
    assert changed.json()["user"]["created"] == user["created"]
    assert changed.json()["user"]["last_updated"] > user["last_updated"]
    log = client.post(f"/users/{name}/logs", json={"action": "login"}).json()["log"]
    assert (log["user_id"], log["note"]) == (user["id"], {"a": [1]})
    assert client.get(f"/logs/{user['id']}").json()["logs"] == [log]
    # The user and what was logged of it, in one statement.
    assert client.delete(f"/users/{name}").status_code == 204
    assert client.get(f"/users/{name}").status_code == 410
    assert client.get(f"/logs/{user['id']}").json()["logs"] == []


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"lev": "king"}, "lev"),
        ({"nick_name": "x" * 17}, "nick_name"),
        ({"lev": None}, "lev"),
        ({"created": "2020-01-01"}, "created"),
        ({"id": 7}, "id"),
        ({"password": "x"}, "password"),
        ({"nick_name": {"a": 1}}, "nick_name"),
    ],
)
def test_what_a_field_does_not_take(
    client: httpx.Client, name: str, payload: dict[str, object], field: str
) -> None:
    refused = client.post(f"/users/{name}", json=payload)
    assert refused.status_code == 400, refused.text
    assert refused.json()["detail"].startswith(f"field '{field}'")
    assert client.get(f"/users/{name}").status_code == 410


def test_text_is_never_a_part_of_a_statement(client: httpx.Client, name: str) -> None:
    evil = "x'); DROP TABLE firebase_user; --"
    assert client.post(f"/users/{name}", json={"status": evil[:16]}).status_code == 201
    assert client.get(f"/users/{evil}").status_code == 410
    assert client.get(f"/by-id/{evil}").status_code == 400
    assert client.get(f"/users/{name}").json()["user"]["status"] == evil[:16]


def token_of(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_the_admin(client: httpx.Client, name: str) -> None:
    client.follow_redirects = True
    page = client.get("/admin/")
    assert "Django administration" in page.text
    css = re.search(r'href="(/static/[^"]+\.css)"', page.text)
    assert css is not None
    assert client.get(css[1]).headers["content-type"].startswith("text/css")
    form = {
        "csrfmiddlewaretoken": token_of(page.text),
        "username": "admin",
        "password": "admin-s3cret",
        "next": "/admin/",
    }
    assert "Site administration" in client.post(page.url, data=form).text
    page = client.get("/admin/firebase_vue/user/add/")
    form = {
        "csrfmiddlewaretoken": token_of(page.text),
        "uid": name,
        "nick_name": "Ädmin",
        "lev": "guest",
    }
    assert "was added successfully" in client.post(page.url, data=form).text
    assert client.get(f"/users/{name}").json()["user"]["nick_name"] == "Ädmin"
    refused = client.post(page.url, data={**form, "csrfmiddlewaretoken": "wrong"})
    assert refused.status_code == 403
    assert client.get("/admin/no/such/page").status_code == 404
