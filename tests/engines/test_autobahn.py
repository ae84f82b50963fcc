"""The server cases of the Autobahn test suite: framing, pings, reserved bits, opcodes, fragments,
UTF-8, closing, limits.

Its fuzzing client is a program of Python 2.7. To run this, where there is one:

    python2.7 -m pip install --target DIR autobahntestsuite && touch DIR/zope/__init__.py
    ATILA_AUTOBAHN=DIR hatch run test tests/engines/test_autobahn.py

ATILA_PYTHON27 names the interpreter, if it is not `python2.7`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.servers import serving

from atila.testing.waits import patience

SCRIPT = Path(__file__).with_name("apps") / "sockets.py"
CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
COUNT = 247
RUN = "from autobahntestsuite.wstest import run; run()"
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
"""NON-STRICT: a message that is followed by a broken frame at once need not be answered first."""


@pytest.fixture(scope="module")
def suite() -> tuple[str, dict[str, str]]:
    """The interpreter, and the environment that it needs."""
    folder = os.environ.get("ATILA_AUTOBAHN", "")
    python = os.environ.get("ATILA_PYTHON27", "python2.7")
    environment = {**os.environ, "PYTHONPATH": folder}
    try:
        subprocess.run(
            [python, "-c", "import autobahntestsuite"],
            env=environment,
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no Autobahn test suite: ATILA_AUTOBAHN and ATILA_PYTHON27 can name one")
    return python, environment


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["granian", "skitai"])
def test_server_cases(name: str, suite: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    with serving(name, SCRIPT) as server:
        report = run(suite, tmp_path, name, server.url("/async", "ws"))
    assert len(report) == COUNT
    wrong = {
        case: (found["behavior"], found["behaviorClose"])
        for case, found in report.items()
        if not {found["behavior"], found["behaviorClose"]} <= FINE
    }
    assert wrong == {}


def run(
    suite: tuple[str, dict[str, str]], folder: Path, name: str, url: str
) -> dict[str, dict[str, Any]]:
    """What the suite says of each case."""
    python, environment = suite
    settings = {
        "outdir": str(folder / "report"),
        "servers": [{"agent": name, "url": url}],
        "cases": CASES,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "fuzz.json").write_text(json.dumps(settings))
    arguments = ["wstest", "-m", "fuzzingclient", "-s", str(folder / "fuzz.json")]
    subprocess.run(
        [python, "-c", f"import sys; sys.argv = {arguments!r}; {RUN}"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=patience(300),
    )
    found: dict[str, dict[str, Any]] = json.loads((folder / "report" / "index.json").read_text())[
        name
    ]
    return found
