"""What a newcomer reads in the repository itself: README files, and the other pages of its root."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from support.blocks import blocks_of
from support.prose import bad_sentences, paragraphs_of

from atila.testing import TestClient

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(ROOT.glob("examples/*/README.md"))
FRONT = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]
OTHERS = [ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
SCREEN = 40
"""Lines."""
MINUTE = 300
"""Words that one reads in a minute."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [*EXAMPLES, *OTHERS], ids=name)
def test_sentences_are_short(page: Path) -> None:
    assert bad_sentences(page.read_text()) == []


@pytest.mark.parametrize("page", EXAMPLES, ids=name)
def test_an_example_has_a_readme_of_one_screen(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= SCREEN


@pytest.mark.parametrize("page", FRONT, ids=name)
def test_a_newcomer_reads_it_in_a_minute(page: Path) -> None:
    assert sum(len(each.split()) for each in paragraphs_of(page.read_text())) <= MINUTE


def test_the_first_program_is_served_as_its_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "packages" / "atila-core" / "README.md"
    program = next(block for block in blocks_of(page) if block.language == "python")
    (tmp_path / "serve.py").write_text(program.code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (target,) = re.findall(r"`atila serve ([^` ]+)`", page.read_text())
    known = set(sys.modules)
    with TestClient.of(target) as client:
        assert client.get("/").text == "Hello, World"
    for module in set(sys.modules) - known:
        del sys.modules[module]


def test_each_example_has_a_readme() -> None:
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == {page.parent.name for page in EXAMPLES}


@pytest.mark.parametrize("page", [*FRONT, *EXAMPLES, *OTHERS], ids=name)
def test_its_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    # A forge has the advisories of a repository.
    own = [each for each in targets if "://" not in each and "/security/advisories/" not in each]
    assert not [each for each in own if not (page.parent / each.replace("\\", "")).exists()]
