"""Provides `atila.patches.djangopatch` where Django is installed, else the pip line."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


def django_model() -> Any:
    """The class `Model` of `atila.patches.djangopatch`.

    Raises:
        ImportError: Django is not installed.
    """
    if find_spec("django") is None:
        raise ImportError(
            'atila.patches.djangopatch needs Django; pip install "atila-tasks[django]"'
        )
    from atila_tasks.databases.django_models import Model

    return Model
