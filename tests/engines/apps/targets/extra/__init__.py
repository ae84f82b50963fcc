"""Extends others, has static files, and its hooks are in a module of its own."""

from . import hooks as __skitai__  # noqa: F401
