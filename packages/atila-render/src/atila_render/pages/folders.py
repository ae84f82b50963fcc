"""Finds the template folders of an app."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atila import Atila

FOLDER = "templates"
"""Where templates are, beside the module of the app."""


def folders_of(app: Atila) -> list[str]:
    """Where the templates of an app are, in the order in which they are searched.

    The setting TEMPLATE_DIRS has more folders, those of packages that override or extend the app
    among them. The app's own stands where it is named there, or else before all of these.
    """
    own = home_of(app.import_name) / FOLDER
    named: Any = app.config.get("TEMPLATE_DIRS") or []
    more = [os.path.abspath(folder) for folder in named]
    if any(Path(folder).resolve() == own for folder in more):
        return more
    return [str(own), *more]


def home_of(import_name: str) -> Path:
    """The folder of an app: that of its package, or the one in which its module or script is.

    Args:
        import_name: the app's argument: `__name__`, "__main__" included.

    Returns:
        An absolute path; the working directory if the module has no file, as at a prompt.
    """
    module = sys.modules.get(import_name)
    if module is not None:
        file = getattr(module, "__file__", None)
        places = list(getattr(module, "__path__", ()))
    else:
        file, places = _unimported(import_name)
    if file:
        return Path(file).resolve().parent
    return Path(places[0]).resolve() if places else Path.cwd()


def _unimported(import_name: str) -> tuple[str | None, list[str]]:
    """File and folders of a module that is only named: Atila("shop")."""
    try:
        spec = find_spec(import_name)
    except (ImportError, ValueError):
        return None, []
    if spec is None:
        return None, []
    return (spec.origin if spec.has_location else None), list(spec.submodule_search_locations or ())
