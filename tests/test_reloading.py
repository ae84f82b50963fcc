"""Development mode on real servers: reload when a file changes, debug page, and neither without."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import servers
from support.board import wait_until
from support.servers import Server, serving
from support.wire import Broken

SERVE = """
import skitai
from atila import Atila
import helpers
import shop

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
    skitai.run(address="127.0.0.1", port=5000, name="reloaded")
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
from helpers import WORD

def __mount__(app, mntopt):
    @app.route("/")
    def index(was):
        return WORD + " one"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "serve.py": SERVE,
        "helpers.py": 'WORD = "first"\n',
        "shop/__init__.py": SHOP,
        "shop/pages.py": PAGES,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(params=["skitai", "granian"])
def server(
    request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    command = servers.command
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
    wait_until(lambda: answer(server, path) == text, f"{text} at {path}", 15.0)
    return time.monotonic() - begin


def test_a_changed_module_is_served_soon(server: Server, project: Path) -> None:
    assert answer(server, "/shop/") == "first one"
    times = []
    # Two changes within a second, alike in size.
    for old, new in (("one", "two"), ("two", "six")):
        change(project / "shop/pages.py", old, new)
        times.append(seconds_until(server, "/shop/", f"first {new}"))
    change(project / "helpers.py", "first", "other")
    times.append(seconds_until(server, "/shop/", "other six"))
    change(project / "serve.py", 'str(os.getpid())', '"new"')
    times.append(seconds_until(server, "/pid", "new"))
    print(server.engine, times)
    assert min(times) < LIMIT


LIMIT = float(os.environ.get("ATILA_TEST_RELOAD_SECONDS", "2"))
"""Seconds; one on a machine that has nothing else to do."""


def test_a_mistake_is_mended_without_a_restart(server: Server, project: Path) -> None:
    change(project / "shop/pages.py", "def __mount__", "def def __mount__")
    time.sleep(1.0)
    change(project / "shop/pages.py", "def def __mount__", "def __mount__")
    change(project / "shop/pages.py", "one", "mended")
    seconds_until(server, "/shop/", "first mended")
