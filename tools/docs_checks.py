"""Looks at the built documentation site: no foreign host, no dead link, each task easily found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin

ROOT = Path(__file__).resolve().parents[1]
TASKS = ROOT / "docs" / "tasks.md"
MOST_CLICKS = 2
FIRST_RESULTS = 5
_LOADS = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page loads, where its links lead, and what its headings are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it names."""
        given = dict(attrs)
        if tag == "a" and (href := given.get("href")):
            self.links.append(href)
        if (key := _LOADS.get(tag)) and (url := given.get(key)) and given.get("rel") != "canonical":
            self.loads.append(url)


def problems_of(site: Path) -> list[str]:
    """What is wrong with a built site, a line each."""
    pages = {
        path.relative_to(site).as_posix(): Page(path.read_text())
        for path in sorted(site.rglob("*.html"))
    }
    foreign = [
        f"{name}: loads {url} from a foreign host"
        for name, page in pages.items()
        for url in page.loads
        if re.match(r"(?:https?:)?//", url)
    ]
    return [*foreign, *_broken(site, pages), *_not_found(site, pages)]


def _broken(site: Path, pages: dict[str, Page]) -> Iterator[str]:
    """Links that lead nowhere, those that the theme made as well."""
    for name, page in pages.items():
        if name == "404.html":
            continue
        for link in {*page.links, *page.loads}:
            if re.match(r"[a-z]+:|//", link):
                continue
            path = urldefrag(urljoin(f"/{name}", link)).url.lstrip("/")
            target = site / path
            if not (target / "index.html" if target.is_dir() else target).exists():
                yield f"{name}: {link} leads nowhere"


def tasks() -> list[tuple[str, str, str]]:
    """The tasks of docs/tasks.md: words that people search for, page and heading."""
    return re.findall(r"^\| ([^|]+) \| \[[^\]]+\]\(([^)#]+)(#[^)]*)?\)", TASKS.read_text(), re.M)


def _not_found(site: Path, pages: dict[str, Page]) -> Iterator[str]:
    """Tasks whose page is more than two clicks and more than one search away."""
    items = json.loads((site / "search.json").read_text())["items"]
    near = _within("index.html", pages, MOST_CLICKS)
    for words, page, _anchor in tasks():
        url = re.sub(r"(^|/)(?:index|README)$", r"\1", page.removesuffix(".md"))
        url = url if not url or url.endswith("/") else f"{url}/"
        if f"{url}index.html" not in near:
            yield f"{words!r}: {url} is more than {MOST_CLICKS} clicks away"
        results = _search(items, words)
        if url not in results[:FIRST_RESULTS]:
            yield f"{words!r}: a search shows {results[:FIRST_RESULTS]}, not {url}"


def _within(start: str, pages: dict[str, Page], clicks: int) -> set[str]:
    """The pages that so many clicks lead to."""
    found = newest = {start}
    for _ in range(clicks):
        links = {urljoin(f"/{name}", link) for name in newest for link in pages[name].links}
        paths = {urldefrag(link).url.lstrip("/") for link in links}
        paths = {path if path.endswith(".html") else f"{path}index.html" for path in paths}
        newest = (paths & pages.keys()) - found
        found = found | newest
    return found


def _search(items: list[dict[str, str]], words: str) -> list[str]:
    """The pages of the search index that have most of the words, titles first."""
    wanted = [word for word in re.findall(r"\w+", words.lower()) if len(word) > 2]
    scores: dict[str, float] = {}
    for item in items:
        title = f"{item.get('title', '')} {' '.join(item.get('path', []))}".lower()
        text = re.sub(r"<[^>]+>", " ", item.get("text", "")).lower()
        score = sum(10 * (word in title) + (word in text) for word in wanted)
        url = urldefrag(item["location"]).url
        scores[url] = max(scores.get(url, 0), score)
    return sorted(scores, key=lambda url: -scores[url])
