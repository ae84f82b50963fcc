"""The route guide of examples/route_guide: its clients call methods of all four kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc_tools import protoc
from support.servers import serving

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE

engines = ("skitai", "granian")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "route_guide"
MODULES = "ATILA_TEST_NODE_MODULES"
"""The environment variable with a folder `node_modules` that has the packages of package.json."""
PRINTED = """\
GetFeature: Patriots Path, Mendham, NJ 07945, USA
ListFeatures: Patriots Path, Mendham, NJ 07945, USA
ListFeatures: 101 New Jersey 10, Whippany, NJ 07981, USA
RecordRoute: 3 points, 2 features, 57891 m
RouteChat: first
RouteChat: second
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with the modules that protoc makes."""
    folder = tmp_path_factory.mktemp("route_guide") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    options = [f"-I{folder}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main(["protoc", *options, "route_guide.proto"]) == 0
    return folder


@pytest.fixture(scope="module")
def address(engine: str, folder: Path) -> Iterator[str]:
    if engine == "skitai":
        with serving(engine, folder / "serve.py", ready="") as server:
            yield f"127.0.0.1:{server.port}"
    else:
        port = free_port()
        with serving(engine, folder / "serve.py", ready="", options=["--grpc-port", str(port)]):
            yield f"127.0.0.1:{port}"


def output(folder: Path, *command: str) -> str:
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_client_in_python(folder: Path, address: str) -> None:
    assert output(folder, sys.executable, "client.py", address) == PRINTED


def test_the_client_in_javascript(folder: Path, address: str) -> None:
    node, modules = shutil.which("node"), os.environ.get(MODULES)
    if node is None or not modules:
        pytest.skip(f"node and {MODULES} are needed: npm install in examples/route_guide")
    linked = folder / "node_modules"
    if not linked.exists():
        linked.symlink_to(modules)
    assert output(folder, node, "client.js", address) == PRINTED
