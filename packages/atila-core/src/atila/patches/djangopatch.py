"""`from atila.patches.djangopatch import Model`: Django's models with tasks for queries.

The layer atila-tasks has it; this is its name of the specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila import layers

if TYPE_CHECKING:
    Model: Any
else:

    def __getattr__(name: str) -> Any:
        if name != "Model":
            raise AttributeError(name)
        return layers.exported("django_model")()
