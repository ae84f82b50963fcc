"""Mistakes of the developer, all at once: for `atila check`, which goes on after the first."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atila.errors import SetupError

_HERE = str(Path(__file__).parent)
_found: list[SetupError] | None = None


@contextmanager
def gathered() -> Iterator[list[SetupError]]:
    """Have the pieces of a set-up that fail noted, instead of ending it.

    Yields:
        What was wrong, as it is found; each but once.
    """
    global _found
    found: list[SetupError] = []
    before, _found = _found, found
    try:
        yield found
    finally:
        _found = before


@contextmanager
def piece() -> Iterator[None]:
    """Do a piece of a set-up that the next one does not rely on.

    Raises:
        Exception: whatever the piece raises, unless problems are gathered.
    """
    try:
        yield
    except Exception as error:
        if _found is None:
            raise
        problem = error if isinstance(error, SetupError) else _told(error)
        if str(problem) not in map(str, _found):
            _found.append(problem)


def _told(error: Exception) -> SetupError:
    """Any other exception, with the place in the developer's code that it came from."""
    if isinstance(error, SyntaxError) and error.filename:
        return SetupError(f"SyntaxError: {error.msg}", f"{error.filename}:{error.lineno}")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_HERE, "<"))
    ]
    source = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return SetupError(f"{type(error).__name__}: {error}", source)
