"""Places in a value of JSON, as text."""

from __future__ import annotations

from collections.abc import Iterable


def place(path: Iterable[str | int]) -> str:
    """ "lines[2].count" of ("lines", 2, "count")."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
