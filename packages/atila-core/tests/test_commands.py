"""`atila new`, `routes`, `check`: each in a process of its own, as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atila.launch import scaffold
from atila.testing.waits import PATIENCE

COMMAND = "from atila.launch.cli import main; main()"


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def atila(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-c", COMMAND, *args)


SCRIPT = """
import skitai
from atila import Atila

shop, admin = Atila("shop"), Atila("admin")

@shop.route("/items/<int:id>", methods=["GET", "DELETE"])
def item(was, id):
    return str(id)

@admin.route("/")
def front(was):
    return "admin"

if __name__ == "__main__":
    skitai.mount("/shop", shop)
    skitai.mount("/", admin)
    skitai.run()
"""

BROKEN = """
import skitai
from atila import Atila

app = Atila(__name__)

@app.route("no-slash")
def first(was):
    return ""

@app.route("/second", mispelt=True)
def second(was):
    return ""

@app.route("/<what:id>")
def third(was, id):
    return ""

@app.route("/same", methods=["GET"])
def fourth(was):
    return ""

@app.route("/same", methods=["GET"])
def fifth(was):
    return ""

skitai.mount("/", app)
skitai.run()
"""


def test_routes_shows_methods_path_name_and_place(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SCRIPT)
    done = atila(tmp_path, "routes", "serve.py")
    assert done.returncode == 0, done.stderr
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["METHODS", "PATH", "NAME", "HANDLER"],
        ["GET, POST, PUT, PATCH, DELETE", "/", "front", "serve.py:11"],
        ["GET, DELETE", "/shop/items/<int:id>", "item", "serve.py:7"],
    ]


def test_check_tells_all_problems_at_once(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(BROKEN)
    done = atila(tmp_path, "check", "serve.py")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told = done.stderr.splitlines()
    for place, text in [(7, "no-slash"), (11, "mispelt"), (15, "'what'"), (23, "same place")]:
        assert any(f"serve.py:{place}: " in line and text in line for line in told)
    assert "4 problems in serve.py" in done.stderr


def test_check_of_a_script_that_fails(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("import no_such_module\n")
    done = atila(tmp_path, "check", "serve.py")
    assert done.returncode == 1
    assert "serve.py:1: ModuleNotFoundError: No module named 'no_such_module'" in done.stderr


def test_check_finds_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SCRIPT)
    done = atila(tmp_path, "check", "serve.py")
    assert (done.returncode, done.stdout) == (0, "serve.py: 2 routes, no problems\n")


@pytest.mark.served
@pytest.mark.parametrize("has_render", [True, False])
def test_a_new_project_passes_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_render: bool
) -> None:
    if has_render:
        pytest.importorskip("atila_render")
    else:
        monkeypatch.setattr(scaffold, "find_spec", lambda name: None)
    project = tmp_path / "shop"
    scaffold.create("shop", project)
    for name in ("serve.py", "README.md", "shop/__init__.py", "shop/static", "shop/templates"):
        assert (project / name).exists()
    assert "NAME" not in (project / "serve.py").read_text()
    tested = run(project / "tests", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout
    checked = atila(project, "check", "serve.py")
    assert checked.stdout == "serve.py: 2 routes, no problems\n", checked.stderr


def test_the_command_creates_a_project(tmp_path: Path) -> None:
    done = atila(tmp_path, "new", "shop")
    assert done.returncode == 0, done.stderr
    assert "shop/serve.py" in done.stdout
    assert (tmp_path / "shop" / "serve.py").is_file()


@pytest.mark.parametrize("name", ["Shop", "my-shop", "1st", "class", "json", "tests", ""])
def test_a_project_needs_a_name_for_a_package(tmp_path: Path, name: str) -> None:
    done = atila(tmp_path, "new", name)
    assert done.returncode == 2
    assert done.stderr.startswith("atila: ")


def test_a_new_project_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "serve.py").write_text("mine")
    assert atila(tmp_path, "new", "shop").returncode == 2
    assert (tmp_path / "shop" / "serve.py").read_text() == "mine"
