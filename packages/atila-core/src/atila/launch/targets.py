"""Finds the targets that a launch script mounts by the path of a file: apps of ours, or others."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from atila.errors import SetupError, nearest
from atila.launch.apart import call_apart

_known: dict[tuple[str, str], bool] = {}
"""By path and name, whether an app is ours, as found in another process."""


def is_folder(target: str, folder: str) -> bool:
    """Whether a target is a folder of static files.

    Args:
        target: the target: "static".
        folder: the folder of the launch script, where relative paths begin.
    """
    return os.path.isdir(os.path.join(folder, target))


def is_atila(target: str, name: str, folder: str) -> bool:
    """Whether the app in a file is ours; found in a process of its own, so that other apps are
    loaded by nobody but Skitai.

    Args:
        target: see `load`.
        name: see `load`.
        folder: see `load`.

    Raises:
        SetupError: there is no such file.
    """
    path, name = _located(target, name, folder)
    if (path, name) not in _known:
        _known[path, name] = call_apart(_look, path, name)
    return _known[path, name]


def _look(path: str, name: str) -> bool:
    from atila.app.application import Atila
    from atila.launch import script

    # What the file has to say it says once, to those who load it to serve it.
    with open(os.devnull, "w") as nowhere, script.capturing():
        sys.stdout = sys.stderr = nowhere
        try:
            return isinstance(getattr(_imported(path), name, None), Atila)
        except BaseException:
            # Whoever loads it will show why. A file that does not speak of us is not ours.
            return b"atila" in Path(path).read_bytes()


def load(target: str, name: str, folder: str) -> Callable[..., Any]:
    """The app in a file.

    Args:
        target: the path, with or without its suffix: "one.py", "shop/wsgi.py:application".
        name: the name of the app in the file, unless the target has it.
        folder: the folder of the launch script, where relative paths begin.

    Raises:
        SetupError: there is no such file, or no app in it.
        Exception: whatever the file raises.
    """
    path, name = _located(target, name, folder)
    module = _imported(path)
    app = getattr(module, name, None)
    if not callable(app):
        apps = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise SetupError(f"there is no {name} in {target}, which is mounted{nearest(name, apps)}")
    found: Callable[..., Any] = app
    return found


def _located(target: str, name: str, folder: str) -> tuple[str, str]:
    path, _, named = target.partition(":")
    path = os.path.abspath(os.path.join(folder, path))
    for found in (path, f"{path}.py"):
        if os.path.isfile(found):
            return found, named or name
    raise SetupError(f"there is no {target}, which is mounted")


def _imported(path: str) -> ModuleType:
    """The module of a file: by the name that others import it by, if that is free."""
    home, name = os.path.dirname(path), Path(path).stem
    for place in (os.path.dirname(home), home):
        if place not in sys.path:
            sys.path.insert(0, place)
    present = sys.modules.get(name)
    if present is not None and getattr(present, "__file__", None) == path:
        return present
    if present is not None or name in sys.stdlib_module_names:
        name = f"mounted {path}"
        if name in sys.modules:
            return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SetupError(f"{path}, which is mounted, is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
