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
"""What everything is about: any module may import these from the face, for types alone."""
STUBS = {"atila.installed", "atila.installed_layers"}
"""Stubs with the names that layers add; for types alone."""

BELOW: dict[str, set[str]] = {
    "errors": set(),
    "entries": set(),
    "known_layers": set(),
    "values": set(),
    "runtime": {"errors", "values"},
    "http": {"errors", "values"},
    "routing": {"errors", "runtime"},
    "layers": {"entries", "errors", "known_layers", "http", "routing"},
    "was": {"errors", "runtime", "http", "routing", "layers"},
    "validation": {"errors", "values", "http", "routing"},
    "engines": {"errors", "runtime", "http"},
    "skitai": {"errors", "runtime", "http"},
    "monitoring": {"errors", "values", "runtime", "http", "routing"},
    "serving": {
        "errors",
        "values",
        "runtime",
        "http",
        "routing",
        "layers",
        "validation",
        "monitoring",
    },
    "openapi": {"errors", "http", "routing", "validation", "serving"},
    "testing": {"errors", "http", "serving", "values"},
}
"""What each room may import: at the top of a module, in functions, and for types alone."""
for _rooms in BELOW.values():
    _rooms.add("typevars")
BELOW["typevars"] = set()
BELOW["app"] = {*BELOW} - {"engines", "skitai", "openapi", "testing"}
BELOW["launch"] = {*BELOW}
BELOW["patches"] = {"layers"}
BELOW["face"] = {*BELOW}

INSIDE = {"app": {"engines", "openapi", "testing"}, "testing": {"face"}, "face": {"launch"}}
"""What a room may import besides, but only in functions and for types: it is seldom needed."""

SKITAI_LAUNCH = {"", "master", "names", "patch", "preferences", "serve", "worker"}
"""The modules of the folder skitai that belong to launch; the others are its connections."""

DOORS = {
    "": "face",
    "__main__": "launch",
    "json_logs": "monitoring",
    "pytest_hooks": "testing",
    "site": "launch",
}
"""Public paths of what is in a room."""


@dataclass(frozen=True)
class Import:
    """What a module imports.

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

    @property
    def is_exempt(self) -> bool:
        """It is one of the types that everything is about."""
        is_face = self.target == FACE and self.name in CENTRAL
        return self.kind == "types" and (is_face or self.target in STUBS)


def modules_in(folder: Path) -> dict[str, Path]:
    """Modules by name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        if "_template" not in str(path):
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST, kind: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """All imports below a node, with their kind."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, kind
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from statements(ast.Module(child.body, []), "types")
            yield from statements(ast.Module(child.orelse, []), kind)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from statements(child, "inside" if kind == "top" else kind)
        else:
            yield from statements(child, kind)


def imports_of(module: str, path: Path) -> Iterator[Import]:
    """What a module imports of the package `atila`."""
    for node, kind in statements(ast.parse(path.read_text()), "top"):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        else:
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            base = node.module or ""
            found = [
                (name, "") if (name := f"{base}.{alias.name}") in core() else (base, alias.name)
                for alias in node.names
            ]
        for target, name in found:
            if target.partition(".")[0] == FACE:
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield Import(module, target, name, kind, place)


@cache
def core() -> dict[str, Path]:
    return modules_in(CORE)


@cache
def imports() -> tuple[Import, ...]:
    return tuple(each for name, path in core().items() for each in imports_of(name, path))


def room_of(module: str) -> str:
    room, _, rest = module.partition(".")[2].partition(".")
    if room == "skitai" and rest in SKITAI_LAUNCH:
        return "launch"
    return DOORS.get(room, room)


def test_each_module_is_in_a_room_of_the_table() -> None:
    assert {room_of(name) for name in core()} == {*BELOW}


def test_no_room_imports_one_that_it_may_not() -> None:
    wrong = []
    for each in imports():
        here, there = room_of(each.module), room_of(each.target)
        if here == there or each.is_exempt:
            continue
        allowed = BELOW[here] | (INSIDE.get(here, set()) if each.kind != "top" else set())
        if there not in allowed:
            wrong.append(f"{each.place}: {here} imports {there} ({each.target}, {each.kind})")
    assert not wrong, "\n".join(wrong)


def test_the_table_itself_has_no_circle() -> None:
    assert [*TopologicalSorter(BELOW).static_order()][-1] in ("face", "patches")


@pytest.mark.parametrize("kinds", [{"top"}, {"top", "types"}], ids=["at run time", "with types"])
def test_no_modules_import_each_other_in_a_circle(kinds: set[str]) -> None:
    graph: dict[str, set[str]] = {name: set() for name in core()}
    for each in imports():
        if each.kind in kinds and not each.is_exempt and each.target != each.module:
            graph[each.module].add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


LIST = re.compile(r"<!-- what layers may import -->\n(.*?)<!-- end of the list -->", re.DOTALL)


def offered() -> dict[str, set[str]]:
    """What docs/layers.md lets layers import of core: names by module."""
    (rows,) = LIST.findall((ROOT / "docs" / "layers.md").read_text())
    found = re.findall(r"^\| `(atila[\w.]*)` \| (.*?) \|", rows, re.MULTILINE)
    return {module: set(re.findall(r"`(\w+)`", names)) for module, names in found}


def taken() -> dict[str, set[str]]:
    """What the layers of this repository import of core."""
    found: dict[str, set[str]] = {}
    for folder in PACKAGES.glob("*/src/atila_*"):
        for name, path in modules_in(folder).items():
            for each in imports_of(name, path):
                base, _, last = each.target.rpartition(".")
                module, what = (each.target, each.name) if each.name else (base, last)
                found.setdefault(module, set()).add(what)
    return found


def test_layers_import_what_the_page_about_layers_offers_and_no_more() -> None:
    assert taken() == offered()


PUBLIC = [
    "atila",
    "atila.json_logs",
    "atila.patches.djangopatch",
    "atila.pytest_hooks",
    "atila.testing",
    "atila.was",
]
"""Paths that apps and their tests name: those of the specification and the guide."""


def named_in_docs() -> set[str]:
    """The modules of core that a page imports from."""
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    lines = re.findall(
        r"^\s*(?:from (atila[\w.]*) import|import (atila[\w.]*))", text, re.MULTILINE
    )
    names = {first or second for first, second in lines}
    return {name for name in names if name == FACE or name.startswith(f"{FACE}.")}


@pytest.mark.parametrize("path", sorted({*PUBLIC, *named_in_docs()}))
def test_a_public_path_is_there(path: str) -> None:
    importlib.import_module(path)


@pytest.mark.parametrize("module", sorted(offered()))
def test_what_layers_may_import_is_there(module: str) -> None:
    found = importlib.import_module(module)
    for name in offered()[module]:
        if not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")
