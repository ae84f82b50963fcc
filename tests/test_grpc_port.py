"""`atila serve --grpc-port`: gRPC on a port of its own, in all workers, until the server ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.protos import generated
from support.servers import serving

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

pytestmark = pytest.mark.served

APPS = Path(__file__).parent / "engines" / "apps"
ATILA = Path(sys.executable).with_name("atila")

APP = """
import os
import time

import route_guide_pb2
from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


@app.route("/GetFeature")
def GetFeature(was, point):
    return route_guide_pb2.Feature(name=str(os.getpid()))
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port of its own, and the server: granian with two workers."""
    generated()
    (tmp_path / "shop.py").write_text(APP)
    port, own = free_port(), free_port()
    options = ["--engine", "granian", "--workers", "2", f"--port={port}", f"--grpc-port={own}"]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [str(ATILA), "serve", "shop:app", *options],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield own, process
    finally:
        process.terminate()
        process.wait(PATIENCE)
        print((tmp_path / "log.txt").read_text())


def ask(port: int) -> str:
    """Who answers on a connection of its own."""
    messages, stubs = generated()["route_guide"]
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        point = messages.Point()
        answer: Any = stubs.RouteGuideStub(channel).GetFeature(
            point, timeout=PATIENCE, wait_for_ready=True
        )
        return str(answer.name)


def test_all_workers_answer(served: tuple[int, subprocess.Popen[bytes]]) -> None:
    port, process = served
    who: set[str] = set()

    def both() -> bool:
        assert process.poll() is None, "granian ended"
        who.add(ask(port))
        return len(who) == 2

    wait_until(both, "both workers answer")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("engine", ["granian", "uvicorn", "skitai", "hypercorn"])
def test_a_call_under_way_when_the_server_ends(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated()
    own = free_port()
    monkeypatch.setenv("ATILA_GRPC_PORT", f"127.0.0.1:{own}")
    monkeypatch.setenv("ATILA_TEST_PATIENCE", "1")
    odd_stubs, interop = generated()["odd"].stubs, generated()["interop"].messages
    with serving(engine, APPS / "grpc_app.py") as server:
        with grpc.insecure_channel(f"127.0.0.1:{own}") as channel:
            grpc.channel_ready_future(channel).result(timeout=PATIENCE)
            waiting = odd_stubs.OddStub(channel).Waits.future(interop.Payload(body=b"w"))
            server.board.wait_count("w-begun")
            server.terminate()
            with pytest.raises(grpc.RpcError) as caught:
                waiting.result(timeout=PATIENCE)
            assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
            server.wait_end()
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("engine", ["granian", "skitai"])
def test_a_port_on_which_another_site_listens(
    engine: str, served: tuple[int, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    own, first = served
    ask(own)
    assert_refused(engine, own, tmp_path)
    assert first.poll() is None


@pytest.mark.parametrize("engine", ["granian", "skitai"])
def test_a_port_on_which_any_program_listens(engine: str, tmp_path: Path) -> None:
    generated()
    (tmp_path / "shop.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as program:
        assert_refused(engine, program.getsockname()[1], tmp_path)


def assert_refused(engine: str, own: int, folder: Path) -> None:
    """A server with this port for gRPC says so in one line, and ends with 1."""
    options = [f"--engine={engine}", f"--port={free_port()}", f"--grpc-port={own}"]
    ended = subprocess.run(
        [str(ATILA), "serve", "shop:app", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1, ended.stderr
    (line,) = (line for line in ended.stderr.splitlines() if "Serving" not in line)
    assert line.startswith(f"atila: 127.0.0.1:{own} is in use. Mend:")
