"""Why tasks do not use aquests, the client that Skitai once had: so that a change is noticed.

Tried on 2026-11-29: the last release, aquests 0.30.2 of 2021-11, requires any rs4 and cannot be
imported with rs4 0.3.32: `from rs4 import strutil` fails in aquests/protocols/http/request.py.
Skitai requires rs4>=0.3.30, and its client is in rs4.protocols now.
"""

from __future__ import annotations

import importlib
from importlib.metadata import requires, version

from packaging.requirements import Requirement

NEEDED = ("asynchat", "asyncore", "attrdict", "cbutil", "compressors", "producers", "strutil")
"""Modules of rs4 that aquests 0.30.2 imports when it is imported itself."""
GONE = {"cbutil", "compressors", "producers", "strutil"}


def has(name: str) -> bool:
    try:
        importlib.import_module(f"rs4.{name}")
    except ModuleNotFoundError:
        return False
    return True


def test_rs4_lacks_what_aquests_imports() -> None:
    assert {name for name in NEEDED if not has(name)} == GONE, "aquests may be importable again"


def test_skitai_takes_no_older_rs4() -> None:
    (wanted,) = (each for each in map(Requirement, requires("skitai") or ()) if each.name == "rs4")
    assert not wanted.specifier.contains("0.3.29")
    assert version("skitai").startswith("0.57."), "try aquests beside this Skitai, and note it here"
