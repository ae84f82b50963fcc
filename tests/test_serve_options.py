"""Options of `atila serve`: a Unix socket, the level of logs, a file of variables; and their bad
input.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.servers import serving

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

pytestmark = pytest.mark.served

ATILA = Path(sys.executable).with_name("atila")
BOTH = ("skitai", "granian")

SERVE = """
import logging
import os

import skitai

from atila import Atila

app = Atila(__name__)
app.config.THREADS = 2
app.config.TRUSTED_PROXIES = ["unix"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/seen")
def seen(was):
    was.log("a debug message", "debug")
    was.log("a warning", "warn")
    return {
        "threads": was.site.pool.size,
        "fields": was.app.config.MAX_FIELDS,
        "own": os.environ.get("OWN"),
        "kept": os.environ.get("KEPT"),
        "client": was.request.get_remote_addr(),
        "scheme": was.request.scheme,
    }


@app.route("/many")
def many(was):
    return iter([b"x" * 100_000] * 20)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, threads=3)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "serve.py").write_text(SERVE)
    return tmp_path / "serve.py"


def ended(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ATILA), "serve", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("engine", BOTH)
def test_a_file_of_variables_and_the_level_of_logs(engine: str, script: Path) -> None:
    file = script.with_name("production.env")
    file.write_text("# of production\nATILA_MAX_FIELDS=7\nATILA_THREADS=4\nOWN='a b'\nKEPT=file\n")
    options = ["--env-file", str(file), "--log-level", "debug"]
    with serving(engine, script, options=options, environment={"KEPT": "mine"}) as server:
        found = httpx.get(server.url("/seen"), timeout=PATIENCE).json()
        assert (found["threads"], found["fields"]) == (4, 7)
        assert (found["own"], found["kept"]) == ("a b", "mine")
        wait_until(lambda: "a warning" in server.log(), "the warning is written")
        assert "a debug message" in server.log()


@pytest.mark.parametrize("engine", BOTH)
def test_the_command_line_goes_before_variables(engine: str, script: Path) -> None:
    variables = {"ATILA_THREADS": "4", "ATILA_LOG_LEVEL": "debug"}
    options = ["--threads", "5", "--log-level", "warning"]
    with serving(engine, script, options=options, environment=variables) as server:
        assert httpx.get(server.url("/seen"), timeout=PATIENCE).json()["threads"] == 5
        wait_until(lambda: "a warning" in server.log(), "the warning is written")
        assert "a debug message" not in server.log()


def test_a_unix_socket(script: Path) -> None:
    path = script.with_name("atila.sock")
    log = (script.parent / "log.txt").open("wb")
    command = [str(ATILA), "serve", script.name, "--engine", "granian", "--uds", path.name]
    process = subprocess.Popen(command, cwd=script.parent, stdout=log, stderr=log)
    try:
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://x", timeout=PATIENCE) as client:

            def answers() -> bool:
                assert process.poll() is None, (script.parent / "log.txt").read_text()
                try:
                    return client.get("/").text == "ready"
                except httpx.TransportError:
                    return False

            wait_until(answers, "granian ready")
            told = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https"}
            found = client.get("/seen", headers=told).json()
            assert (found["client"], found["scheme"]) == ("9.9.9.9", "https")
            assert len(client.get("/many").content) == 2_000_000
        second = ended(script.parent, script.name, "--engine", "granian", "--uds", path.name)
        assert second.returncode == 1
        assert f"atila: {path} is in use. Mend:" in second.stderr
    finally:
        process.terminate()
        process.wait(PATIENCE)
        log.close()
    assert process.returncode == 0
    assert not path.exists()


def test_sockets_that_cannot_be_had(script: Path) -> None:
    folder = script.parent
    base = [script.name, "--engine", "granian"]
    (folder / "file").write_text("")
    for path, why in (("file", "no socket"), ("none/x.sock", "there is no folder")):
        done = ended(folder, *base, "--uds", path)
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
    done = ended(folder, *base, "--uds", "x.sock", "--port", "5001")
    assert done.returncode == 2
    assert "leave out --host and --port" in done.stderr
    done = ended(folder, script.name, "--engine", "skitai", "--uds", "x.sock")
    assert done.returncode == 2
    assert "Skitai cannot listen on a Unix socket. Mend: --engine granian" in done.stderr


def test_bad_input(script: Path) -> None:
    folder = script.parent
    done = ended(folder, script.name, "--env-file", "none.env")
    assert done.returncode == 2
    assert "none.env" in done.stderr
    done = ended(folder, script.name, "--log-level", "loud")
    assert done.returncode == 2
    done = ended(folder, script.name, ATILA_MAX_FIELDS="many")
    assert done.returncode == 2
    assert "the environment variable ATILA_MAX_FIELDS is 'many'; it must be" in done.stderr
    done = ended(folder, script.name, ATILA_THREADS="many")
    assert done.returncode == 2
    assert "ATILA_THREADS" in done.stderr


GRPC = """
import skitai

from atila import Atila

app = Atila(__name__)
app.config.GRPC_PORT = {port}
app.route("/")(lambda was: "ready")

if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(address="127.0.0.1", port={own})
"""


@pytest.mark.parametrize("way", ["skitai", "granian", "alone", "variable"])
def test_a_port_of_a_setting_that_is_in_use(way: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as program:
        port = program.getsockname()[1]
        text = GRPC.format(port=None if way == "variable" else port, own=free_port())
        (tmp_path / "serve.py").write_text(text)
        variables = {"HOME": str(tmp_path)}
        if way == "variable":
            variables["ATILA_GRPC_PORT"] = str(port)
        if way == "alone":
            done = subprocess.run(
                [sys.executable, "serve.py"],
                cwd=tmp_path,
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        else:
            engine = "granian" if way == "variable" else way
            done = ended(tmp_path, "serve.py", "--engine", engine, **variables)
    assert done.returncode == 1, done.stderr
    refusals = [line for line in done.stderr.splitlines() if line.startswith("atila: ")]
    assert len(refusals) == 1, done.stderr
    assert f"127.0.0.1:{port} is in use. Mend:" in refusals[0]
    assert "Traceback" not in done.stderr
