"""Run the tests beside each other; then few at a time, or alone, those that need that.

    hatch run test [PYTEST OPTIONS AND PATHS]
    hatch run test-quick [PYTEST OPTIONS]
    hatch run test-engines [ENGINE] [PYTEST OPTIONS]
    hatch run test-python VERSION [--create | --without-packages] [PYTEST OPTIONS]

`test-quick` leaves out what needs a server in another process, and what tries many values or runs
programs for some seconds; `test-engines` runs the tests of tests/engines on one engine or, other
than `test`, each on all of them; `test-python` runs what is in process and, on Skitai and granian
or those that --engine names, the tests of features that docs/status.md names, in an environment of
that Python, for example 3.12; with --create it makes that and runs nothing, with --without-packages
it leaves out what `hatch run test-package` runs. The exit code is that of pytest; `test-python`
exits with 3 if there is no such interpreter in PATH or among those of pyenv.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import which

ROOT = Path(__file__).resolve().parents[1]

DISTRIBUTED = ("--dist", "loadscope", "--no-loadscope-reorder")
BESIDE = ("-n", "auto", *DISTRIBUTED)
"""Of pytest-xdist; conftest.py says which tests one worker runs, and how many workers there are."""
SLOWEST = ROOT / ".pytest_cache" / "slowest.txt"
ENGINES_FOLDER = ROOT / "tests" / "engines"
ENGINES = ("skitai", "granian", "uvicorn", "hypercorn", "gunicorn")
FEW_BESIDE = ("memory", "few")
ALONE = ("measures",)
"""Marks of the tests of the second step, and of the third."""
BESIDE_OTHERS = " and ".join(f"not {mark}" for mark in FEW_BESIDE + ALONE)
IN_PROCESS = f"{BESIDE_OTHERS} and not slow and not served"
FEW_WORKERS = ("-n", "logical", *DISTRIBUTED)
"""Tests in process hardly wait, so that many workers would only collect them more often."""
FEW_AT_A_TIME = ("-n", "3", *DISTRIBUTED)
"""Memory is that of a process, whatever else runs. Three keep two cores busy, as some only wait."""
LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
FEW = 5
NOTHING_SELECTED = 5
"""An exit code of pytest."""
NO_INTERPRETER = 3
WITHOUT_PACKAGES = "--without-packages"


def pytest(*arguments: str) -> int:
    """Run pytest; return its exit code."""
    command = (sys.executable, "-m", "pytest", f"--slowest={SLOWEST}", *arguments)
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def pytest_beside(*arguments: str) -> int:
    """Run tests beside each other; return the exit code. A few that fail run once more, alone: what
    passes then is reported as such, and is a race to be found, of ours or of the test's.
    """
    LAST_FAILED.unlink(missing_ok=True)
    code = pytest(*arguments)
    failed = json.loads(LAST_FAILED.read_text()) if code == 1 and LAST_FAILED.exists() else {}
    if not 0 < len(failed) <= FEW:
        return code
    print("run once more, alone:", *failed, sep="\n  ", flush=True)
    again = pytest(*arguments, "--last-failed", "-n", "0", "--dist", "no")
    if again == 0:
        print("FAILED BESIDE OTHERS, PASSED ALONE:", *failed, sep="\n  ", flush=True)
    return again


def worst(codes: list[int]) -> int:
    """The exit code of several runs; that one had nothing to do is no failure."""
    bad = [code for code in codes if code not in (0, NOTHING_SELECTED)]
    return bad[0] if bad else min(codes)


def in_steps(marks: str, arguments: list[str]) -> int:
    """Run what can run beside others, then what cannot; return the exit code.

    Args:
        marks: an expression of pytest's option -m that both must fulfil; "" for none.
        arguments: for pytest.
    """
    also = f" and ({marks})" if marks else ""
    named = any(Path(word.partition("::")[0]).exists() for word in arguments)
    if not named:
        compile_tests(modules())
    codes = [pytest_beside(*BESIDE, "-m", f"{BESIDE_OTHERS}{also}", *arguments)]
    for marked, options in ((FEW_BESIDE, FEW_AT_A_TIME), (ALONE, ())):
        paths = [] if named else with_marks(marked)
        selected = f"({' or '.join(marked)}){also}"
        codes.append(pytest(*options, "-m", selected, *arguments, *paths))
    return worst(codes)


def modules() -> list[Path]:
    """All modules of tests."""
    folders = ("packages/*/tests", "tests", "examples/tracker/tests")
    return sorted(path for each in folders for path in ROOT.glob(f"{each}/**/test_*.py"))


def compile_tests(paths: Sequence[Path]) -> None:
    """Have pytest compile those modules that are new to it, each once: else each worker would
    compile all of them, at the same time.
    """
    new = [str(path) for path in paths if not _is_compiled(path)]
    processes = os.cpu_count() or 1
    if len(new) <= FEW:
        return
    collect = (sys.executable, "-m", "pytest", "--collect-only", "-q")
    running = [
        subprocess.Popen((*collect, *new[n::processes]), cwd=ROOT, stdout=subprocess.DEVNULL)
        for n in range(processes)
    ]
    for process in running:
        # What cannot be collected is reported when it is to be run.
        process.wait()


def _is_compiled(path: Path) -> bool:
    """Whether pytest has compiled a module for this Python since it was changed."""
    compiled = f"{path.stem}.{sys.implementation.cache_tag}-pytest-*.pyc"
    changed = path.stat().st_mtime
    return any(p.stat().st_mtime >= changed for p in path.parent.glob(f"__pycache__/{compiled}"))


def with_marks(marks: Sequence[str]) -> list[str]:
    """The modules with tests that have one of the marks, so that no others are looked through."""
    found = []
    for path in modules():
        text = path.read_text()
        if any(f"mark.{mark}" in text for mark in marks):
            found.append(str(path.relative_to(ROOT)))
    return found


def between_packages() -> list[str]:
    """The tests that belong to no distribution, but those of tests/engines."""
    return [str(path.relative_to(ROOT)) for path in ROOT.glob("tests/test_*.py")]


def without_engines() -> list[str]:
    """All tests but those of tests/engines, none of which is quick."""
    return ["packages", *between_packages()]


def of_specification() -> list[str]:
    """The tests over connections that docs/status.md names."""
    text = (ROOT / "docs" / "status.md").read_text()
    names = set(re.findall(r"`(tests/engines/[^`]+)`", text))
    # A whole module includes its tests, and pytest would run those twice.
    return sorted(
        name for name in names if name.partition("::")[0] not in names or "::" not in name
    )


def interpreters(version: str) -> Iterator[Path]:
    """Where that Python is on this machine, the newest first."""
    if found := which(f"python{version}"):
        yield Path(found)
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = versions.glob(f"{version}.*/bin")
    for folder in sorted(folders, key=lambda path: _number(path.parent.name), reverse=True):
        yield folder / f"python{version}"


def _number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def works(python: Path, version: str) -> bool:
    """Whether it starts: one of pyenv's shims does not where no version of it is chosen."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run((python, "-c", code), capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == version


def interpreter(version: str) -> Path | None:
    """That Python; None if it is not on this machine, which is printed."""
    python = next((path for path in interpreters(version) if works(path, version)), None)
    if python is None:
        print(f"there is no Python {version} in PATH or among those of pyenv", file=sys.stderr)
    return python


def with_python(version: str, arguments: list[str]) -> int:
    """Run the tests of `test-python` in the environment of a version of Python."""
    python = interpreter(version)
    if python is None:
        return NO_INTERPRETER
    # Hatch looks for interpreters in PATH; its own variables are of the environment we are in.
    environment = {key: value for key, value in os.environ.items() if key != "HATCH_ENV_ACTIVE"}
    environment["PATH"] = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    name = f"versions.py{version}"
    command = ("hatch", "run", f"{name}:chosen", *arguments)
    if arguments == ["--create"]:
        command = ("hatch", "env", "create", name)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    if arguments[:1] != ["python"]:
        SLOWEST.unlink(missing_ok=True)
    match arguments:
        case ["all", *rest]:
            return in_steps("", rest)
        case ["quick", *rest]:
            marks = f"{IN_PROCESS} and not thorough"
            compile_tests([path for path in modules() if ENGINES_FOLDER not in path.parents])
            return pytest(*FEW_WORKERS, "-m", marks, *rest, *without_engines())
        case ["engines", *rest]:
            named = [rest.pop(0)] if rest and rest[0] in ENGINES else ENGINES
            return in_steps("engine", [*(f"--engine={name}" for name in named), *rest])
        case ["python", version, *rest]:
            return with_python(version, rest)
        case ["chosen", *rest]:
            print(f"Python {sys.version.partition(' ')[0]}", flush=True)
            limits = ("-m", f"{BESIDE_OTHERS} and not slow")
            named = any(option.startswith("--engine") for option in rest)
            engines = limits if named else ("--engine=skitai", "--engine=granian", *limits)
            paths = without_engines()
            if WITHOUT_PACKAGES in rest:
                rest.remove(WITHOUT_PACKAGES)
                paths = between_packages()
            quick = pytest_beside(*FEW_WORKERS, "-m", IN_PROCESS, *rest, *paths)
            return worst([quick, pytest_beside(*BESIDE, *engines, *rest, *of_specification())])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
