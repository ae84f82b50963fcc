"""Servers that are forks: a fork is as what its command line starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support import forkserver
from support.servers import serving

from atila.testing.waits import PATIENCE

SCRIPT = """
import json, os, signal, sys
from dataclasses import dataclass
import __main__
if __name__ == "__main__":
    print(json.dumps({
        "arguments": sys.argv, "folder": os.getcwd(), "path": sys.path, "file": __file__,
        "environment": dict(os.environ), "group": os.getpgid(0) == os.getpid(),
        "session": os.getsid(0) == os.getpid(), "main": __main__.__file__,
        "handlers": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM)],
        "input": sys.stdin.read(), "descriptors": sorted(os.listdir("/proc/self/fd")),
    }))
    sys.stdout.flush()
    {end}
"""


def run(
    folder: Path, end: str, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], str, int]:
    """What a script finds, what it writes to its errors, and its exit code."""
    monkeypatch.setattr(forkserver, "is_used", not fresh)
    (folder / "script.py").write_text(SCRIPT.replace("{end}", end))
    given, log = folder / "input", folder / "log"
    given.write_text("some input")
    with given.open() as stdin, log.open("wb") as output:
        process = forkserver.start(
            [sys.executable, "script.py", "--port=1"],
            folder,
            os.environ | {"ATILA_SPECIAL": "é", "HOME": str(folder)},
            stdin.fileno(),
            output,
        )
    assert isinstance(process, subprocess.Popen) == fresh
    code = process.wait(60)
    assert process.poll() == process.returncode == code
    found, _, rest = log.read_text().partition("\n")
    return json.loads(found), rest, code


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('no')", 1),
        ("1 / 0", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_a_fork_is_as_what_is_started(
    end: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked, said, forked_code = run(tmp_path, end, False, monkeypatch)
    started, also_said, started_code = run(tmp_path, end, True, monkeypatch)
    assert forked_code == started_code == code
    given = dict(os.environ) | {"ATILA_SPECIAL": "é", "HOME": str(tmp_path)}
    for found in (forked, started):
        # Python sets one where nothing says what the locale is; Sentry, in a process of pytest that
        # has begun it, adds some to those of Popen.
        missing = given.items() - found.pop("environment").items()
        assert {name for name, _ in missing} <= {"LC_CTYPE"}
    assert forked == started
    assert said.splitlines()[-1:] == also_said.splitlines()[-1:]


def test_variables_that_python_reads_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forkserver, "is_used", True)
    (tmp_path / "script.py").write_text("import sys; print(sys.flags.hash_randomization)\n")
    found = []
    for seed in ("random", "0"):
        with (tmp_path / "log").open("wb") as log:
            process = forkserver.start(
                [sys.executable, "script.py"],
                tmp_path,
                os.environ | {"PYTHONHASHSEED": seed},
                subprocess.DEVNULL,
                log,
            )
        assert not isinstance(process, subprocess.Popen)
        assert process.wait(60) == 0
        found.append((tmp_path / "log").read_text())
    assert found == ["1\n", "0\n"]


@pytest.mark.parametrize("variable", ["LD_BIND_NOW", "TZ"])
def test_variables_that_the_system_reads_start_a_process(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forkserver, "is_used", True)
    (tmp_path / "script.py").write_text("pass\n")
    with (tmp_path / "log").open("wb") as log:
        process = forkserver.start(
            [sys.executable, "script.py"],
            tmp_path,
            os.environ | {variable: "1"},
            subprocess.DEVNULL,
            log,
        )
    assert isinstance(process, subprocess.Popen)
    assert process.wait(60) == 0


def test_a_signal_ends_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkserver, "is_used", True)
    (tmp_path / "script.py").write_text("import time\nprint(1, flush=True)\ntime.sleep(600)\n")
    with (tmp_path / "log").open("wb") as log:
        process = forkserver.start(
            [sys.executable, "script.py"], tmp_path, os.environ, subprocess.DEVNULL, log
        )
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.terminate()
    assert process.wait(60) == -signal.SIGTERM
    process.kill()
    # Its end is known to its parent first, and to us a moment later.
    monkeypatch.setattr(process, "poll", lambda: None)
    process.terminate()


def test_it_ends_while_a_fork_of_the_tests_holds_its_socket() -> None:
    server = forkserver.ForkServer({})
    held = os.dup(server._socket.fileno())
    closing = threading.Thread(target=server.close, daemon=True)
    try:
        closing.start()
        closing.join(PATIENCE)
        assert not closing.is_alive()
    finally:
        os.close(held)
        closing.join()


WORKER = """
import signal
from atila import Atila

app = Atila(__name__)

@app.route("/")
def index(was):
    found = [signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]
    return repr([getattr(each, "__qualname__", str(each)) for each in found])
"""


@pytest.mark.served
@pytest.mark.parametrize(("engine", "workers"), [("hypercorn", 1), ("uvicorn", 2)])
def test_workers_that_are_forks_have_the_signal_handlers_of_new_ones(
    engine: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "handlers.py"
    script.write_text(WORKER)
    found = []
    for is_used in (True, False):
        monkeypatch.setattr(forkserver, "is_used", is_used)
        with serving(engine, script, workers) as server:
            found.append(server.get("/").text)
    assert found[0] == found[1]
