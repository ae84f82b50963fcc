"""docs/promises.md: what it names exists, and all of docs/security.md is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atila import Atila
from atila.runtime import spare_threads
from atila_auth import authorization_header
from atila_auth.login import authentication
from atila_auth.sealing import keys, revocations
from atila_auth.sessions import session
from atila_auth.tokens import jwt_signer, one_time_password

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
WORDS = {2: "two", 4: "four", 10: "ten"}
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


@pytest.mark.parametrize("heading", re.findall(r"(?m)^###? (.*)$", SECURITY))
def test_each_section_of_the_page_on_security_has_a_row(heading: str) -> None:
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    assert any(f"](security.md#{anchor})" in row for row in ROWS), "say how its promises are tested"


def test_defaults_of_the_page_on_security() -> None:
    """Figures and lists that stand in both."""
    config = Atila(__name__).config
    for name, value in (
        ("JWT_ALGORITHM", "HS256"),
        ("JWT_LEEWAY", 0),
        ("DIGEST_NONCE_SECONDS", 300),
        ("COOKIES_SAMESITE", "Lax"),
        ("COMPRESS", False),
        ("REVOCATIONS_FOLDER", None),
    ):
        assert config[name] == value, name
    for text in (
        f"`app.config.DIGEST_NONCE_SECONDS` ({config.DIGEST_NONCE_SECONDS})",
        f"`session_timeout` seconds (default {session.TIMEOUT})",
        f"longer than {authorization_header.LONGEST} characters",
        f"With less than {keys.SHORTEST} characters",
        f'The default is `"{authentication.REALM}"`',
        f"at most {WORDS[spare_threads.SERVER_THREADS]} of them wait",
        f"kept {WORDS[revocations.SLACK / 3600]} hours longer",
        f"After {WORDS[one_time_password.ATTEMPTS]} wrong passwords",
        f"in the {one_time_password.INTERVAL} seconds of one password",
    ):
        assert text in SECURITY, text
    listed = re.search(r"The errors are (.*)\.\n", SECURITY)
    assert listed is not None
    assert set(re.findall(r"`([^`]+)`", listed[1])) == jwt_signer.ERRORS.keys()
