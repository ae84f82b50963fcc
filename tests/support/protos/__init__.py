"""The gRPC services of the tests: compiled once, into a folder that servers find too."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from grpc_tools import protoc

HERE = Path(__file__).parent
NAMES = ("interop", "route_guide", "odd")


class Generated(NamedTuple):
    """What protoc made of one file: the messages, and the stubs."""

    messages: ModuleType
    stubs: ModuleType


def generated() -> dict[str, Generated]:
    """The modules by the name of their file. Servers started from now on import them as well."""
    folder, modules = _compiled()
    # Each time: it may have been asked for where the environment was put back afterwards.
    paths = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if folder not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([*paths, folder])
    return modules


@cache
def _compiled() -> tuple[str, dict[str, Generated]]:
    folder = tempfile.mkdtemp(prefix="atila-protos-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    for name in NAMES:
        arguments = [f"-I{HERE}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
        assert protoc.main(["protoc", *arguments, f"{name}.proto"]) == 0
    sys.path.append(folder)
    return folder, {
        name: Generated(
            importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")
        )
        for name in NAMES
    }
