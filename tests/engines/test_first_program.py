"""The first program of the specification, unchanged but for its misprint, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.servers import serving

SPECIFIED = Path(__file__).with_name("first_program.txt")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    # An engine may drop its privileges, and still has to read this.
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(0o755)
    script = tmp_path / "serve.py"
    script.write_text(SPECIFIED.read_text().replace("__mame__", "__name__"))
    return script


def test_hello_world(engine: str, script: Path) -> None:
    """`python serve.py`, `atila serve serve.py`, `uvicorn serve:app` and so on."""
    with serving(engine, script) as server:
        for _ in range(3):
            answer = server.get("/")
            assert (answer.status, answer.text) == (200, "Hello, World")
        assert server.get("/elsewhere").status == 404
