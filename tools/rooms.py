"""Writes the tables of rooms in docs/architecture.md from the docstrings of the sources.

python tools/rooms.py           writes them
python tools/rooms.py --check   exits with 1 where the page differs from the sources
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
SOURCES = {
    "atila": "atila-core",
    "atila_tasks": "atila-tasks",
    "atila_auth": "atila-auth",
    "atila_render": "atila-render",
    "atila_ws": "atila-ws",
}
BLOCK = re.compile(r"(<!-- rooms of (\w+) -->\n).*?(<!-- end of rooms -->)", re.DOTALL)


def sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("|", "\\|")


def table(folder: Path) -> list[str]:
    """The files of one folder, a row each."""
    files = sorted([*folder.glob("*.py"), *folder.glob("*.pyi")])
    rows = [f"| `{path.name}` | {sentence(path)} |" for path in files if path.stem != "__init__"]
    return ["| file | its one job |", "|---|---|", *rows] if rows else []


def rooms(package: str) -> str:
    """All rooms of a package: its top, then each folder with the sentence of its face."""
    top = ROOT / "packages" / SOURCES[package] / "src" / package
    folders = sorted(path.parent for path in top.rglob("__init__.py") if path.parent != top)
    lines = [f"At the top of `{package}/`:", "", *table(top)]
    for folder in folders:
        name = f"{package}/{folder.relative_to(top).as_posix()}/"
        lines += ["", f"**`{name}`**: {sentence(folder / '__init__.py')}", "", *table(folder)]
    return "\n".join(lines) + "\n"


def rewritten(page: str) -> str:
    """The page with its tables as the sources are now."""
    return BLOCK.sub(lambda found: found[1] + rooms(found[2]) + found[3], page)


def main() -> int:
    """Writes the page, or checks it."""
    page = PAGE.read_text()
    wanted = rewritten(page)
    if "--check" in sys.argv[1:]:
        if page != wanted:
            print("docs/architecture.md differs from the sources. Mend: python tools/rooms.py")
            return 1
        return 0
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
