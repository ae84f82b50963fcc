"""The engine for Skitai App Engine 0.57, as it is on PyPI."""

from __future__ import annotations

import wrapt

from atila.skitai import lean_import
from atila.skitai.names import add_names
from atila.skitai.patch import install

__all__ = ["add_names", "register"]


def register() -> None:
    """Have Skitai changed when it is imported, or now if it has been already. Once is enough."""
    global _registered
    if not _registered:
        _registered = True
        lean_import.install()
        wrapt.register_post_import_hook(install, "skitai")


_registered = False
