"""A launch script, and an app of a package, under servers that we do not start: ATILA_APP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.servers import serving

from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.served

SERVE = """
import skitai
import pages

from atila import Atila

app = Atila(__name__)
shop = Atila("shop")
began = []
app.on("startup")(lambda *given: began.append(True))


@app.route("/")
def index(was):
    return "ready"


@app.route("/seen")
def seen(was):
    return {
        "apps": sorted(was.apps),
        "cart": was.urlfor("shop:cart"),
        "threads": was.site.pool.size,
        "began": len(began),
    }


@shop.route("/cart")
async def cart(was):
    return "cart"


if __name__ == "__main__":
    with skitai.preference() as pref:
        pref.config.MAX_FIELDS = 3
        skitai.mount("/pages", pages, pref)
    skitai.mount("/", app, name="main")
    skitai.mount("/shop", shop, name="shop")
    skitai.run(port=5000, threads=3)
"""

PAGES = """
from atila import Atila


def __app__():
    return Atila(__name__)


def __mount__(app, mntopt):
    @app.route("/one")
    def one(was, **fields):
        return f"page of {len(fields)}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "serve.py").write_text(SERVE)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "__init__.py").write_text(PAGES)
    return tmp_path


@pytest.mark.parametrize("engine", ["uvicorn", "hypercorn", "gunicorn"])
def test_a_launch_script(engine: str, folder: Path) -> None:
    variables = {"ATILA_APP": "serve.py"}
    with (
        serving(
            engine, folder / "serve.py", environment=variables, target="atila.site:app"
        ) as server,
        httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client,
    ):
        assert client.get("/").text == "ready"
        assert client.get("/seen").json() == {
            "apps": ["main", "pages", "shop"],
            "cart": "/shop/cart",
            "threads": 3,
            "began": 1,
        }
        assert client.get("/shop/cart").text == "cart"
        assert client.get("/pages/one?a=1&b=2").text == "page of 2"
        assert client.get("/pages/one?a=1&b=2&c=3&d=4").status_code == 400


PROGRAM = """
import asyncio
from atila.site import app

async def answer():
    sent = []
    async def send(message):
        sent.append(message)
    async def receive():
        return {{"type": "http.request", "body": b"", "more_body": False}}
    scope = {{"type": "http", "method": "GET", "path": {path!r}, "query_string": b"",
        "headers": [(b"host", b"x")], "http_version": "1.1", "scheme": "http"}}
    await app(scope, receive, send)
    print(sent[0]["status"], sent[1]["body"].decode())

asyncio.run(answer())
app.site.shutdown()
"""


def ended(folder: Path, target: str | None, path: str = "/") -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(folder)}
    if target is not None:
        variables["ATILA_APP"] = target
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(path=path)],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_an_app_in_a_package(folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "web.py").write_text(
        "from atila import Atila\n"
        "site = Atila(__name__)\n"
        "site.route('/')(lambda was: 'a package')\n"
    )
    done = ended(folder, "shop.web:site")
    assert done.stdout == "200 a package\n", done.stderr


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (None, "ATILA_APP is not set. Mend: ATILA_APP=serve.py"),
        ("none.py", "there is no launch script none.py"),
        ("nowhere:app", "there is no module 'nowhere'"),
        ("pages:app", "pages:app is no Atila app"),
    ],
)
def test_bad_targets(folder: Path, target: str | None, why: str) -> None:
    done = ended(folder, target)
    assert done.returncode != 0
    assert why in done.stderr
