"""Entry points of this project's groups, of whatever distributions are installed."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, distribution, distributions

GROUPS = "atila."
"""With which the names of the groups begin."""

Entry = tuple[EntryPoint, str]
"""One, and the distribution that it is in."""


def installed(group: str) -> tuple[Entry, ...]:
    """Those of a group. Of a distribution that lies in two folders of `sys.path` the first counts.

    Args:
        group: its name, "atila.layers".
    """
    found = _all(tuple((folder, _changed_at(folder)) for folder in sys.path))
    return tuple(entry for entry in found if entry[0].group == group)


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=8)
def _all(folders: tuple[tuple[str, int], ...]) -> tuple[Entry, ...]:
    first = [distribution(name) for folder in folders for name in _with_entries(*folder)]
    return tuple(
        (entry, name)
        for name, each in {each.name: each for each in first}.items()
        for entry in each.entry_points
        if entry.group.startswith(GROUPS)
    )


@lru_cache(maxsize=256)
def _with_entries(folder: str, changed_at: int) -> tuple[str, ...]:
    """The distributions in a folder that have some, read once as long as nothing is installed
    there: each look goes through the files of all of them, some 50 µs for each.
    """
    found = distributions(path=[folder])
    named = (e for e in found if any(p.group.startswith(GROUPS) for p in e.entry_points))
    return tuple(each.name for each in named if each.name)
