"""What type checkers and editors know of `was` and the app: the names of the layers, too."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.language_server import LanguageServer

from atila import Atila, Layer, Was
from atila.known_layers import KNOWN
from atila.launch import scaffold
from atila.layers import Made
from atila_ws import WS_CHATTY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "tests" / "typing"
MARK = re.compile(r"# error: (.*)")
MYPY_LINE = re.compile(r"(?:.*[/\\])?(\w+\.py):(\d+): error: (.*)")
LAYERS = ("auth", "render", "tasks", "ws")

Report = dict[int, str]
"""By the number of a line, all that is reported of it."""


def mypy(folder: Path, cache: Path, python: str = sys.executable) -> dict[str, Report]:
    """What mypy reports of the files of a folder, by the settings that are there."""
    places = ["--cache-dir", str(cache), "--python-executable", python]
    command = [sys.executable, "-m", "mypy", *places, "--config-file", "mypy.ini"]
    done = subprocess.run(
        [*command, *sorted(path.name for path in folder.glob("*.py"))],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, Report] = {}
    for line in done.stdout.splitlines():
        if match := MYPY_LINE.fullmatch(line):
            _add(found, match[1], int(match[2]), match[3])
    return found


def pyright(folder: Path, python: str = sys.executable) -> dict[str, Report]:
    """What pyright reports of the files of a folder, by the settings that are there."""
    command = [sys.executable, "-m", "basedpyright", "-p", str(folder), "--pythonpath", python]
    done = subprocess.run(
        [*command, "--outputjson", "--level", "error"], capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, Report] = {}
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        line = each["range"]["start"]["line"] + 1
        _add(found, Path(each["file"]).name, line, each["message"])
    return found


def _add(found: dict[str, Report], name: str, line: int, message: str) -> None:
    lines = found.setdefault(name, {})
    lines[line] = f"{lines.get(line, '')}\n{message}"


def check_marks(path: Path, report: Report) -> None:
    """Every marked line of a file is reported for what its mark says, and no other line is."""
    lines = path.read_text().splitlines()
    marks = {n: match[1] for n, line in enumerate(lines, 1) if (match := MARK.search(line))}
    assert marks
    assert sorted(report) == sorted(marks)
    assert [report[n] for n, word in marks.items() if word.lower() not in report[n].lower()] == []


# Checking -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mypy keeps what it has read of libraries and of the framework, for the next test."""
    return tmp_path_factory.mktemp("cache")


def test_mypy_reports_what_is_wrong_and_nothing_else(cache: Path) -> None:
    found = mypy(PROJECT, cache)
    assert "right.py" not in found
    check_marks(PROJECT / "wrong.py", found["wrong.py"])


def test_pyright_reports_what_is_wrong_and_nothing_else() -> None:
    found = pyright(PROJECT)
    assert "right.py" not in found
    check_marks(PROJECT / "wrong.py", found["wrong.py"])


def test_the_tracker_and_new_apis_are_strictly_typed(tmp_path: Path, cache: Path) -> None:
    scaffold.create("notes", tmp_path / "notes", api=True)
    for folder in (ROOT / "examples" / "tracker", tmp_path / "notes"):
        shutil.copytree(folder, tmp_path / "project", dirs_exist_ok=True)
    config = (tmp_path / "notes" / "pyproject.toml").read_text()
    config = config.replace('files = ["notes",', 'files = ["notes", "tracker",')
    (tmp_path / "project" / "pyproject.toml").write_text(config)
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(cache)]
    done = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def right() -> Iterator[ModuleType]:
    """The app that type checkers have nothing to say of."""
    spec = importlib.util.spec_from_file_location("typed_right", PROJECT / "right.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["typed_right"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["typed_right"]


def test_what_is_right_runs(right: ModuleType) -> None:
    with right.app.test_client() as client:
        assert client.get("/").json()["greeting"] == "Hello"
        assert client.get("/double/4").json() == {"result": {"first": 8, "second": 4}, "same": 8}
        assert client.get("/later").text == "42"
        assert client.get("/rows").json() == {"rows": [{"answer": 42}]}
        assert set(client.get("/elsewhere").json()) == {"first", "second"}
        assert client.get("/mine").status_code == 403
        answer = client.post("/login", {"name": "hans"})
        assert answer.json()["name"] == {"name": "hans"}
        assert client.get("/mine").text == "hans's"
        assert client.get("/password").text in ("True", "False")
        assert client.get("/colour").text == "green box in red!"
        assert client.get("/stock").json() == ["pens"]
        assert client.get("/pieces").text == "/mine/"
        page = client.get("/nowhere", headers={"Accept": "text/html"})
        assert page.text == "404 /nowhere"


# Of which layers ------------------------------------------------------------------------------

PARTS = """from atila import Atila, Was

app = Atila(__name__)
app.routed({{}})  # error: "routed"


@app.before_request
def hook(was: Was) -> None:
    was.log(was.request.get_remote_addr())
    was.app.store["a"] = was.cookie.get("a")
    was.request.sesion  # error: "sesion"
    was.sesion  # error: "sesion"
{lines}"""
TRIED = {
    "auth": "was.session.set_expiry(60)",
    "render": 'was.render("a.html", {})',
    "tasks": "was.Thread(len, [1]).fetch()",
    "ws": 'app.websocket_send("1", "hello")',
}
"""A use of a name of each layer."""
MISSED = {"auth": "session", "render": "render", "tasks": "Thread", "ws": "websocket_send"}


@pytest.mark.parametrize("layers", [(), ("tasks",), ("auth", "render", "ws")], ids="+".join)
def test_of_the_layers_that_are_not_installed_only_the_names_are_missing(
    layers: tuple[str, ...], tmp_path: Path, cache: Path
) -> None:
    python = environment(tmp_path / "environment", layers)
    folder = tmp_path / "project"
    folder.mkdir()
    uses = [
        f"    {use}" if name in layers else f'    {use}  # error: "{MISSED[name]}"'
        for name, use in TRIED.items()
    ]
    (folder / "parts.py").write_text(PARTS.format(lines="\n".join(uses) + "\n"))
    (folder / "mypy.ini").write_text("[mypy]\nstrict = True\n")
    (folder / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "standard", "reportUnusedExpression": false}'
    )
    check_marks(folder / "parts.py", mypy(folder, cache, python)["parts.py"])
    check_marks(folder / "parts.py", pyright(folder, python)["parts.py"])


def environment(folder: Path, layers: tuple[str, ...]) -> str:
    """An environment that has core and some layers, as they are when installed; no other library.

    Returns:
        Its interpreter.
    """
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    for name in ("core", *layers):
        package = "atila" if name == "core" else f"atila_{name}"
        source = ROOT / "packages" / f"atila-{name}" / "src" / package
        shutil.copytree(source, packages / package, ignore=shutil.ignore_patterns("__pycache__"))
    (interpreter,) = (path for path in folder.glob("*/python*") if path.stem == "python")
    return str(interpreter)


# Completion -----------------------------------------------------------------------------------

WRITTEN = """from atila import Atila, Was

app = Atila(__name__)


def handler(was: Was) -> None:
    was.session.set_expiry()
    was.Thread()
    was.websocket.
    was.request.
    was.


app.permission_required()
app.
"""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    path = tmp_path_factory.mktemp("editor") / "written.py"
    with LanguageServer(path, WRITTEN) as server:
        yield server


def test_an_editor_offers_all_names_of_layers(editor: LanguageServer) -> None:
    was = editor.offered("was.request.\n    was.")
    request = editor.offered("was.request.")
    app = editor.offered("app.permission_required()\napp.")
    for known in KNOWN.values():
        assert known.was <= set(was)
        assert known.app <= set(app)
        assert known.request <= set(request)
    assert {"send", "receive", "join"} <= set(editor.offered("was.websocket."))


def test_an_editor_shows_signatures_and_docstrings(editor: LanguageServer) -> None:
    was = editor.offered("was.request.\n    was.")
    told = editor.described(was["Thread"])
    assert "-> Task" in told
    assert "Call a function in a thread." in told
    assert "session: Session" in editor.described(was["session"])
    signature = editor.signature("was.Thread(")
    assert "func: (...) -> Any" in signature
    assert "timeout: float | None = None" in signature
    assert "was" not in signature
    assert editor.signature("set_expiry(") == "(timeout: float) -> None"
    assert "permissions: Iterable[str]" in editor.signature("permission_required(")


# What is said is what is ----------------------------------------------------------------------


def names_of(layer: str, of: str) -> type | None:
    """The class in which a layer says what it adds to "Was", "Request" or "App"."""
    module = importlib.import_module(f"atila_{layer}.names")
    found: list[type] = [getattr(module, n) for n in module.__all__ if n.startswith(f"{of}Of")]
    return found[0] if found else None


def layer_of(layer: str) -> Layer:
    module = importlib.import_module(f"atila_{layer}")
    assert isinstance(module.layer, Layer)
    return module.layer


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_adds_what_it_says(name: str) -> None:
    layer = layer_of(name)
    for of, added in (("Was", layer.was), ("Request", layer.request), ("App", layer.app)):
        assert added is (names_of(name, of) or object)
    module = importlib.import_module(f"atila_{name}.names")
    assert set(layer.exports) <= set(module.__all__)
    for word, value in layer.exports.items():
        assert getattr(module, word) is value


def test_core_offers_what_layers_export() -> None:
    text = (ROOT / "packages" / "atila-core" / "src" / "atila" / "was.py").read_text()
    offered = re.findall(r"from atila.installed_layers import (\w+) as \1\n", text)
    assert offered == sorted(word for name in LAYERS for word in layer_of(name).exports)


def test_core_joins_what_all_layers_say() -> None:
    said = {
        word
        for name in LAYERS
        for word in importlib.import_module(f"atila_{name}.names").__all__
        if word not in layer_of(name).exports
    }
    core = ROOT / "packages" / "atila-core" / "src" / "atila"
    absent = (core / "absent_layers.pyi").read_text()
    joined = (core / "installed.pyi").read_text()
    assert set(re.findall(r"^class (\w+):", absent, re.MULTILINE)) == said
    assert set(re.findall(r"\b(?:App|Request|Was)Of\w+", joined)) == said
    for bases in re.findall(r"^class \w+\((.*)\)", joined, re.MULTILINE):
        assert len({base.partition("Of")[0] for base in bases.split(", ")}) == 1


def test_nothing_of_it_is_there_at_run_time() -> None:
    assert Was.__mro__ == (Was, object)
    assert Atila.__mro__ == (Atila, object)
    for name in ("installed", "installed_layers", "absent_layers"):
        assert importlib.util.find_spec(f"atila.{name}") is None


def test_values_are_of_the_types_that_are_said() -> None:
    app = Atila(__name__)
    app.securekey = "a secret of more than sixteen characters"
    found: dict[str, tuple[Any, Any]] = {}

    @app.route("/")
    @app.websocket(WS_CHATTY, 60, onopen=lambda was: was.csrf_token_input and None)
    def talk(was: Was) -> Iterator[str]:
        for layer in LAYERS:
            for of, owner in (("Was", was), ("Request", was.request)):
                for name, value in vars(names_of(layer, of) or object).items():
                    if isinstance(value, Made | property):
                        found[f"{of} {name}"] = getattr(owner, name), kind_of(value)
        yield "done"

    with app.test_client() as client, client.websocket("/") as socket:
        assert socket.receive_message() == "done"
    assert {"Was session", "Was csrf_token", "Was get", "Request JWT", "Request mbox"} <= set(found)
    for name, (value, kind) in found.items():
        assert kind is Any or isinstance(value, kind), name


def kind_of(name: Made | property) -> Any:
    """The type that is said of a value: a class, or what a function is annotated with."""
    make = name.fget if isinstance(name, property) else name.make
    assert make is not None
    if isinstance(make, type):
        return make
    # Of the return value alone: the others may be imported for type checkers only.
    return eval(make.__annotations__["return"], vars(sys.modules[make.__module__]))
