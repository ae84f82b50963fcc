"""The documentation site: what can be seen of it without the generator, which is run by
`hatch run docs:build`, strictly.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.prose import bad_sentences, paragraphs_of

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import documentation  # noqa: E402
import drawings  # noqa: E402
import layer_names  # noqa: E402
import site_versions  # noqa: E402

DOCS = ROOT / "docs"
NOT_EDITED = {DOCS / "decisions.md"}
"""Notes of developers for developers, long and internal; those of reports/ are made by programs."""
EDITED = sorted(
    page
    for page in {*DOCS.rglob("*.md")} - NOT_EDITED
    if page.relative_to(DOCS).parts[0] != "reports"
)
EDITED += [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]
"""Pages that are held to the rules of English that a test can see."""


def pages_of(nav: Any) -> Iterator[str]:
    match nav:
        case str(page):
            yield page
        case list(entries):
            for entry in entries:
                yield from pages_of(entry)
        case dict(named):
            yield from pages_of(list(named.values()))


def test_each_page_is_in_the_navigation() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    listed = list(pages_of(nav))
    assert len(listed) == len(set(listed))
    expected = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    # Those of reports are led to by the page of promises.
    expected = {page for page in expected if not page.startswith("reports/")}
    expected |= {f"examples/{page.parent.name}.md" for page in ROOT.glob("examples/*/README.md")}
    expected |= {f"reference/{name}.md" for name in documentation.REFERENCE} | {"changelog.md"}
    assert set(listed) == expected


@pytest.mark.parametrize("task", documentation.TASKS)
def test_what_newcomers_look_for_is_two_clicks_away(task: str) -> None:
    assert "](how-to/README.md)" in (DOCS / "index.md").read_text()
    lines = (DOCS / "how-to" / "README.md").read_text().splitlines()
    table = [line.split("|") for line in lines if line.startswith("|")]
    (line,) = [page for _, words, page, _ in table if task.lower() in words.lower()]
    (target,) = re.findall(r"\]\(([^)]+)\)", line)
    path = (DOCS / "how-to" / target.partition("#")[0]).resolve()
    assert path.exists()
    anchor = target.partition("#")[2]
    page = path.relative_to(DOCS).as_posix()
    assert documentation.TASKS[task] == page + (f"#{anchor}" if anchor else "")


@pytest.mark.parametrize("name", ["Atila", "Was"])
def test_the_reference_names_what_there_is(name: str) -> None:
    shown = [each for _, objects in documentation.REFERENCE.values() for each in objects]
    assert f"atila.{name}" in shown
    for each in shown:
        module, _, attribute = each.rpartition(".")
        assert getattr(importlib.import_module(module), attribute).__doc__, each


def test_links_lead_to_the_pages_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documentation, "SOURCE", tmp_path)
    (tmp_path / "guide").mkdir()
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "chat.md").touch()
    text = "[a](after.md#x) [b](../../examples/chat) [c](../../tools/documentation.py) [d](https://x.org/)"
    bent = documentation.bent(tmp_path / "guide" / "page.md", text)
    assert bent == "[a](after.md#x) [b](../examples/chat.md) c [d](https://x.org/)"


def test_links_that_lead_nowhere_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "SITE", tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "index.html").write_text('<p id="here"><a href="../#there">x</a></p>')
    links = "".join(
        f'<a href="{each}">x</a>'
        for each in ("one/#here", "one/", "one/#gone", "two/", "#", "", "../latest/")
    )
    (tmp_path / "index.html").write_text(f'<p id="there">{links}</p><img src="https://x.org/a">')
    broken = ["index.html: loads https://x.org/a", "index.html: one/#gone", "index.html: two/"]
    assert documentation.broken_links() == broken


def faults_of(text: str) -> list[str]:
    """Sentences with faults, and a beginning that is not for anybody."""
    found = bad_sentences(text)
    first = paragraphs_of(text)[0]
    if not re.match(r"For (?:\w|-)+.*\b(?:end|after one minute)\b", first, re.I):
        found.append(f"the first paragraph: {first}")
    return found


@pytest.mark.parametrize("page", EDITED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_sentences_are_short_and_the_page_says_for_whom_it_is(page: Path) -> None:
    assert faults_of(page.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "For authors. At the end it is done.\n\n" + "word " * 31 + ".",
        "For authors. At the end it is done. The client is told.",
        "For authors. At the end it is done. Who asks gets it.",
        "It is a page. At the end it is done.",
        "For authors of pages.",
    ],
)
def test_a_page_with_a_fault_fails(text: str) -> None:
    assert len(faults_of(f"# Title\n\n{text}\n")) == 1


def test_the_names_of_layers_are_in_the_reference() -> None:
    some = {"was": ["Tasks", "API", "session"], "app": ["websocket", "users"]}
    for kind, expected in some.items():
        text = layer_names.sections(kind)
        assert all(re.search(rf"{kind}\.{name}$", text, re.MULTILINE) for name in expected)
        for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
            parent, _, name = path.rpartition(".")
            module, _, owner = parent.rpartition(".")
            holder = (
                getattr(importlib.import_module(module), owner)
                if owner[0].isupper()
                else importlib.import_module(parent)
            )
            assert getattr(holder, name).__doc__, path


@pytest.mark.parametrize(
    ("title", "found"), [("Middleware and hooks", True), ("Nothing of it", False)]
)
def test_what_no_search_finds_is_a_problem(
    title: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documentation, "SITE", tmp_path)
    monkeypatch.setattr(documentation, "TASKS", {"middleware": "how-to/middleware.md#there"})
    items = [{"location": "how-to/middleware/#x", "title": title, "path": [], "text": ""}]
    (tmp_path / "search.json").write_text(json.dumps({"items": items}))
    assert (documentation.unfound_tasks() == []) == found


@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_drawings_are_those_of_the_script(name: str) -> None:
    assert (drawings.FOLDER / name).read_text() == drawings.DRAWINGS[name]()
    shown = [page for page in EDITED if f"](drawings/{name})" in page.read_text()]
    assert shown, "no page shows it"


@pytest.mark.parametrize("page", EDITED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pictures_have_a_text_beside_them(page: Path) -> None:
    assert all(len(text) > 10 for text in re.findall(r"!\[([^]]*)\]\(", page.read_text()))


def published(site: Path, built: Path, version: str) -> list[tuple[str, str, list[str]]]:
    built.mkdir()
    (built / "index.html").write_text(version)
    site_versions.publish(built, site, version)
    entries = json.loads((site / "versions.json").read_text())
    return [(each["version"], each["title"], each["aliases"]) for each in entries]


def test_versions_stand_side_by_side(tmp_path: Path) -> None:
    site, built = tmp_path / "site", tmp_path / "built"

    def page(folder: str) -> str:
        return (site / folder / "index.html").read_text()

    # A pre-release is the latest as long as there is nothing else.
    assert published(site, built, "1.0.0a1") == [("1.0", "1.0.0a1", ["latest"])]
    assert (page("1.0"), page("latest")) == ("1.0.0a1", "1.0.0a1")
    assert published(site, built, "1.0.1") == [("1.0", "1.0.1", ["latest"])]
    after = [("1.1", "1.1.0b1", []), ("1.0", "1.0.1", ["latest"])]
    assert published(site, built, "1.1.0b1") == after
    assert (page("1.1"), page("1.0"), page("latest")) == ("1.1.0b1", "1.0.1", "1.0.1")
    after = [("1.10", "1.10.0", ["latest"]), ("1.1", "1.1.0b1", []), ("1.0", "1.0.1", [])]
    assert published(site, built, "1.10.0") == after
    assert page("latest") == "1.10.0"
    # A fix of an older one does not become the latest.
    assert published(site, built, "1.0.2") == [*after[:2], ("1.0", "1.0.2", [])]
    assert (page("1.0"), page("latest")) == ("1.0.2", "1.10.0")
    assert 'content="0; url=latest/"' in page("")


def test_the_theme_shows_the_versions() -> None:
    project = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    # The switcher reads ../versions.json, as mike writes it.
    assert project["extra"]["version"]["provider"] == "mike"
    assert site_versions.LATEST in (ROOT / project["theme"]["custom_dir"] / "main.html").read_text()
    assert ROOT / project["site_dir"] == documentation.SITE


def test_figures_are_those_of_the_last_run() -> None:
    run = json.loads(documentation.last_run().read_text())
    shown = {}
    for line in documentation.figures().splitlines():
        label, *times = [cell.strip(" *") for cell in line.strip("|").split("|")]
        shown[label] = times[:1]
    for name, figures in run["cases"]["plain"]["figures"].items():
        assert shown[run["contestants"][name]["label"]] == [f"{figures['cpu_us']:.0f}"]
    assert "<!-- benchmarks -->" in (DOCS / "index.md").read_text()


@pytest.mark.parametrize(
    ("name", "peer", "expected"),
    [
        ("FastAPI", "fastapi-granian", "slower"),
        ("Litestar", "litestar-granian", "slower"),
        ("django-bolt", "django-bolt", "**faster**"),
        ("Falcon", "falcon-granian", "**faster for small answers**"),
    ],
)
def test_the_start_page_says_of_speed_what_was_measured(
    name: str, peer: str, expected: str
) -> None:
    cases = json.loads(documentation.last_run().read_text())["cases"]
    found = [cases[case]["figures"] for case in documentation.CASES]
    ours = "atila-granian-async"
    slower = [each[peer]["cpu_us"] > each[ours]["cpu_us"] for each in found if peer in each]
    if "mostly" in expected:
        assert (sum(slower) > len(slower) / 2) == ("slower" in expected)
        assert len(set(slower)) == 2
    else:
        assert all(slower) if expected == "slower" else not any(slower)
    lines = (DOCS / "index.md").read_text().splitlines()
    names, speeds = (
        next(line for line in lines if line.startswith(start)).strip("|").split("|")
        for start in ("| |", "| speed")
    )
    assert speeds[names.index(f" {name} ")].strip() == expected
