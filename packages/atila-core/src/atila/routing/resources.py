"""The resources of an app: routes by name and by function, and the folders of packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from atila.errors import nearest
from atila.routing.router import Route

if TYPE_CHECKING:
    from atila import Atila

CONTAINERS = ("services", "exports")
"""Packages that only hold others: names begin behind them. `myapp.services.sub.pages` is called
"sub.pages" in every app."""


class Resources:
    """The routes of an app, for calls and links.

    Args:
        routes: the routes, in the order of precedence.
    """

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._by_name: dict[str, list[Route]] = {}
        self._by_function: dict[Callable[..., Any], list[Route]] = {}
        for route in routes:
            named = self._by_name.setdefault(route.name, [])
            # A name is that of the highest rank alone, as if the others were not there.
            if not named or named[0].rank == route.rank:
                named.append(route)
            self._by_function.setdefault(route.handler, []).append(route)

    def find(self, resource: str | Callable[..., Any]) -> list[Route]:
        """The routes of a function, or of all functions with a name: "sub.pages.toc".

        Raises:
            LookupError: there is none.
        """
        if isinstance(resource, str):
            if found := self._by_name.get(resource):
                return found
            raise LookupError(f"there is no resource {resource!r}{self._hint(resource)}")
        try:
            return self._by_function[resource]
        except (KeyError, TypeError):
            raise LookupError(
                f"{getattr(resource, '__name__', resource)!r} is no function with a route"
            ) from None

    def _hint(self, name: str) -> str:
        last = name.rpartition(".")[2]
        alike = sorted(known for known in self._by_name if known.rpartition(".")[2] == last)
        if alike and last:
            return f"; did you mean {' or '.join(map(repr, alike))}?"
        return nearest(name, self._by_name)

    def ambiguous(self) -> Iterator[tuple[Route, Route]]:
        """Routes that have the name of an earlier one and another handler, each with that one,
        which the name leads to.
        """
        for name, (first, *others) in self._by_name.items():
            # Of one rule the method tells which is meant; a lambda has no name.
            for route in others if name.rpartition(".")[2].isidentifier() else ():
                if route.handler is not first.handler and route.rule != first.rule:
                    yield route, first


def package_of(import_name: str) -> str:
    """The package of a module: itself, or the one it is in; "" for the main program."""
    if import_name == "__main__":
        return ""
    if hasattr(sys.modules.get(import_name), "__path__"):
        return import_name
    return import_name.rpartition(".")[0]


def namespace_of(target: Any, root: str) -> str:
    """The beginning of the names of a module's resources.

    Args:
        target: the module.
        root: the package that is left out.

    Returns:
        "sub.pages" for myapp.sub.pages with the root myapp, and for any.services.sub.pages; "" for
        the root itself, and for an object that is no module.
    """
    if not isinstance(target, ModuleType):
        return ""
    name = target.__name__
    if root and (name == root or name.startswith(root + ".")):
        name = name[len(root) + 1 :]
    parts = name.split(".")
    for container in CONTAINERS:
        if container in parts:
            return ".".join(parts[parts.index(container) + 1 :])
    return name


def place_folders(app: Atila, beside: Iterable[tuple[int, Any]]) -> None:
    """Put the folders of packages that override or extend an app before and behind its own.

    They are in the settings TEMPLATE_DIRS and STATIC_ROOT, the first has precedence.

    Args:
        app: the app.
        beside: the rank of each package, positive if it overrides, and the package.
    """
    ordered = sorted(beside, key=lambda item: -item[0])
    if not ordered:
        return
    over = [folders_of(module) for rank, module in ordered if rank > 0]
    under = [folders_of(module) for rank, module in ordered if rank < 0]
    own = folders_of(sys.modules.get(app.import_name))[0]
    config = app.config
    config.TEMPLATE_DIRS = _placed(
        [folders[0] for folders in over],
        [own, *_listed(config.get("TEMPLATE_DIRS"))],
        [folders[0] for folders in under],
    )
    config.STATIC_ROOT = _placed(
        [folders[1] for folders in over],
        _listed(config.get("STATIC_ROOT")),
        [folders[1] for folders in under],
    )


def _listed(folders: Any) -> list[str]:
    if not folders:
        return []
    single = isinstance(folders, str | os.PathLike)
    return [os.path.abspath(os.fspath(each)) for each in ([folders] if single else folders)]


def _placed(
    over: list[str | None], own: list[str | None] | list[str], under: list[str | None]
) -> list[str]:
    """All folders, each once; those of packages beside the app where they belong."""
    beside = {*over, *under}
    own = [folder for folder in own if folder not in beside]
    return [folder for folder in dict.fromkeys([*over, *own, *under]) if folder]


def folders_of(module: Any) -> tuple[str | None, str | None]:
    """The folders `templates` and `static` beside a module; None where there is no such folder."""
    file = getattr(module, "__file__", None)
    if not file:
        return None, None
    home = os.path.dirname(os.path.abspath(file))
    templates, static = os.path.join(home, "templates"), os.path.join(home, "static")
    return (
        templates if os.path.isdir(templates) else None,
        static if os.path.isdir(static) else None,
    )
