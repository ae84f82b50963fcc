"""`atila new`, `routes`, `check`: each in a process of its own, as a user has it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from atila.launch import scaffold
from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.thorough

COMMAND = "from atila.launch.cli import main; main()"


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
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


SLIPS = """
import skitai
from atila import Atila

app = Atila(__name__)
app.config.MAX_FIELD = 10
app.config.THREADS = "many"

@app.route("/a", methods="GET")
def first(was):
    return ""

@app.route("/b", methods=["GTE"])
def second(was):
    return ""

@app.route("/e/{id}")
def third(was, id):
    return ""

@app.route("/c")
def same(was):
    return ""

@app.route("/d")
def same(was):
    return ""

@app.route("/f", method=["GET"])
def fourth(was):
    return ""

@app.route("/g")
def session(was):
    was.session["visits"] = 1
    return ""

with skitai.preference() as pref:
    pref.config.QUEUE_SISE = 1
    pref.sesion_timeout = 60
    skitai.mount("/", app, pref)
skitai.run(prot=5000)
"""


def test_check_finds_slips(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SLIPS)
    done = atila(tmp_path, "check", "serve.py")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    expected = [
        (6, "there is no setting 'MAX_FIELD'; did you mean 'MAX_FIELDS'?"),
        (7, "app.config.THREADS is 'many'; it must be a number from 1"),
        (9, 'methods is a list: methods=["GET"]'),
        (13, "there is no method 'GTE'; did you mean 'GET'?"),
        (17, "'{id}' is no parameter; did you mean <id>?"),
        (25, "'same' is the name of the handler at serve.py:21 too"),
        (29, "there is no option 'method'; did you mean 'methods'?"),
        (39, "there is no setting 'QUEUE_SISE'; did you mean 'QUEUE_SIZE'?"),
        (42, "skitai.run has no option 'prot'; did you mean 'port'?"),
    ]
    if find_spec("atila_auth") is not None:
        expected += [
            (33, "was.session needs a secret of the app: write pref.securekey"),
            (41, "app.sesion_timeout means nothing; did you mean 'session_timeout'?"),
        ]
    told = done.stderr.splitlines()
    for place, text in expected:
        assert any(f"serve.py:{place}: " in line and text in line for line in told), (place, text)
    assert f"{len(expected)} problems in serve.py" in done.stderr


def test_check_finds_two_handlers_of_one_name(tmp_path: Path) -> None:
    """It can be served, and is hardly meant."""
    text = SCRIPT.replace("def front", "def item").replace('@admin.route("/")', '@shop.route("/x")')
    (tmp_path / "serve.py").write_text(text)
    done = atila(tmp_path, "check", "serve.py")
    assert done.returncode == 1
    assert "serve.py:11: 'item' is the name of the handler at serve.py:7 too" in done.stderr
    assert atila(tmp_path, "routes", "serve.py").returncode == 0
    # Of one rule it is the method that tells.
    text = text.replace('"/x"', '"/items/<int:id>", methods=["PUT"]').replace("(was)", "(was, id)")
    (tmp_path / "serve.py").write_text(text)
    assert atila(tmp_path, "check", "serve.py").returncode == 0


FAILING = {
    "syntax.py": "import skitai\napp = Atila(__name__\n",
    "importing.py": "import skitai\nimport shop\n",
    "shop.py": "import nothing_there\n",
    "raising.py": "def f():\n    raise ValueError('x')\n\ntry:\n    f()\nexcept ValueError as e:\n"
    "    raise LookupError('y') from e\n",
    "mounting.py": "import skitai\nfrom atila import Atila\napp = Atila(__name__)\n"
    "def part(app):\n    1 / 0\n\napp.mount('/x', part)\nskitai.mount('/', app)\nskitai.run()\n",
}


@pytest.mark.parametrize(
    ("script", "places", "last"),
    [
        ("syntax.py", ["syntax.py:2"], "SyntaxError: '(' was never closed"),
        ("importing.py", ["importing.py:2", "shop.py:1"], "ModuleNotFoundError: No module named"),
        ("raising.py", ["raising.py:5", "raising.py:2", "raising.py:7"], "LookupError: y"),
        ("mounting.py", ["mounting.py:5"], "ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.parametrize("how", ["granian", "skitai", "routes", "python"])
def test_a_failing_script_shows_its_own_traceback(
    tmp_path: Path, script: str, places: list[str], last: str, how: str
) -> None:
    for name, text in FAILING.items():
        (tmp_path / name).write_text(text)
    if how == "python":
        done = run(tmp_path, script, f"--port={free_port()}")
    elif how == "routes":
        done = atila(tmp_path, "routes", script)
    else:
        done = atila(tmp_path, "serve", script, "--engine", how, "--port", str(free_port()))
    assert done.returncode != 0
    text = done.stdout + done.stderr
    frames = re.findall(r'File "[^"]*?([^"/]+)", line (\d+)', text)
    assert [f"{name}:{line}" for name, line in frames] == places
    assert text.count(last) == 1


def test_check_finds_nothing_wrong(tmp_path: Path) -> None:
    # No value is made, for which there may be no database where it is checked.
    provider = '@shop.provide(scope="app")\ndef engine():\n    raise ConnectionError\n\nif'
    (tmp_path / "serve.py").write_text(SCRIPT.replace("if", provider, 1))
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


@pytest.mark.served
def test_a_new_api_passes_its_tests(tmp_path: Path) -> None:
    done = atila(tmp_path, "new", "--api", "notes")
    assert done.returncode == 0, done.stderr
    project = tmp_path / "notes"
    assert not any("NAME" in path.read_text() for path in project.rglob("*") if path.is_file())
    tested = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "3 passed" in tested.stdout
    checked = atila(project, "check", "serve.py")
    assert checked.stdout == "serve.py: 4 routes, no problems\n", checked.stderr
    document = json.loads(atila(project, "openapi", "serve.py").stdout)
    validate(document, cls=OpenAPIV31SpecValidator)
    assert list(document["paths"]["/notes/{number}"]["delete"]["responses"]["204"]) == [
        "description"
    ]


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


LIMITED = """
import skitai
from atila import Atila

app = Atila(__name__)
app.config.MAX_CONNECTIONS_PER_ADDRESS = 50

@app.route("/")
def index(was):
    return ""

if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, keep_alive=30)
"""


def test_check_finds_what_an_engine_cannot_do(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(LIMITED)
    unlimited = "serve.py:6: MAX_CONNECTIONS_PER_ADDRESS counts on Skitai alone: %s limits no"
    done = atila(tmp_path, "check", "serve.py")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("note: ")
    assert unlimited % "another server" in done.stderr
    done = atila(tmp_path, "check", "serve.py", "--engine", "granian")
    assert done.returncode == 1
    assert unlimited % "granian" in done.stderr
    assert "serve.py:14: skitai.run(keep_alive=…) is Skitai's alone" in done.stderr
    assert "2 problems in serve.py" in done.stderr
    done = atila(tmp_path, "check", "serve.py", "--engine", "skitai")
    assert (done.returncode, done.stderr) == (0, "")
