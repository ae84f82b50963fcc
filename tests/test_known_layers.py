"""What core knows of layers that are not installed is what they have."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from atila import known_layers

ROOT = Path(__file__).resolve().parents[1]


def test_what_core_knows_of_layers_is_what_they_have() -> None:
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / "known_layers.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    written = Path(known_layers.__file__).read_text()
    assert written == tool.text(), "write it anew: hatch run known-layers"


def test_names_of_all_parts_are_known() -> None:
    known = known_layers.KNOWN
    assert list(known) == ["auth", "render", "tasks", "ws"]
    assert {"session", "user"} <= known["auth"].was
    assert known["auth"].request == {"JWT", "mbox", "session"}
    assert "websocket_send" in known["ws"].app
    assert "coroutine" in known["tasks"].options
    assert {"alias", "django_model"} <= known["tasks"].exports
