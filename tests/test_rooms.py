"""The rooms of atila-core: who may import whom, in what order, and what layers may import."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "packages"
CORE = PACKAGES / "atila-core" / "src" / "atila"

FACE = "atila"
"""The package itself, with the public names."""
CENTRAL = {"Atila", "Endpoint", "Site", "Was"}
"""What everything is about: their types, and no more, may be imported from the face anywhere."""

BELOW = {
    "errors": set[str](),
    "runtime": {"errors"},
    "http": {"errors"},
    "routing": {"errors", "runtime"},
    "layers": {"errors", "http", "routing"},
    "was": {"errors", "runtime", "http", "routing", "layers"},
    "validation": {"errors", "http", "routing"},
    "engines": {"errors", "runtime", "http"},
    "skitai": {"errors", "runtime", "http"},
    "monitoring": {"errors", "runtime", "http", "routing"},
    "serving": {"errors", "runtime", "http", "routing", "layers", "validation", "monitoring"},
    "openapi": {"errors", "http", "routing", "validation", "serving"},
    "testing": {"errors", "http", "serving"},
}
"""What each room may import: at the top of a module, in functions, and for types alone."""
BELOW["app"] = {*BELOW} - {"app", "engines", "skitai", "openapi", "testing"}
BELOW["launch"] = {*BELOW}
BELOW["skitai launch"] = {*BELOW}

INSIDE = {
    "app": {"engines", "openapi", "testing"},
    "skitai launch": {"launch"},
}
"""What a room may import in functions and for types, beside that: what is seldom needed, or heavy."""

SKITAI_LAUNCH = {"", "master", "names", "patch", "placeholder", "serve", "worker"}
"""The half of the room skitai that starts a site; the other half is its connections."""

DOORS = {"__main__": "launch", "json_logs": "monitoring", "pytest_hooks": "testing"}
"""Public paths of what is in a room."""


@dataclass(frozen=True)
class Import:
    """One name that a module imports.

    Attributes:
        module: which imports it.
        target: the module that it comes from, or is.
        name: the name; "" for the module as a whole.
        kind: "top", "inside" a function, or for "types" alone.
        place: "file:line".
    """

    module: str
    target: str
    name: str
    kind: str
    place: str


def module_of(path: Path) -> str:
    parts = path.relative_to(CORE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_of(path): path for path in sorted(CORE.rglob("*.py")) if "template" not in str(path)}


def imports_in(node: ast.AST, kind: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, kind
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for statement in child.body:
                yield from imports_in(ast.Module([statement], []), "types")
            for statement in child.orelse:
                yield from imports_in(ast.Module([statement], []), kind)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports_in(child, "inside" if kind == "top" else kind)
        else:
            yield from imports_in(child, kind)


def imports(module: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    """What a module imports of the package `atila`."""
    for node, kind in imports_in(ast.parse(path.read_text()), "top"):
        assert not getattr(node, "level", 0), f"{path}:{node.lineno}: a relative import"
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        else:
            base = node.module or ""
            found = [
                (f"{base}.{alias.name}", "") if f"{base}.{alias.name}" in known else (base, alias.name)
                for alias in node.names
            ]
        for target, name in found:
            if target.partition(".")[0] == FACE:
                yield Import(module, target, name, kind, place)


@cache
def all_imports() -> tuple[Import, ...]:
    known = modules()
    return tuple(each for name, path in known.items() for each in imports(name, path, known))


def room_of(module: str) -> str:
    _, _, below = module.partition(".")
    room, _, rest = below.partition(".")
    if room == "skitai" and rest in SKITAI_LAUNCH:
        return "skitai launch"
    return DOORS.get(room, room)


def is_central(each: Import) -> bool:
    return each.target == FACE and each.kind == "types" and each.name in CENTRAL


def test_each_module_is_in_a_room_of_the_table() -> None:
    rooms = {room_of(name) for name in modules()} - {"", "patches"}
    assert rooms == {*BELOW}


def test_no_room_imports_one_that_it_may_not() -> None:
    wrong = []
    for each in all_imports():
        here, there = room_of(each.module), room_of(each.target)
        if here in ("", there) or is_central(each) or here == "patches":
            continue
        allowed = BELOW[here] | (INSIDE.get(here, set()) if each.kind != "top" else set())
        if there not in allowed:
            wrong.append(f"{each.place}: {here} imports {there} ({each.target}, {each.kind})")
    assert wrong == []
