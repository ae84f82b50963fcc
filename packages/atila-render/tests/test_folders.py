from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atila.testing.waits import PATIENCE
from atila_render.pages.folders import home_of

APP = """
import atila_render
from atila import Atila
app = Atila({name}, layers={{"render": atila_render.layer}})
app.route("/")(lambda was: was.render("index.html"))
def show():
    response = app.test_client().get("/")
    assert response.status_code == 200, response.text
    print(response.text)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An app as a package, one as a module in it, one as a script; each with its templates."""
    package = tmp_path / "src" / "shop"
    for folder in (tmp_path / "src", package, tmp_path):
        (folder / "templates").mkdir(parents=True)
        (folder / "templates" / "index.html").write_text(folder.name)
    (package / "__init__.py").write_text(APP.format(name="__name__"))
    (package / "part.py").write_text(APP.format(name="__name__"))
    (tmp_path / "src" / "single.py").write_text(APP.format(name="__name__"))
    (tmp_path / "src" / "named.py").write_text(APP.format(name='"shop"'))
    (tmp_path / "script.py").write_text(APP.format(name="__name__") + "\nshow()")
    return tmp_path


def shown(tree: Path, *command: str) -> str:
    path = os.pathsep.join([str(tree / "src"), *sys.path])
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("module", "folder"),
    [("shop", "shop"), ("shop.part", "shop"), ("single", "src"), ("named", "shop")],
)
def test_modules(tree: Path, module: str, folder: str) -> None:
    assert shown(tree, "-c", f"import {module} as m; m.show()") == folder


def test_script(tree: Path) -> None:
    assert shown(tree, str(tree / "script.py")) == tree.name


def test_no_file_at_all(tree: Path) -> None:
    code = (
        "from atila_render.pages.folders import home_of;"
        "print(home_of('__main__'), home_of('no.such'), home_of(''))"
    )
    assert shown(tree, "-c", code) == "/ / /"


def test_namespace_package(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spaces" / "space").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "spaces"))
    assert home_of("space") == tmp_path / "spaces" / "space"
