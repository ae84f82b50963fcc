"""docs/architecture.md names each file of the sources, with its job; their docstrings are plain."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("rooms", ROOT / "tools" / "rooms.py")
assert _spec is not None
assert _spec.loader is not None
rooms = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rooms)

PAGE = (ROOT / "docs" / "architecture.md").read_text()

# "logged", "raised", "sent" instead of "told"; "client", "caller", "value" instead of "who" and
# "what" where these stand alone.
UNCLEAR = re.compile(
    r"\b(told|tell(s|ing)?|whoever)\b"
    r"|(^|[.:;] )wh(o|at)\b(?!:)"
    r"|\b(and|as|but|by|for|from|in|is|of|or|than|to|with) wh(o|at|om)\b",
    re.IGNORECASE,
)


def test_the_tables_are_those_of_the_sources() -> None:
    assert rooms.rewritten(PAGE) == PAGE, "mend: python tools/rooms.py"


def test_each_file_has_a_job() -> None:
    for package, folder in rooms.SOURCES.items():
        for path in (ROOT / "packages" / folder / "src" / package).rglob("*.py"):
            assert rooms.sentence(path), path


def test_the_glossary_has_at_least_thirty_words() -> None:
    rows = PAGE.partition("## Glossary")[2].splitlines()
    assert len([row for row in rows if row.startswith("| ")]) > 30


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """The docstrings of a file, those of attributes too: line and text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, " ".join(str(node.value.value).split())


def test_docstrings_name_their_subjects() -> None:
    unclear = [
        f"{path.relative_to(ROOT)}:{line}: …{text[max(0, found.start() - 30) : found.end() + 30]}…"
        for package, folder in rooms.SOURCES.items()
        for path in sorted((ROOT / "packages" / folder / "src" / package).rglob("*.py"))
        for line, text in _texts(path)
        for found in UNCLEAR.finditer(text)
    ]
    assert not unclear, "\n".join(unclear)
