"""Attributes that users set on an app: where they were set, and names that are misspelt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atila.errors import SetupError, caller, nearest, setup_step

if TYPE_CHECKING:
    from atila import Atila

SHORTEST = 6
"""Letters of a name that is taken for a slip; shorter ones are too easily like another."""
LEAST = 0.85
"""How alike two names must be for that (0 to 1)."""


class Attributes:
    """Where the attributes of an app were set that are no part of it.

    Args:
        app: the app, as it was made.
    """

    def __init__(self, app: Atila) -> None:
        self._own = frozenset(vars(app))
        self._sources: dict[str, str] = {}

    def note(self, name: str) -> None:
        """One is set."""
        if name not in self._own and not name.startswith("_"):
            self._sources[name] = caller()

    def check(self, app: Atila) -> None:
        """Find names that nearly match those that the app or its layers read: `app.secretkey`.

        Raises:
            SetupError: there is one.
        """
        known = {n for each in type(app).__mro__ for n in vars(each).get("__annotations__", ())}
        for name, source in self._sources.items():
            if name in known or hasattr(type(app), name) or len(name) < SHORTEST:
                continue
            if hint := nearest(name, known, LEAST):
                with setup_step():
                    raise SetupError(
                        f"app.{name} means nothing{hint} An attribute of your own needs a name that"
                        " is less like it",
                        source,
                    )
