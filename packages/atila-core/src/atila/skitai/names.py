"""Names added to the `skitai` module: those of the specification that it lacks, `g`, and `was`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from atila.known_layers import KNOWN
from atila.layers import launch_names, missing
from atila.runtime.context import current
from atila.serving.site import on_site_start

NAMES: dict[str, Any] = {}
"""Names of the specification that Skitai 0.57 lacks, with their values; the layers bring them."""


def add_names(names: Mapping[str, Any]) -> None:
    """Add names to the `skitai` module, now or when it is imported; its own stay."""
    NAMES.update(names)
    if (module := sys.modules.get("skitai")) is not None and hasattr(module, "run"):
        _set_names(module)


def add_to(module: Any) -> None:
    """Add the known names to the module, and find later ones."""
    NAMES.update(launch_names())
    _set_names(module)
    module.__getattr__ = _late_names(module)
    _show_current(type(module.was))
    if _g is not None:
        module.g = _g


def _set_names(module: Any) -> None:
    for name, value in NAMES.items():
        if name not in vars(module):
            setattr(module, name, value)


def _late_names(module: Any) -> Callable[[str], Any]:
    """Finds the names of layers that were imported first, and were not ready at `install`."""

    def find(name: str) -> Any:
        if not name.startswith("__"):
            NAMES.update(launch_names())
            _set_names(module)
            if name in NAMES:
                return NAMES[name]
        if any(name in known.exports for known in KNOWN.values()):
            raise AttributeError(missing("exports", name, {}, "skitai"))
        raise AttributeError(f"module 'skitai' has no attribute {name!r}")

    return find


def show_g(g: Any) -> None:
    """Make `skitai.g` the values that all apps of the site share; Skitai's own are not for apps."""
    global _g
    _g = g
    if (module := sys.modules.get("skitai")) is not None and hasattr(module, "run"):
        module.g = g  # type: ignore[attr-defined]


_g: Any = None
on_site_start.append(lambda site: show_g(site.g))


def _show_current(pool: Any) -> None:
    """Make `skitai.was` the context of our running request, event, job or hook; where none runs, it
    is unchanged for apps of other frameworks.

    Relied on, of `_WASPool`, the class of `skitai.was`, which Skitai's own modules have taken:
    attributes are looked up by `__getattr__` and set by `__setattr__`; `_started`.
    """
    theirs, set_theirs, delete_theirs = pool.__getattr__, pool.__setattr__, pool.__delattr__

    def get(self: Any, name: str) -> Any:
        if (was := current.get(None)) is not None:
            return getattr(was, name)
        if not self._started():
            raise AttributeError(f"skitai.was.{name}: no request is being processed here")
        return theirs(self, name)

    def set_(self: Any, name: str, value: Any) -> None:
        if (was := current.get(None)) is None or name.startswith("_"):
            set_theirs(self, name, value)
        else:
            setattr(was, name, value)

    def delete(self: Any, name: str) -> None:
        if (was := current.get(None)) is None:
            delete_theirs(self, name)
        else:
            delattr(was, name)

    pool.__getattr__, pool.__setattr__, pool.__delattr__ = get, set_, delete
