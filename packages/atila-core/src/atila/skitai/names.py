"""Names added to the `skitai` module: those of the specification that it lacks, and `g`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from atila.known_layers import KNOWN
from atila.layers import launch_names, missing
from atila.serving.site import on_site_start

NAMES: dict[str, Any] = {}
"""Names of the specification that Skitai 0.57 lacks, with their values; the layers bring them."""


def add_names(names: Mapping[str, Any]) -> None:
    """Add names to the `skitai` module, now or when it is imported; its own stay."""
    NAMES.update(names)
    if (module := sys.modules.get("skitai")) is not None and hasattr(module, "run"):
        _set_names(module)


def add_to(module: Any) -> None:
    """Add all that is known by now to the module, and find what comes later."""
    NAMES.update(launch_names())
    _set_names(module)
    module.__getattr__ = _late_names(module)
    if _g is not None:
        module.g = _g


def _set_names(module: Any) -> None:
    for name, value in NAMES.items():
        if name not in vars(module):
            setattr(module, name, value)


def _late_names(module: Any) -> Callable[[str], Any]:
    """What finds the names of layers that were imported first, and were not ready at `install`."""

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
