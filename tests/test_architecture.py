"""docs/architecture.md names each file of the sources, with its job."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("rooms", ROOT / "tools" / "rooms.py")
assert _spec is not None
assert _spec.loader is not None
rooms = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rooms)

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_tables_are_those_of_the_sources() -> None:
    assert rooms.rewritten(PAGE) == PAGE, "mend: python tools/rooms.py"


def test_each_file_has_a_job() -> None:
    for package, folder in rooms.SOURCES.items():
        for path in (ROOT / "packages" / folder / "src" / package).rglob("*.py"):
            assert rooms.sentence(path), path


def test_the_glossary_has_at_least_thirty_words() -> None:
    rows = PAGE.partition("## Glossary")[2].splitlines()
    assert len([row for row in rows if row.startswith("| ")]) > 30
