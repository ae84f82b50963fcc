"""A server that ends while its workers are still starting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.board import Board

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

pytestmark = pytest.mark.served

SLOW = """
import os
import time
from pathlib import Path

from atila import Atila

folder = Path(os.environ["ATILA_BOARD"])
if "ATILA_TARGET" in os.environ:
    # A worker: it never gets further.
    with (folder / "importing").open("a") as note:
        note.write(".")
    while folder.exists():
        time.sleep(0.01)
app = Atila(__name__)
"""


HANGING = """
import threading
from pathlib import Path

from atila import Atila

app = Atila(__name__)


@app.provide(scope="app")
def made_before():
    yield "made"
    Path("cleaned-up").touch()


@app.on("startup")
def hang(was):
    threading.Event().wait()
"""


def test_hypercorn_gives_up_a_start_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(HANGING)
    (tmp_path / "hypercorn.toml").write_text("startup_timeout = 1")
    command = ["-m", "hypercorn", "-c", "hypercorn.toml", "-b", f"127.0.0.1:{free_port()}"]
    ended = subprocess.run(
        [sys.executable, *command, "hanging:app"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "LifespanTimeoutError" in ended.stderr
    assert (tmp_path / "cleaned-up").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_granian_ends_while_its_workers_start(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    board = Board(tmp_path)
    arguments = ["serve", "--engine", "granian", "--workers", "2", "--port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-m", "atila", *arguments, "slow:app"],
        cwd=tmp_path,
        env={**os.environ, "ATILA_BOARD": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_until(lambda: board.count("importing") >= 2, "both workers import the app")
            workers = psutil.Process(server.pid).children(recursive=True)
            server.send_signal(number)
            server.wait(PATIENCE)
            wait_until(lambda: not any(map(psutil.pid_exists, [w.pid for w in workers])), "ended")
        finally:
            for process in psutil.Process(server.pid).children() if server.poll() is None else ():
                process.kill()
            server.kill()
