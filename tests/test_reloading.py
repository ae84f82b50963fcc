"""Development mode on real servers: reload when a file changes, debug page, and neither without."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import servers
from support.servers import Server, serving
from support.wire import Broken

from atila.testing.waits import wait_until

pytestmark = pytest.mark.served

SERVE = """
import sys
import skitai
from atila import Atila
import helpers
import shop

sys.path.append("../elsewhere")
import side

app = Atila(__name__)

@app.route("/pid")
def pid(was):
    import os
    return str(os.getpid())

@app.route("/broken")
def broken(was):
    secret = "<script>"
    raise ValueError("<b>bad</b>")

if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.mount("/shop", shop)
    skitai.mount("/side", side)
    skitai.run(port=5000, name="reloaded")
"""

SHOP = """
from atila import Atila
import helpers

def __app__():
    return Atila(__name__)

def __setup__(app, mntopt):
    from . import pages
    app.mount("/", pages)
"""

PAGES = """
import os
from helpers import WORD
from support.board import Board

def __setup__(app, mntopt):
    @app.before_reload
    def before_reload(was):
        Board(os.environ["ATILA_BOARD"]).note("before-reload")

    @app.on("reloaded")
    def reloaded(was):
        app.g["reloads"] = 1

def __mount__(app, mntopt):
    @app.route("/reloads")
    def reloads(was):
        return str(app.g.get("reloads", 0))

    @app.route("/")
    def index(was):
        return WORD + " one"
"""


SIDE = """
from atila import Atila

def __app__():
    return Atila(__name__)

def __mount__(app, mntopt):
    @app.route("/")
    def index(was):
        return "side"
"""

LIMIT = 2.0
"""Seconds until a change is served, at best; one on a machine that has nothing else to do."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {
        "serve.py": SERVE,
        "helpers.py": 'WORD = "first"\n',
        "shop/__init__.py": SHOP,
        "shop/pages.py": PAGES,
        "../elsewhere/side/__init__.py": SIDE,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(params=["skitai", "granian"])
def server(
    request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    command = servers.command
    if request.param == "granian":
        pytest.importorskip("watchfiles")
    monkeypatch.setattr(servers, "command", lambda *args: [*command(*args), "--devel"])
    with serving(request.param, project / "serve.py", ready="/shop/") as server:
        yield server


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def answer(server: Server, path: str) -> str:
    try:
        return server.get(path).text
    except (OSError, Broken):
        return ""


def seconds_until(server: Server, path: str, text: str) -> float:
    begin = time.monotonic()
    wait_until(lambda: answer(server, path) == text, f"{text} at {path}", log=server.log)
    return time.monotonic() - begin


@pytest.mark.measures
def test_a_changed_module_is_served_soon(server: Server, project: Path) -> None:
    assert answer(server, "/shop/") == "first one"
    assert answer(server, "/shop/reloads") == "0"
    times = []
    # Two changes within a second, alike in size.
    for old, new in (("one", "two"), ("two", "six")):
        change(project / "shop/pages.py", old, new)
        times.append(seconds_until(server, "/shop/", f"first {new}"))
    change(project / "helpers.py", "first", "other")
    times.append(seconds_until(server, "/shop/", "other six"))
    # A package that lies elsewhere.
    change(project.parent / "elsewhere/side/__init__.py", '"side"', '"face"')
    times.append(seconds_until(server, "/side/", "face"))
    change(project / "serve.py", "str(os.getpid())", '"new"')
    times.append(seconds_until(server, "/pid", "new"))
    assert min(times) < LIMIT
    assert answer(server, "/shop/reloads") == "1"
    assert server.board.count("before-reload") >= len(times)


def test_a_mistake_is_mended_without_a_restart(server: Server, project: Path) -> None:
    change(project / "shop/pages.py", "def __mount__", "def def __mount__")
    time.sleep(1.0)
    change(project / "shop/pages.py", "def def __mount__", "def __mount__")
    change(project / "shop/pages.py", "one", "mended")
    seconds_until(server, "/shop/", "first mended")


def test_the_debug_page_is_for_development(server: Server) -> None:
    with server.connect() as connection:
        page = connection.get("/broken", [("Accept", "text/html")])
    assert page.status == 500
    assert "<title>ValueError</title>" in page.text
    assert "&lt;b&gt;bad&lt;/b&gt;" in page.text
    assert "    secret = &quot;••••••&quot;" in page.text
    assert "<script>" not in page.text
    with server.connect() as connection:
        asked = connection.get("/pid", [("X-Atila-Docs", "1")])
    assert '"rule": "/pid"' in (asked.header("x-atila-route") or "")


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_the_debug_page_is_not_for_clients_of_a_proxy(server: Server, name: str) -> None:
    with server.connect() as connection:
        page = connection.get("/broken", [("Accept", "text/html"), (name, "203.0.113.9")])
    assert page.status == 500
    assert "ValueError" not in page.text
    assert "serve.py" not in page.text


def test_development_mode_listens_on_the_loopback_alone(server: Server) -> None:
    # An address of this machine too, which 0.0.0.0 would include.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port))


@pytest.mark.parametrize("engine", ["skitai", "granian"])
def test_another_address_may_be_asked_for(
    engine: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = servers.command
    options = ["--devel", "--host", "0.0.0.0"] if engine == "granian" else ["--devel"]
    monkeypatch.setattr(servers, "command", lambda *args: [*command(*args), *options])
    if engine == "skitai":
        change(project / "serve.py", "skitai.run(", 'skitai.run(address="0.0.0.0", ')
    with serving(engine, project / "serve.py", ready="/shop/") as server:
        socket.create_connection(("127.0.0.2", server.port)).close()


@pytest.mark.parametrize("engine", ["skitai", "granian"])
def test_nothing_of_it_in_production(engine: str, project: Path) -> None:
    with serving(engine, project / "serve.py", ready="/shop/") as server:
        with server.connect() as connection:
            page = connection.get("/broken", [("Accept", "text/html"), ("X-Atila-Docs", "1")])
        assert page.status == 500
        assert "ValueError" not in page.text
        assert "serve.py" not in page.text
        assert page.header("x-atila-route") is None
        change(project / "shop/pages.py", "one", "two")
        time.sleep(2.0)
        assert answer(server, "/shop/") == "first one"
