"""The wheels as a user gets them: core alone, and with a layer by a third party."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.version import Version
from support.blocks import blocks_of
from support.repository import ROOT, load_tool
from support.wire import Connection

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

FIRST_PROGRAM = ROOT / "tests" / "engines" / "first_program.txt"
THIRD_PARTY = ROOT / "tests" / "third_party_layer"

pytestmark = [pytest.mark.slow, pytest.mark.served]


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    # What is imported again is compiled once, whatever is set for the tests.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environ}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def make_environment(folder: Path) -> None:
    """An environment that has pip alone."""
    command = (sys.executable, "-m", "virtualenv", "-q", "--no-setuptools", folder)
    run(*command, cwd=folder.parent)


def answer_of(port: int) -> str:
    """What the server there answers at "/"; "" while there is none."""
    try:
        with Connection(port) as connection:
            return connection.get("/").text
    except OSError:
        return ""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheels of core, atila-auth and the third party's layer, by name."""
    folder = tmp_path_factory.mktemp("wheels")
    packages = ROOT / "packages"
    made = {}
    for source in (packages / "atila-core", packages / "atila-auth", THIRD_PARTY):
        into = folder / source.name
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", into, cwd=source)
        (made[source.name],) = into.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds atila-core and what it declares."""
    folder = tmp_path_factory.mktemp("alone")
    make_environment(folder / "env")
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-compile", wheels["atila-core"], cwd=folder)
    return python


def evaluate(python: Path, code: str, folder: Path, *path: Path) -> str:
    return run(python, "-c", code, cwd=folder, PYTHONPATH=os.pathsep.join(map(str, path))).strip()


def test_what_type_checkers_read_is_in_the_wheels(wheels: dict[str, Path]) -> None:
    with ZipFile(wheels["atila-core"]) as core, ZipFile(wheels["atila-auth"]) as auth:
        stubs = {f"atila/{name}.pyi" for name in ("absent_layers", "installed", "installed_layers")}
        assert {*stubs, "atila/py.typed"} <= set(core.namelist())
        assert {"atila_auth/names.py", "atila_auth/py.typed"} <= set(auth.namelist())


def test_core_alone_serves_the_first_program(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text(FIRST_PROGRAM.read_text().replace("__mame__", "__name__"))
    tmp_path.chmod(0o755)
    port = free_port()
    process = subprocess.Popen(
        (python, script.name, f"--port={port}"),
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answer_of(port) == "Hello, World", "Hello, World")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_core_alone_tells_what_a_name_of_a_layer_needs(python: Path, tmp_path: Path) -> None:
    code = """
from atila import Atila
app = Atila("tried")
assert app.layers == {}, app.layers
app.route("/")(lambda was: was.render("index.j2"))
print(app.test_client().get("/").status_code)


@app.route("/told")
def told(was):
    try:
        return was.render("index.j2")
    except AttributeError as error:
        return str(error)


print(app.test_client().get("/told").text)
"""
    status, text = evaluate(python, code, tmp_path).split("\n")
    assert status == "500"
    assert text == (
        "was.render belongs to the layer 'render' (atila-render), which is not installed or"
        ' was left out. Mend: pip install "atila-core[render]"'
    )


TUTORIAL = ROOT / "docs" / "tutorial" / "tracker.md"


def test_the_tutorial_word_for_word_in_a_fresh_environment(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    """Its `pip install` and `atila serve` as they stand, but for where our wheels come from."""
    commands = [block.code for block in blocks_of(TUTORIAL) if block.language == "bash"]
    (install,) = re.findall(r"^pip (install .+)$", commands[0], re.MULTILINE)
    (serve,) = re.findall(r"^atila (serve .+) --port 5000$", commands[-1], re.MULTILINE)
    found = tmp_path / "found"
    tasks = ROOT / "packages" / "atila-tasks"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", found, cwd=tasks)
    for name in ("atila-core", "atila-auth"):
        shutil.copy(wheels[name], found)
    make_environment(tmp_path / "venv")
    programs = tmp_path / "venv" / "bin"
    given = shlex.split(install)
    run(
        programs / "pip", *given, "-q", "--no-compile", "--pre", "--find-links", found, cwd=tmp_path
    )

    folder = tmp_path / "project"
    folder.mkdir()
    run(programs / "python", "-c", RUN_PAGE, TUTORIAL, folder, cwd=folder, PYTHONPATH=str(TESTS))

    python = [block.code for block in blocks_of(TUTORIAL) if block.language == "python"]
    (folder / "app.py").write_text("\n\n".join(python))
    port = free_port()
    server = subprocess.Popen(
        (programs / "atila", *shlex.split(serve), "--port", str(port)),
        cwd=folder,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_until(lambda: "tracker" in answer_of(port), "the tracker answers")
    finally:
        server.terminate()
        server.wait(PATIENCE)


TESTS = ROOT / "tests"
RUN_PAGE = """
import sys
from pathlib import Path
from support.pages import Run
Run(Path(sys.argv[1]), Path(sys.argv[2]), {}).run()
"""


@pytest.fixture(scope="module")
def both(wheels: dict[str, Path], python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with atila-auth and the third party's layer installed."""
    folder = tmp_path_factory.mktemp("both")
    layers = (wheels["atila-auth"], wheels["third_party_layer"])
    pip = (python, "-m", "pip", "install", "-q", "--no-compile", "--no-deps")
    run(*pip, "--target", folder, *layers, cwd=folder)
    return folder


def test_two_layers_of_one_name_are_a_conflict(python: Path, both: Path, tmp_path: Path) -> None:
    code = """
import atila
try:
    atila.Atila("tried")
except atila.SetupError as error:
    print(error)
"""
    assert evaluate(python, code, tmp_path, both) == (
        "the layer 'auth' is in two distributions: atila-auth and strict-auth. Choose one:"
        ' Atila(__name__, layers={"auth": "strict-auth"})'
    )


def test_the_chosen_layer_of_a_third_party_replaces_ours(
    python: Path, both: Path, tmp_path: Path
) -> None:
    code = """
import atila
app = atila.Atila("tried", layers={"auth": "strict-auth"})

@app.route("/")
@app.permission_required(["staff"])
def index(was):
    return " ".join(was.permissions)

client = app.test_client()
print(client.get("/").status_code, client.get("/", headers={"X-Permissions": "user"}).status_code)
print(client.get("/", headers={"X-Permissions": "user staff"}).text)
"""
    assert evaluate(python, code, tmp_path, both) == "403 403\nuser staff"


def test_the_layers_example_is_fifty_lines_at_most() -> None:
    source = THIRD_PARTY / "src" / "strict_auth" / "__init__.py"
    assert len(source.read_text().splitlines()) <= 50


# One distribution upgraded, the others not --------------------------------------------------------

NAMES = ("atila-auth", "atila-core", "atila-render", "atila-tasks", "atila-ws")
USES_EACH = """
from skitai import WS_REPORTY
from atila import Atila

app = Atila("tried")
app.securekey = "a key of the test, of more than 32 characters"

@app.route("/", coroutine=True)
def index(was):
    was.session["seen"] = True
    yield was.Tasks([was.Thread(len, args=("abc",))])
    return was.API(layers=sorted(app.layers))

@app.route("/echo")
@app.websocket(WS_REPORTY)
def echo(was, message):
    return message
"""
ANSWERED = '{"layers":["auth","render","tasks","ws"]}'


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the wheels of three releases, those that are needed of the later ones; and
    their versions: old, new, next.
    """
    folder = tmp_path_factory.mktemp("releases")
    bump = load_tool("bump")
    now = Version(bump.current())
    versions = {
        "old": str(now),
        "new": f"{now.major}.{now.minor + 1}.0",
        "next": f"{now.major + 1}.0.0",
    }
    for name in NAMES:
        copy = folder / "packages" / name
        shutil.copytree(
            ROOT / "packages" / name, copy, ignore=shutil.ignore_patterns("tests", "__pycache__")
        )
    needed = (NAMES, ("atila-core", "atila-ws"), ("atila-ws",))
    for version, wanted in zip(versions.values(), needed, strict=True):
        bump.write(version, folder)
        for name in wanted:
            builder = WheelBuilder(str(folder / "packages" / name))
            list(builder.build(directory=str(folder), versions=["standard"]))
    return folder, versions


def test_one_distribution_is_upgraded_beside_older_ones(
    releases: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, versions = releases
    make_environment(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    add_what_they_need(packages, tmp_path / "needed")
    (tmp_path / "program.py").write_text(USES_EACH)
    old, new = dict.fromkeys(NAMES, versions["old"]), versions["new"]
    # As pip does it, but for the record of the installer.
    for name, version in old.items():
        with ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl") as wheel:
            wheel.extractall(packages)

    def install(*wanted: str) -> dict[str, str]:
        pip = (python, "-m", "pip", "install", "-q", "--no-compile", "--no-index", "-f", folder)
        run(*pip, *wanted, cwd=tmp_path)
        found = (each.stem.split("-") for each in packages.glob("atila_*.dist-info"))
        return {name.replace("_", "-"): version for name, version in found}

    assert install(f"atila-ws=={new}") == {**old, "atila-ws": new}
    code = "from program import app; print(app.test_client().get('/').text)"
    assert evaluate(python, code, tmp_path) == ANSWERED
    back = f"atila-ws=={versions['old']}"
    assert install(back, f"atila-core=={new}") == {**old, "atila-core": new}
    answers_when_served(python, tmp_path)
    with ZipFile(folder / f"atila_ws-{versions['next']}-py3-none-any.whl") as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        text = wheel.read(metadata).decode()
    wanted = [
        Requirement(found) for found in re.findall("(?m)^Requires-Dist: (atila-core.*)$", text)
    ]
    assert [each.specifier.contains(new, prereleases=True) for each in wanted] == [False]


def add_what_they_need(packages: Path, needed: Path) -> None:
    """Have an environment find what is installed here, but for our distributions.

    Args:
        packages: the environment's folder of packages.
        needed: a folder to make.
    """
    needed.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not each.name.startswith(("atila", "_atila")):
            (needed / each.name).symlink_to(each)
    (packages / "needed.pth").write_text(str(needed))


def answers_when_served(python: Path, folder: Path) -> None:
    port = free_port()
    serve = "from atila.launch.cli import main; main()"
    process = subprocess.Popen(
        (python, "-c", serve, "serve", "program:app", "--engine=granian", f"--port={port}"),
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answer_of(port) == ANSWERED, ANSWERED)
    finally:
        process.terminate()
        process.wait(PATIENCE)
