"""The request to which the running code belongs, for code that has no `was`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atila import Was

current: ContextVar[Was] = ContextVar("was")
"""The context of the request; set in worker threads, on the task loop and in tasks."""
