"""Which event loop a served app runs on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.servers import serving

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.served

SCRIPT = Path(__file__).parent / "engines" / "apps" / "forking.py"
ATILA = Path(sys.executable).with_name("atila")

CHOICES = {
    ("granian", ""): "uvloop",
    ("granian", "auto"): "uvloop",
    ("granian", "uvloop"): "uvloop",
    ("granian", "asyncio"): "asyncio",
    ("skitai", ""): "asyncio",
    ("skitai", "uvloop"): "uvloop",
    ("skitai", "asyncio"): "asyncio",
    ("gunicorn", "uvloop"): "uvloop",
}


@pytest.mark.parametrize(("engine", "name"), CHOICES)
def test_the_loop_is_the_one_asked_for(
    engine: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATILA_LOOP", name)
    # What is installed beside the others is not taken for that alone.
    (tmp_path / "rloop.py").write_text("def new_event_loop():\n    raise SystemExit(9)\n")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    with serving(engine, SCRIPT) as server:
        assert server.get("/loop").text in (CHOICES[engine, name], f"_{CHOICES[engine, name]}")


@pytest.mark.parametrize("engine", ["granian", "skitai"])
@pytest.mark.parametrize(
    ("option", "variable", "told"),
    [
        ("rloop", "", "rloop is not installed. Mend: pip install rloop"),
        ("", "uvlop", "did you mean 'uvloop'?"),
        ("fast", "", "Invalid value for '--loop'"),
    ],
)
def test_a_loop_that_is_not_there(engine: str, option: str, variable: str, told: str) -> None:
    command = [str(ATILA), "serve", str(SCRIPT), f"--engine={engine}", f"--port={free_port()}"]
    ended = subprocess.run(
        [*command, *([f"--loop={option}"] if option else [])],
        env={**os.environ, "ATILA_LOOP": variable},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
