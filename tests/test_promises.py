"""docs/promises.md: what it names exists, and all of docs/security.md is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| shown by |" not in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_what_shows_a_promise_exists(row: str) -> None:
    _, promise, shown, _ = row.split(" | ") if row.count(" | ") == 3 else row.split("|")
    tests = re.findall(r"`([^`]+\.py)::(\w+)`", shown)
    reports = re.findall(r"\]\((reports/[^)]+)\)", shown)
    assert promise.strip()
    assert tests or reports
    for path, name in tests:
        source = (ROOT / path).read_text()
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{path}::{name}"
    for report in reports:
        assert (ROOT / "docs" / report).is_file(), report


def test_each_mechanism_of_the_page_on_security_is_there() -> None:
    words = {
        "Cross-origin requests (CORS)": "CORS",
        "Authentication: basic, digest, bearer, API keys": "API keys",
        "A login page": "login page",
        "JSON Web Tokens": "Tokens:",
        "Permissions": "Permissions:",
        "Rate limits": "Rate limits:",
        "State in cookies: how it is sealed": "sealed",
        "Session": "session",
        "Message box": "test_sealing",
        "Cross-site request forgery (CSRF)": "CSRF",
        "One-time passwords": "One-time passwords",
        "One-time tokens": "One-time tokens",
        "Compressed answers (BREACH)": "Compressed",
    }
    headings = re.findall(r"(?m)^## (.*)$", (ROOT / "docs" / "security.md").read_text())
    assert headings == list(words), "a mechanism is new: say how it is tested in docs/promises.md"
    for heading, word in words.items():
        assert word in PAGE, heading
