"""Run the tests beside each other, and those that measure afterwards, alone.

    hatch run test [PYTEST OPTIONS AND PATHS]
    hatch run test-quick [PYTEST OPTIONS]
    hatch run test-engines [ENGINE] [PYTEST OPTIONS]
    hatch run test-python VERSION [PYTEST OPTIONS]

The exit code is that of pytest; `test-python` exits with 3 if there is no such interpreter.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BESIDE = ("-n", "auto", "--dist", "loadgroup", "--no-loadscope-reorder")
"""Of pytest-xdist; the distribution is that of conftest.py."""
ENGINES = ("skitai", "granian", "uvicorn", "hypercorn", "gunicorn")
NOTHING_SELECTED = 5
"""An exit code of pytest."""


def pytest(*arguments: str) -> int:
    """Run pytest; return its exit code."""
    command = (sys.executable, "-m", "pytest", *arguments)
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def in_two_steps(marks: str, arguments: list[str]) -> int:
    """Run what can run beside others, then what measures; return the first exit code that is bad.

    Args:
        marks: an expression of pytest's option -m that both must fulfil; "" for none.
        arguments: for pytest.
    """
    also = f" and ({marks})" if marks else ""
    codes = [
        pytest(*BESIDE, "-m", f"not measures{also}", *arguments),
        pytest("-m", f"measures{also}", *arguments),
    ]
    if any(code not in (0, NOTHING_SELECTED) for code in codes):
        return max(code for code in codes if code != NOTHING_SELECTED)
    return min(codes)


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    match arguments:
        case ["all", *rest]:
            return in_two_steps("", rest)
        case ["quick", *rest]:
            return pytest(*BESIDE, "-m", "not measures and not slow and not served", *rest)
        case ["engines", *rest]:
            named = [rest.pop(0)] if rest and not rest[0].startswith("-") else ENGINES
            return in_two_steps("engine", [*(f"--engine={name}" for name in named), *rest])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
