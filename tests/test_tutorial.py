"""The tutorial's blocks, put together as its readers do, are a program that a server serves.

`tests/test_docs.py` runs each step and compares its answers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.blocks import blocks_of
from support.servers import serving

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial" / "tracker.md"


def test_it_has_twelve_steps() -> None:
    steps = [int(number) for number in re.findall(r"^## (\d+)\. ", PAGE.read_text(), re.M)]
    assert steps == list(range(1, 13))


def test_it_has_the_routes_of_the_example() -> None:
    example = ROOT / "examples" / "tracker" / "tracker" / "api.py"
    rule = re.compile(r'@\w+\.route\("([^"]+)"')
    shared, whole = (
        {re.sub(r"<int:\w+>", "<>", path) for path in rule.findall(file.read_text())}
        for file in (PAGE, example)
    )
    assert whole - shared == {"/issues/<>/comments"}
    assert shared - whole == {"/", "/preview", "/count"}


@pytest.mark.served
def test_its_file_is_served(tmp_path: Path) -> None:
    program = "\n\n".join(block.code for block in blocks_of(PAGE) if block.language == "python")
    script = tmp_path / "app.py"
    script.write_text(program)
    with serving("granian", script, target="app:app") as server:
        document = json.loads(server.get("/docs.json").body)
        assert "/issues" in document["paths"]
        assert json.loads(server.get("/issues").body) == {"issues": [], "total": 0}
