"""Blocks of code of the specification, as they are written there."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

SLIPS = {
    "@app_inspect": "@app.inspect",
    "sktai.oreference": "skitai.preference",
    "@route": "@app.route",
    "= Hans Roh)": "= 'Hans Roh')",
    ": Hans Roh}": ": 'Hans Roh'}",
}
"""What the specification plainly mistypes, and what it means."""


def blocks(path: Path) -> dict[str, str]:
    """The blocks of a file by name; the line "==== name" begins one."""
    parts = re.split(r"^==== (.*)\n", path.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def mended(block: str) -> str:
    """A block without its slips."""
    for slip, meant in SLIPS.items():
        block = block.replace(slip, meant)
    return block


def run(block: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run a block where `given` is defined already; all that is defined then."""
    exec(compile(mended(block), "block of the specification", "exec"), given)
    return given


def module(name: str, block: str, given: Mapping[str, Any]) -> ModuleType:
    """A module of a block, and of what it takes for given."""
    made = ModuleType(name)
    made.__dict__.update(given)
    made.__file__ = __file__
    run(block, made.__dict__)
    return made


def body(block: str, given: Mapping[str, Any]) -> Callable[..., Any]:
    """A handler of a block that is the inside of one."""
    source = "def handler(was):\n" + textwrap.indent(mended(block), "    ")
    handler: Callable[..., Any] = run(source, dict(given))["handler"]
    return handler


def statements(block: str) -> list[str]:
    """The statements of a block, each by itself."""
    source = mended(block)
    return [ast.get_source_segment(source, node) or "" for node in ast.parse(source).body]
