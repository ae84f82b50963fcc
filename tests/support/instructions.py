"""How many instructions a request takes, by callgrind, of valgrind.

    hatch run instructions                              # prints the figures of this Python
    hatch run instructions --commit                     # writes them to tests/instructions.json
    hatch run versions.py3.13:instructions --commit     # those of another

Unlike a time, a count of instructions is the same on a busy machine. It belongs to one build of one
Python; that it is the same build is seen by the calibration, which is work of Python alone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

FIGURES = Path(__file__).parents[1] / "instructions.json"
WORKLOAD = Path(__file__).with_name("instructions_workload.py")
VERSION = platform.python_version()
CALIBRATION = "calibration"

_PART = re.compile(r"^desc: Trigger: Client Request: ([^\n]+)$.*?^totals: (\d+)$", re.M | re.S)


def hindrance() -> str:
    """Why instructions cannot be counted here; "" if they can."""
    if which("valgrind") is None:
        return "valgrind is missing: apt install valgrind"
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "requests to valgrind are written for Linux on x86-64"
    return ""


def counted() -> dict[str, int]:
    """Instructions of each kind of request, and of the calibration, by name.

    Raises:
        RuntimeError: the requests failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "callgrind"
        done = subprocess.run(
            (
                *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=yes"),
                *(f"--callgrind-out-file={written}", sys.executable, str(WORKLOAD)),
            ),
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return {name: int(total) for name, total in _PART.findall(written.read_text())}


def committed() -> dict[str, dict[str, int]]:
    """The figures of the repository: by version of Python, then by name."""
    figures: dict[str, dict[str, int]] = json.loads(FIGURES.read_text())
    return figures


def main() -> None:
    """Print or write the figures."""
    if reason := hindrance():
        sys.exit(reason)
    found = counted()
    before = committed().get(VERSION, {})
    for name, count in found.items():
        change = f"{count / before[name] - 1:+8.2%}" if name in before else ""
        print(f"{name:12} {count:12,} {change}")
    if "--commit" in sys.argv[1:]:
        figures = dict(sorted((committed() | {VERSION: found}).items()))
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
