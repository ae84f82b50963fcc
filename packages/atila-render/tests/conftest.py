"""An app with the layer, as a module with templates beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import atila_render
from atila import Atila

LAYERS = {"render": atila_render.layer, "auth": None, "tasks": None, "ws": None}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Atila]:
    module = ModuleType("app_of_test")
    module.__file__ = str(tmp_path / "app_of_test.py")
    sys.modules["app_of_test"] = module
    yield Atila("app_of_test", layers=LAYERS)
    del sys.modules["app_of_test"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a template."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write
