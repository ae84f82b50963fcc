"""Write `atila/known_layers.py`: the names of the layers of this project, as the layers have them.

Core must know names of layers that are not installed, to say what to install. Run
`hatch run known-layers` when a layer has a name more or less; a test compares.
"""

from __future__ import annotations

import sys
import textwrap
from importlib import import_module
from pathlib import Path

from atila import Layer

TARGET = Path(__file__).parents[1] / "packages/atila-core/src/atila/known_layers.py"
LAYERS = ("auth", "render", "tasks", "ws")

HEAD = '''"""The names that the layers of this project add, for errors that say what to install.

Written by `hatch run known-layers`, not by hand.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A layer of this project: its distribution, and the names that it adds to each part.

    Attributes:
        distribution: what to install.
        was: of the request's context.
        request: of `was.request`.
        app: of `Atila`.
        options: of `@app.route(...)`.
        exports: of the modules `atila.was` and `skitai`.
    """

    distribution: str
    was: frozenset[str] = frozenset()
    request: frozenset[str] = frozenset()
    app: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    exports: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN = {
'''


def text() -> str:
    """The whole module."""
    return HEAD + "".join(map(_known, LAYERS)) + "}\n"


def _known(name: str) -> str:
    layer: Layer = import_module(f"atila_{name}").layer
    parts = {
        "was": _public(layer.was),
        "request": _public(layer.request),
        "app": _public(layer.app),
        "options": layer.options,
        "exports": layer.exports,
    }
    lines = [f'    "{name}": Known(', f'        "atila-{name}",']
    for part, names in parts.items():
        if names:
            lines += _written(part, " ".join(sorted(names)))
    return "\n".join([*lines, "    ),"]) + "\n"


def _public(names: type) -> list[str]:
    return [name for name in dir(names) if not name.startswith("_")]


def _written(part: str, names: str) -> list[str]:
    if len(names) <= 64:
        return [f'        {part}=_names("{names}"),']
    pieces = textwrap.wrap(names, 84)
    quoted = [f'            "{piece} "' for piece in pieces[:-1]]
    return [f"        {part}=_names(", *quoted, f'            "{pieces[-1]}"', "        ),"]


if __name__ == "__main__":
    TARGET.write_text(text())
    sys.stdout.write(f"{TARGET}\n")
