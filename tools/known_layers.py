"""Write the table in `atila/known_layers.py`: the names that the layers of this project have.

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

MARK = "KNOWN = {\n"


def text() -> str:
    """The whole module; the code before the table stays as it is."""
    head, mark, _ = TARGET.read_text().partition(MARK)
    return head + mark + "".join(map(_known, LAYERS)) + "}\n"


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
