"""Gathers the pages of the documentation site in one folder, as its generator wants them.

The pages are those of docs/, the READMEs of examples and benchmarks, the changelog, and the
reference. What only tests read, the comments `<!-- run … -->`, is left out. A link to a file that
is no page of the site becomes its text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
INTERNAL = {"docs/decisions.md"}
"""Pages for those who change Atila, which the site leaves out: the notes of each decision."""
COPIED = {".svg", ".png", ".css", ".js"}

_COMMENT = re.compile(r"^<!-- run\n.*?^-->\n|^<!-- not run: .*? ?-->\n", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def sources() -> dict[Path, str]:
    """The files that the site has, each with its path there."""
    found = {
        path: path.relative_to(DOCS).as_posix()
        for path in sorted(DOCS.rglob("*"))
        if path.suffix in {".md", *COPIED} and path.relative_to(ROOT).as_posix() not in INTERNAL
    }
    for readme in sorted(ROOT.glob("examples/*/README.md")):
        found[readme] = f"examples/{readme.parent.name}.md"
    found[ROOT / "benchmarks" / "README.md"] = "benchmarks/index.md"
    found[ROOT / "benchmarks" / "results" / "latest.svg"] = "benchmarks/latest.svg"
    found[ROOT / "CHANGELOG.md"] = "changelog.md"
    return found


def state() -> dict[Path, float]:
    """When each source was changed last."""
    return {path: path.stat().st_mtime for path in sources()}


def stage(folder: Path) -> None:
    """Write all pages to a folder; a file that has not changed is not touched."""
    # It needs the environment of the site; the rest of this module is tested without.
    import docs_reference

    found = sources()
    pages = {place: _page(path, place, found) for path, place in found.items()}
    pages["examples/index.md"] = _examples(found)
    pages |= {f"reference/{name}": text.encode() for name, text in docs_reference.pages().items()}
    for place, content in pages.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in pages:
            path.unlink()


def _page(path: Path, place: str, found: dict[Path, str]) -> bytes:
    if path.suffix != ".md":
        return path.read_bytes()
    text = path.read_text().replace("<!-- benchmarks -->", _figures())
    return staged(text, path, place, found).encode()


def staged(text: str, path: Path, place: str, found: dict[Path, str]) -> str:
    """The text of a page as the site has it.

    Args:
        text: the page.
        path: where it is.
        place: where it is on the site.
        found: the files of the site, as `sources` gives them.
    """
    text = _COMMENT.sub("", text)
    return _outside_code(text, lambda prose: _linked(prose, path, place, found))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """A text whose prose is changed, and whose blocks of code are not."""
    parts, at = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, change(text[at:])])


def _linked(prose: str, path: Path, place: str, found: dict[Path, str]) -> str:
    """A text whose links lead to the places of the site."""

    def link(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        if target.startswith(("http://", "https://", "mailto:", "#")):
            return match[0]
        name, hash, anchor = target.partition("#")
        file = (path.parent / name).resolve()
        file = next((x for x in (file, file / "README.md") if x in found), file)
        if file == (ROOT / "examples"):
            there = "examples/index.md"
        elif file in found:
            there = found[file]
        else:
            return text
        return f"{mark}[{text}]({os.path.relpath(there, Path(place).parent)}{hash}{anchor})"

    return _LINK.sub(link, prose)


def _examples(found: dict[Path, str]) -> bytes:
    """A page that lists the examples: the title and the first sentence of each README."""
    rows = []
    for path, place in found.items():
        if place.startswith("examples/"):
            title, _, rest = path.read_text().partition("\n")
            first = re.split(r"(?<=\.)\s", " ".join(rest.split("\n\n")[0:2]).strip())[0]
            first = _LINK.sub(r"\2", " ".join(first.split()))
            rows.append(f"| [{title.lstrip('# ')}]({Path(place).name}) | {first} |")
    head = (
        "# Examples\n\nFor readers who learn from whole programs. Each is a folder of `examples/`"
        " in the repository, and a test starts and uses each.\n\n| example | |\n|---|---|\n"
    )
    return (head + "\n".join(rows) + "\n").encode()


def _figures() -> str:
    """The table of requests per second, from the last full run of the benchmarks."""
    run = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    cases = {name: case["figures"] for name, case in run["cases"].items()}
    cases = {name: cases[name] for name in ("plain", "params", "json") if name in cases}
    first = next(iter(cases.values()))
    rows = sorted(first, key=lambda name: -first[name]["rps"])
    lines = [
        f"| one worker process, requests per second | {' | '.join(cases)} |",
        "|---|" + "--:|" * len(cases),
    ]
    for name in rows:
        contestant = run["contestants"][name]
        label = contestant["label"]
        label = f"**{label}**" if contestant["kind"] == "ours" else label
        cells = [f"{case[name]['rps']:,.0f}" if name in case else "" for case in cases.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    machine, load = run["machine"], run["load"]
    note = (
        f"\n\nMeasured on {run['started'][:10]}: {machine['cores']} cores, {machine['python']},"
        f" {load['connections']} connections, {load['rounds']} rounds of {load['seconds']:g} s."
    )
    return "\n".join(lines) + note
