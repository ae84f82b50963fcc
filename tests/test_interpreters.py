"""`hatch run test-python`: finds the interpreters of this machine, or says which is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "run_tests.py"
sys.path.insert(0, str(TOOL.parent))

import run_tests  # noqa: E402


def test_the_interpreter_that_is_missing_is_named() -> None:
    command = (sys.executable, str(TOOL), "python", "3.99")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == run_tests.NO_INTERPRETER
    assert "no Python 3.99" in done.stderr


def test_this_interpreter_is_known_by_its_version_and_no_other() -> None:
    own = "{}.{}".format(*sys.version_info)
    assert run_tests.works(Path(sys.executable), own)
    assert not run_tests.works(Path(sys.executable), "3.99")
    assert not run_tests.works(Path("/nowhere/python"), own)


def test_tests_of_the_specification_are_found() -> None:
    named = run_tests.of_specification()
    assert len(named) > 100
    assert all((ROOT / name.partition("::")[0]).is_file() for name in named)
