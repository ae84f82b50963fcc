"""A worker of pytest that crashes costs its test alone: the run goes on, and ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from atila.testing.waits import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
CRASHES = """
import os

def test_before(): pass
def test_crash(): os._exit(3)
def test_after(): pass
"""


@pytest.mark.served
@pytest.mark.parametrize("crashing", [{25}, {10, 24, 25, 40}])
def test_tests_of_a_crashed_worker_are_run_by_others(crashing: set[int], tmp_path: Path) -> None:
    for number in range(10, 41):
        test = CRASHES if number in crashing else "def test_it(): pass"
        (tmp_path / f"test_{number}.py").write_text(test)
    options = ["-p", "conftest", "--dist", "loadscope", "-n", "2", "--rootdir", ".", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "/dev/null", *options],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    passed = 31 + len(crashing)
    assert f"{len(crashing)} failed, {passed} passed" in done.stdout, done.stdout
    assert done.returncode == 1
