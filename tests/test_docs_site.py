"""The documentation site without its generator: which pages it has, and what its checks find.

`hatch run docs:build` builds it, and applies the same checks to the whole.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import docs_checks  # noqa: E402 - a tool, whose folder is not a package
import docs_stage  # noqa: E402 - the same

CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
NOT_IN_NAV = {"reports/fuzz.md", "reports/soak-full.md"}
"""Pages that others link to."""


def places(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from places(entry)


def test_the_navigation_has_every_page() -> None:
    pages = {place for place in docs_stage.sources().values() if place.endswith(".md")}
    examples = {place for place in pages if place.startswith("examples/")}
    shown = {place for place in places(CONFIG["nav"]) if not place.startswith("reference/")}
    assert shown - {"examples/index.md"} == pages - examples - NOT_IN_NAV


def test_nothing_comes_from_a_foreign_host_by_configuration() -> None:
    assert CONFIG["theme"]["font"] is False
    assert "repo_url" not in CONFIG


def staged(text: str) -> str:
    found = docs_stage.sources()
    path = ROOT / "docs" / "guide" / "answers.md"
    return docs_stage.staged(text, path, found[path], found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b> [c](routing.md#rules)", "a <b> [c](routing.md#rules)"),
        ("[c](../decisions.md) [d](../status.md)", "c [d](../status.md)"),
        ("[c](../../examples/tracker)", "[c](../examples/tracker.md)"),
        ("[c](../../examples/)", "[c](../examples/index.md)"),
        ("[`c`](../../packages/atila-core)", "`c`"),
        ("a\n<!-- run\nassert 1\n-->\nb\n", "a\nb\n"),
        ("```\n[c](nowhere)\n```\n", "```\n[c](nowhere)\n```\n"),
    ],
)
def test_a_page_is_staged(text: str, expected: str) -> None:
    assert staged(text) == expected


def test_ten_tasks_lead_to_pages() -> None:
    tasks = docs_checks.tasks()
    assert len(tasks) >= 10
    assert all((ROOT / "docs" / page).exists() for _words, page, _anchor in tasks)


def built(folder: Path, start: str) -> list[str]:
    """The problems of a site that has the pages of all tasks, all linked from the second page."""
    pages = [page.removesuffix(".md") for _words, page, _anchor in docs_checks.tasks()]
    items = []
    for words, page, _anchor in docs_checks.tasks():
        path = folder / page.removesuffix(".md") / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<h1>a page</h1>")
        items.append({"location": f"{page.removesuffix('.md')}/", "title": words, "text": ""})
    links = "".join(f'<a href="../{page}/">a</a>' for page in pages)
    (folder / "all").mkdir()
    (folder / "all" / "index.html").write_text(links)
    (folder / "index.html").write_text(start)
    (folder / "search.json").write_text(json.dumps({"items": items}))
    return docs_checks.problems_of(folder)


def test_a_good_site_has_no_problem(tmp_path: Path) -> None:
    assert built(tmp_path, '<a href="all/">all</a>') == []


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ('<a href="all/">a</a><script src="https://cdn.example/x.js">', "from a foreign host"),
        ('<a href="all/">a</a><a href="gone/">a</a>', "gone/ leads nowhere"),
        ("no link", "more than 2 clicks away"),
    ],
)
def test_a_bad_site_has_problems(start: str, expected: str, tmp_path: Path) -> None:
    assert expected in "\n".join(built(tmp_path, start))


def test_a_page_that_no_search_finds(tmp_path: Path) -> None:
    built(tmp_path, '<a href="all/">all</a>')
    index = json.loads((tmp_path / "search.json").read_text())
    index["items"] = index["items"][1:]
    (tmp_path / "search.json").write_text(json.dumps(index))
    (problem,) = docs_checks.problems_of(tmp_path)
    assert "a search shows" in problem
