"""`from atila.patches.djangopatch import Model`: Django's models with tasks for queries.

The layer atila-tasks has it; this is its name of the specification.
"""

from __future__ import annotations

from typing import Any

from atila import layers


def __getattr__(name: str) -> Any:
    if name != "Model":
        raise AttributeError(name)
    return layers.exported("django_model")()
