"""`atila new NAME`: creates a project with tests: a site, laid out as a package app, or an API."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from atila.errors import SetupError

SITE, API = (files("atila.launch") / f"{kind}_template" for kind in ("project", "api"))
"""The files of a project for people, with pages, and of one for programs."""
PLAIN, RENDERED = ".plain", ".render"
"""Ends of the names of files that are for projects without, or with, the layer atila-render."""


def create(name: str, folder: Path, *, api: bool = False) -> list[Path]:
    """Write a project.

    Args:
        name: the name of its package.
        folder: the folder; made if missing.
        api: an API, with typed handlers, models and a provider, in place of a site with pages.

    Returns:
        The files written.

    Raises:
        SetupError: the name is no good for a package, or there is something in its place.
    """
    _check_name(name)
    if folder.exists() and any(folder.iterdir()):
        raise SetupError(f"{folder} exists and is not empty; choose another name or folder")
    has_render = find_spec("atila_render") is not None
    unwanted, wanted = (PLAIN, RENDERED) if has_render else (RENDERED, PLAIN)
    written = []
    for source, path in _files(API if api else SITE, Path()):
        if path.name.endswith(unwanted):
            continue
        parts = [part.replace("NAME", name) for part in path.parts]
        target = folder.joinpath(*parts[:-1], parts[-1].removesuffix(wanted))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text("utf-8").replace("NAME", name), "utf-8")
        written.append(target)
    return sorted(written)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise SetupError(
            f"{name!r} is no name for a package; it begins with a letter, and has lower-case"
            " letters, digits and _ only"
        )
    if name in sys.stdlib_module_names or name in ("atila", "skitai", "tests", "serve"):
        raise SetupError(f"{name!r} would hide another module; choose another name")


def _files(folder: Traversable, path: Path) -> list[tuple[Traversable, Path]]:
    found = []
    for each in folder.iterdir():
        if each.is_dir():
            if each.name != "__pycache__":
                found += _files(each, path / each.name)
        else:
            found.append((each, path / each.name.removesuffix(".txt")))
    return found
