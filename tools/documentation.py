"""Make the documentation site: pages of docs/, a reference out of docstrings, changes, examples.

    hatch run docs:build     # strict; into .site, in the folder of this version
    hatch run docs:serve     # show it while one writes

The sources are put together in .site-source, since the generator takes one folder: the pages as
they are in the repository, those of examples and the changelog beside them, links bent accordingly.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import bump
import layer_names
import site_versions

ROOT = Path(__file__).resolve().parents[1]
SOURCE, SITE = ROOT / ".site-source", ROOT / ".site-built"
VERSIONS = ROOT / ".site"
"""Where the sites of all versions are; those of earlier releases are put there before a build."""

REFERENCE = {
    "app": ("The app", ["atila.Atila"]),
    "was": ("The request's context, `was`", ["atila.Was"]),
    "parameters": (
        "Parameters and answers",
        [
            *("atila.Query", "atila.Header", "atila.Cookie", "atila.Body", "atila.Upload"),
            *("atila.EventStream", "atila.HTTPError", "atila.SetupError"),
        ],
    ),
    "testing": (
        "Testing",
        [
            *("atila.testing.TestClient", "atila.testing.AsyncTestClient"),
            *("atila.testing.TestResponse", "atila.testing.TestWebSocket"),
            *("atila.testing.TestEvents", "atila.testing.wait_until"),
            *("atila_tasks.testing.PostgreSQLServer", "atila_tasks.testing.RedisServer"),
        ],
    ),
    "tasks": (
        "Tasks",
        [
            *("atila_tasks.Tasks", "atila_tasks.Task", "atila_tasks.Result"),
            *("atila_tasks.alias", "atila_tasks.Q", "atila_tasks.UpstreamError"),
            *("atila_tasks.DatabaseError", "atila_tasks.TaskTimeout"),
        ],
    ),
    "auth": ("Passwords", ["atila_auth.hash_password", "atila_auth.verify_password"]),
    "websockets": ("WebSockets", ["atila_ws.WebSocket"]),
    "layers": ("Layers", ["atila.Layer", "atila.Steps", "atila.Parts", "atila.Endpoint"]),
}
"""Pages of the reference: title, and names whose docstrings they show."""


TASKS = {
    "upload a file": "how-to/upload-a-file.md",
    "run code after the response": "how-to/background-tasks.md",
    "log in": "how-to/log-in.md",
    "OAuth2": "how-to/oauth2.md",
    "middleware": "how-to/middleware.md",
    "dependency injection": "how-to/dependencies.md",
    "pagination": "how-to/pagination.md",
    "server-sent events": "how-to/server-sent-events.md",
    "streaming": "how-to/streaming.md",
    "GraphQL over WebSocket": "how-to/graphql.md",
    "HTTPS": "how-to/https.md",
    "behind a proxy": "how-to/behind-a-proxy.md",
    "Docker": "guide/docker.md",
    "Kubernetes": "how-to/kubernetes.md",
    "OpenTelemetry": "how-to/opentelemetry.md",
    "Sentry": "how-to/sentry.md",
    "lifespan": "how-to/startup-and-shutdown.md",
    "environment variables": "how-to/environment-and-settings.md",
}
"""What newcomers look for: two clicks from the start, "How do I …" and the line with that word."""

CASES = ("plain", "params", "json", "typed")
"""Cases of the benchmarks that the start page shows."""

WIDE = "---\nhide:\n  - toc\n---\n\n"

FIRST_RESULTS = 5
"""So many results of a search are looked at."""


def assemble() -> None:
    """Put the sources together."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE)
    write("changelog.md", (ROOT / "CHANGELOG.md").read_text())
    for page in sorted(ROOT.glob("examples/*/README.md")):
        write(f"examples/{page.parent.name}.md", page.read_text())
    for name, (title, objects) in REFERENCE.items():
        body = "\n\n".join(f"::: {each}" for each in objects)
        if name in ("app", "was"):
            body += f"\n\n{layer_names.sections(name)}"
        write(f"reference/{name}.md", f"# {title}\n\n{body}\n")
    start = (SOURCE / "index.md").read_text()
    # Its table needs the place of the table of contents.
    write("index.md", WIDE + start.replace("<!-- benchmarks -->", figures()))
    for page in SOURCE.rglob("*.md"):
        page.write_text(bent(page, page.read_text()))


def last_run() -> Path:
    """The file of the last run of the benchmarks in which all peers were measured."""
    runs = [
        path
        for path in (ROOT / "benchmarks" / "results").glob("cpython-*.json")
        # Others, cpython-3.13-db and the like, have but some of the peers.
        if "-" not in path.stem.removeprefix("cpython-")
    ]
    return max(runs, key=lambda path: str(json.loads(path.read_text())["started"]))


def figures() -> str:
    """The table of processor time per request, out of the last run of the benchmarks."""
    run = json.loads(last_run().read_text())
    cases = {name: run["cases"][name]["figures"] for name in CASES}
    lines = [
        f"| µs of processor time per request, one worker | {' | '.join(cases)} |",
        "|---|" + "--:|" * len(cases),
    ]
    for name in sorted(cases["plain"], key=lambda name: cases["plain"][name]["cpu_us"]):
        made = run["contestants"][name]
        label = f"**{made['label']}**" if made["kind"] == "ours" else made["label"]
        times = [f"{case[name]['cpu_us']:.0f}" if name in case else "" for case in cases.values()]
        lines.append(f"| {label} | {' | '.join(times)} |")
    machine, load = run["machine"], run["load"]
    said = (
        f"{run['started'][:10]}: {machine['cores']} cores, {machine['python']},"
        f" {load['connections']} connections, {load['rounds']} rounds of {load['seconds']:g} s."
        " Less is better; differences below a tenth mean nothing."
    )
    return "\n".join([*lines, "", said])


def write(name: str, text: str) -> None:
    """A page of the source."""
    path = SOURCE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def bent(page: Path, text: str) -> str:
    """A page with links to examples led to their pages, and to other files of the repository taken
    out.
    """
    here = page.relative_to(SOURCE).parent
    # As from where the page is in the repository.
    folder = ROOT / "docs" / here
    match page.relative_to(SOURCE).parts:
        case ("examples", name):
            folder = ROOT / "examples" / Path(name).stem
        case ("changelog.md",):
            folder = ROOT

    def bend(link: re.Match[str]) -> str:
        label, target = link.groups()
        path, _, anchor = target.partition("#")
        if not path or "://" in path or path.startswith("mailto:"):
            return link[0]
        absolute = Path(os.path.normpath(folder / path))
        if absolute.is_relative_to(ROOT / "docs"):
            found = absolute.relative_to(ROOT / "docs")
        elif absolute.parent == ROOT / "examples" or absolute.parent.parent == ROOT / "examples":
            name = absolute.relative_to(ROOT / "examples").parts[0]
            found = Path("examples", f"{name}.md")
            if not (SOURCE / found).exists():
                return label
        else:
            return label
        if (ROOT / "docs" / found).is_dir():
            found /= "README.md"
        bent = os.path.relpath(found, here)
        return f"[{label}]({bent}{f'#{anchor}' if anchor else ''})"

    return re.sub(r"(?<!!)\[([^\[\]]+)\]\(([^()\s]+)\)", bend, text)


class Links(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what leads somewhere, and what can be led to."""
        for name, value in attrs:
            if value and name == "id":
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.links.add(value)
                if tag in ("link", "script", "img") and value.startswith(("http:", "https:", "//")):
                    self.loaded.add(value)


FOREIGN = ("http://", "https://", "data:", "mailto:")


def broken_links() -> list[str]:
    """Links of the site that lead nowhere, and what pages load from other hosts."""
    pages = {page: Links(page) for page in SITE.rglob("*.html") if page.name != "404.html"}
    found = []
    for page, links in pages.items():
        found += [f"{page.relative_to(SITE)}: loads {link}" for link in sorted(links.loaded)]
        for link in sorted(links.links):
            if link.startswith(FOREIGN):
                continue
            path, anchor = urldefrag(unquote(link))
            target = Path(os.path.normpath(page.parent / path)) if path else page
            if target == SITE.parent / site_versions.LATEST:
                continue  # made after it, for the banner of older versions
            target = target / "index.html" if target.is_dir() else target
            missing = not target.exists()
            if missing or (target in pages and unquote(anchor) not in pages[target].anchors):
                found.append(f"{page.relative_to(SITE)}: {link}")
    return found


def unfound_tasks() -> list[str]:
    """Tasks whose page is not among the first results of a search for their words.

    The index is the site's own; the order is simpler than that of its pages' script: titles first.
    """
    items = json.loads((SITE / "search.json").read_text())["items"]
    found = []
    for task, page in TASKS.items():
        words = [word for word in re.findall(r"\w+", task.lower()) if len(word) > 2 or word == "in"]
        scores: dict[str, int] = {}
        for item in items:
            title = " ".join((item["title"], *item["path"])).lower()
            text = item["text"].lower()
            score = sum(10 * (word in title) + (word in text) for word in words)
            url = urldefrag(item["location"]).url
            scores[url] = max(score, scores.get(url, 0))
        first = sorted(scores, key=lambda url: -scores[url])[:FIRST_RESULTS]
        url = page.partition("#")[0].replace(".md", "/")
        if url not in first or not scores[url]:
            found.append(f"a search for {task!r} finds {first}, not {url}")
    return found


def build() -> int:
    """Build the site and put it among those of other versions; return the exit code."""
    assemble()
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run(("zensical", "build", "--strict", "--clean"), cwd=ROOT, check=False)
    if done.returncode:
        return done.returncode
    broken = broken_links() + unfound_tasks()
    if broken:
        print(*broken, sep="\n", file=sys.stderr)
        return 1
    site_versions.publish(SITE, VERSIONS, bump.current())
    return 0


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    match arguments:
        case ["build"]:
            return build()
        case ["serve", *rest]:
            assemble()
            return subprocess.run(("zensical", "serve", *rest), cwd=ROOT, check=False).returncode
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
