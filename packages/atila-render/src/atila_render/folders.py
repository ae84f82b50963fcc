"""Where the templates of an app are."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def home_of(import_name: str) -> Path:
    """The folder of an app: that of its package, or the one in which its module or script is.

    Args:
        import_name: what the app was made with: `__name__`, "__main__" included.

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
