"""Test one distribution as its users get it: from its wheel, beside core and nothing else.

    hatch run test-package atila-tasks [--python VERSION] [PYTEST OPTIONS]
    hatch run test-package tasks -k http
    hatch run test-package tasks --python 3.12

Builds an sdist of core and of the named distribution and a wheel from each sdist, installs the
wheels with their declared dependencies and the extra `test` into a new virtual environment, and
runs the folder's tests there, from a working directory outside of the source tree. The environment
is of the Python that runs this, or of --python, where `run_tests.py` finds it. The exit code is
pytest's; it is 2 as well when a step before pytest failed, and 3 if there is no such interpreter.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from run_tests import NO_INTERPRETER, interpreter

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "packages"


class Failure(Exception):
    """A step before pytest failed."""


def known() -> list[str]:
    """Names of the distributions in this repository."""
    return sorted(path.parent.name for path in PACKAGES.glob("*/pyproject.toml"))


def run(*command: str | Path, cwd: Path) -> None:
    """Run `command` quietly; show what it printed only if it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shown = " ".join(str(part) for part in command)
        raise Failure(f"{shown}\n{done.stdout}{done.stderr}exit code {done.returncode}")


def build(name: str, into: Path) -> Path:
    """Build the sdist of `name`, then a wheel from the unpacked sdist alone; return the wheel."""
    hatchling = (sys.executable, "-m", "hatchling", "build", "-d", into)
    run(*hatchling, "-t", "sdist", cwd=PACKAGES / name)
    stem = name.replace("-", "_")
    (sdist,) = into.glob(f"{stem}-*.tar.gz")
    shutil.unpack_archive(sdist, into)
    run(*hatchling, "-t", "wheel", cwd=into / sdist.name.removesuffix(".tar.gz"))
    (wheel,) = into.glob(f"{stem}-*.whl")
    return wheel


def check_imported_from_wheel(python: Path, name: str, environment: Path) -> None:
    """Fail unless the packages of `name` are found in `environment`."""
    for source in (PACKAGES / name / "src").iterdir():
        if not source.is_dir():
            continue
        code = (
            "import importlib.util as u, sys; s = u.find_spec(sys.argv[1]);"
            "print(*(s.submodule_search_locations or ()) if s else ())"
        )
        found = subprocess.run(
            (python, "-c", code, source.name),
            cwd=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if not found.startswith(str(environment)):
            raise Failure(f"{source.name} comes from {found or 'nowhere'}, not from the wheel")


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__, file=sys.stderr)
        return 0 if arguments else 2
    name = arguments[0] if arguments[0] in known() else f"atila-{arguments[0]}"
    if name not in known():
        print(f"unknown package: {arguments[0]}; known: {', '.join(known())}", file=sys.stderr)
        return 2
    base, options = Path(sys.executable), arguments[1:]
    if options[:1] == ["--python"]:
        version, options = options[1], options[2:]
        found = interpreter(version)
        if found is None:
            return NO_INTERPRETER
        base = found
    tests = PACKAGES / name / "tests"
    if not tests.is_dir():
        print(f"{name} has no tests: {tests} is missing", file=sys.stderr)
        return 2
    # What points at this environment or at the source tree must not reach the new one.
    for variable in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        os.environ.pop(variable, None)

    with tempfile.TemporaryDirectory(prefix=f"{name}-") as temporary:
        # Resolved, because a temporary folder may be reached through a symbolic link.
        work = Path(temporary).resolve()
        environment = work / "env"
        python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        try:
            wheels = {each: build(each, work) for each in sorted({"atila-core", name})}
            run(sys.executable, "-m", "virtualenv", "--quiet", "-p", base, environment, cwd=work)
            # Only the package under test brings its extra; a layer gets nothing of core's.
            requirements = [
                f"{each}{'[test]' if each == name else ''} @ {wheel.as_uri()}"
                for each, wheel in wheels.items()
            ]
            run(python, "-m", "pip", "install", "--no-input", *requirements, cwd=work)
            check_imported_from_wheel(python, name, environment)
        except Failure as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        elsewhere = work / "cwd"
        elsewhere.mkdir()
        print(f"{name}: testing {', '.join(wheel.name for wheel in wheels.values())}", flush=True)
        return subprocess.run(
            (
                *(python, "-m", "pytest", "-p", "no:cacheprovider", "-c", ROOT / "pytest.ini"),
                # The conftest.py of the repository is for the tests of all folders together.
                *(f"--rootdir={tests.parent}", f"--confcutdir={tests}"),
                # Without a limit of time for each value, which that file sets otherwise.
                *("--hypothesis-profile=ci", tests, *options),
            ),
            cwd=elsewhere,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
