"""The names that layers add to `was` and to the app, read out of their sources for the reference.

Each layer lists them in the class bodies of its `names.py`: functions of other modules under names
of their own (`Map = map`), objects made at the first use (`session = made(Session)`), properties,
and settings that are only annotated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TITLES = {
    "tasks": "Tasks",
    "auth": "Access control",
    "render": "Pages and data",
    "ws": "WebSockets",
}


def sections(kind: str) -> str:
    """Markdown for mkdocstrings: what each layer adds.

    Args:
        kind: "was" or "app".
    """
    parts = []
    for layer, title in TITLES.items():
        if entries := list(_entries(layer, kind)):
            parts += [f"## {title}: `atila-{layer}`", *entries]
    return "\n\n".join(parts)


def _entries(layer: str, kind: str) -> Iterator[str]:
    package = f"atila_{layer}"
    path = ROOT / "packages" / f"atila-{layer}" / "src" / package / "names.py"
    tree = ast.parse(path.read_text())
    homes = _imported(tree) | {
        node.name: f"{package}.names.{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith(f"{kind.capitalize()}Of"):
            yield from _of_class(node, f"{package}.names.{node.name}", kind, homes)


def _of_class(body: ast.ClassDef, path: str, kind: str, homes: dict[str, str]) -> Iterator[str]:
    seen = set()
    following = [*body.body[1:], None]
    for node, after in zip(body.body, following, strict=True):
        match node:
            case ast.FunctionDef(name=name):
                found = f"{path}.{name}"
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found = _home(value, homes)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found = ""
            case _:
                continue
        if name in seen or name.startswith("_"):
            continue
        seen.add(name)
        text = _docstring(after)
        if found and not text:
            yield _shown(found, f"{kind}.{name}")
        else:
            yield f"### {kind}.{name}\n\n{text}"


def _shown(path: str, heading: str) -> str:
    return (
        f"::: {path}\n    options:\n      heading: {heading}\n      toc_label: {heading}\n"
        "      heading_level: 3"
    )


def _docstring(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


def _imported(tree: ast.Module) -> dict[str, str]:
    """Where the names of a module come from."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _home(value: ast.expr, homes: dict[str, str]) -> str:
    """The path of what a name stands for; "" if it is a value, or made at its first use."""
    match value:
        case ast.Name(id=name):
            return homes.get(name, "")
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in homes:
            return f"{homes[module]}.{name}"
    return ""
