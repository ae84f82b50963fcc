"""Keeps setuptools out of servers: `rs4.pathtool`, of Skitai's library, imports it for one class.

It takes half the time of `import skitai`, in each process. The class, `easy_install` of
`setuptools.command.easy_install`, is a base that finds folders of installed packages, which nothing
of Skitai asks for; since setuptools 81 or so it is an empty stub itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

IMPORTER = "rs4.pathtool"
IMPORTED = "setuptools.command.easy_install"


def install() -> None:
    """Have the importer find a stand-in, if neither it nor what it imports has been imported."""
    if IMPORTER not in sys.modules and IMPORTED not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds the importer alone, once."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != IMPORTER:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None and IMPORTED not in sys.modules:
            spec.loader = _Lean(spec.loader)
        return spec


class _Lean(Loader):
    """Runs the importer with the stand-in, which nobody else sees afterwards.

    Args:
        loader: the importer's own.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # A full name in sys.modules is imported without its parents.
        stand_in = ModuleType(IMPORTED)
        stand_in.__dict__["easy_install"] = type("easy_install", (), {})
        sys.modules[IMPORTED] = stand_in
        try:
            self._loader.exec_module(module)
        finally:
            if sys.modules.get(IMPORTED) is stand_in:
                del sys.modules[IMPORTED]
