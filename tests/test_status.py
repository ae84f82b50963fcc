"""docs/status.md: a line for each feature, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"\| ([CTARWX]\d\d) \| [^|]+ \| (done|part|open) \| ([^|]*) \|")
LAST = {"C": 29, "T": 16, "A": 9, "R": 7, "W": 6, "X": 23}
IDS = [f"{letter}{number:02}" for letter, last in LAST.items() for number in range(1, last + 1)]

ROWS = [match.groups() for match in ROW.finditer((ROOT / "docs" / "status.md").read_text())]


def test_each_feature_has_one_line() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(IDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_its_tests_exist(row: tuple[str, str, str]) -> None:
    _, state, tests = row
    named = re.findall(r"`([^`]+)`", tests)
    assert bool(named) == (state != "open")
    for test in named:
        path, _, function = test.partition("::")
        source = (ROOT / path).read_text()
        assert not function or re.search(rf"^(async )?def {function}\(", source, re.MULTILINE)
