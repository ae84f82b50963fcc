"""The documentation: each block of code of each page is run, and links and tables are looked at."""

from __future__ import annotations

import ast
import dataclasses
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
from support.blocks import Block, blocks_of
from support.pages import ROOT, Run
from support.protos import generated
from support.servers import TESTS, serving

from atila import Atila, Layer, Steps
from atila_tasks.testing import PostgreSQLServer, RedisServer
from atila_tasks.upstream import aliases

GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(
    [
        ROOT / "README.md",
        *ROOT.glob("packages/*/README.md"),
        *ROOT.glob("docs/**/*.md"),
    ]
)
ELSEWHERE = {
    "docs/guide/docker.md": "tests/test_deploy_example.py",
    "docs/rpc.md": "tests/test_rpc_guide.py",
}
"""Pages whose blocks are run by another test, on real servers."""
NO_CODE = frozenset(
    {"docs/decisions.md", "docs/guide/scaling.md", "docs/promises.md", "docs/status.md"}
    | {"docs/guide/README.md", "docs/how-to/README.md"}
    | {page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/reports/*.md")}
)

MEMCACHED = ROOT / "packages" / "atila-tasks" / "tests" / "test_own_interface.py"

Services = Callable[[Path], AbstractContextManager[dict[str, str]]]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL, and the server that the page has an interface for."""
    memcached = runpy.run_path(str(MEMCACHED))["Memcached"]()
    try:
        with PostgreSQLServer() as server:
            yield {
                "user:pass@localhost/mydb": server.address,
                "localhost:9000": f"127.0.0.1:{memcached.port}",
            }
    finally:
        memcached.stop()


@contextmanager
def postgresql(folder: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL alone."""
    with PostgreSQLServer() as server:
        yield {"user:pass@localhost/mydb": server.address}


@contextmanager
def upstream(folder: Path) -> Iterator[dict[str, str]]:
    """A server of our own in place of s1.myserver.com."""
    with serving("granian", TESTS / "engines" / "apps" / "upstream.py") as server:
        address = f"127.0.0.1:{server.port}"
        yield {
            'PROTO_HTTPS, ["s1.myserver.com"': f'PROTO_HTTP, ["{address}"',
            "https://s1.myserver.com": f"http://{address}",
        }


@contextmanager
def upstreams(folder: Path) -> Iterator[dict[str, str]]:
    """The same, and a server of gRPC, which granian cannot be."""
    generated()
    with (
        upstream(folder) as replaced,
        serving("hypercorn", TESTS / "engines" / "apps" / "grpc_app.py") as server,
    ):
        yield replaced | {
            "@myapi/routeguide": "@mygrpc/routeguide",
            "localhost:50051": f"127.0.0.1:{server.port}",
        }


@contextmanager
def task_services(folder: Path) -> Iterator[dict[str, str]]:
    """The server, Redis, and a stand-in for MongoDB."""
    redis = RedisServer(folder)
    program = ROOT / "packages" / "atila-tasks" / "tests" / "mongodb_stand_in.py"
    mongodb = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    try:
        assert mongodb.stdout is not None
        port = mongodb.stdout.readline().strip()
        with upstream(folder) as replaced:
            yield replaced | {
                "localhost:6379": f"127.0.0.1:{redis.port}",
                "localhost:27017": f"127.0.0.1:{port}",
            }
    finally:
        redis.stop()
        mongodb.kill()
        mongodb.communicate()


SERVICES: dict[str, Services] = {
    "docs/databases.md": databases,
    "docs/calling-servers.md": upstreams,
    "docs/guide/jobs.md": postgresql,
    "docs/guide/sqlalchemy.md": postgresql,
    "docs/guide/tasks.md": task_services,
}


@pytest.mark.served
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "_of_process", {})
    name = name_of(page)
    if name in ELSEWHERE:
        assert page.name in (ROOT / ELSEWHERE[name]).read_text()
        return
    blocks = [block for block in blocks_of(page) if block.language in ("python", "pycon")]
    assert bool(blocks) == (name not in NO_CODE)
    services = SERVICES.get(name, lambda folder: nullcontext({}))
    with services(tmp_path) as replaced:
        Run(page, tmp_path, replaced).run()


def test_blocks_that_are_not_run_say_why() -> None:
    skipped = [block for page in PAGES for block in blocks_of(page) if block.skipped]
    assert all(len(block.skipped.split()) > 3 for block in skipped)
    assert len(skipped) <= MOST_SKIPPED


MOST_SKIPPED = 0
"""Blocks that cannot be run here; to be lowered, not raised."""


# A page that has a mistake fails. ----------------------------------------------------------------

BROKEN = {
    "another answer": "```pycon\n>>> 1 + 1\n3\n```\n",
    "never called: line 2 idle": "```python\ndef idle(was):\n    return 1\n```\n",
    "never called: line 3 unused.py": "```python\n# unused.py\nx = 1\n```\n",
    "not defined": "```python\nmissing\n```\n",
    "there is no was.nothing": "```python\nwas.nothing\n```\n",
}


@pytest.mark.parametrize("expected", BROKEN)
def test_a_broken_page_fails(
    expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support.pages.ROOT", tmp_path)
    page = tmp_path / "broken.md"
    page.write_text(BROKEN[expected])
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(Exception, match="Expected:" if "another" in expected else expected):
        Run(page, folder, {}).run()


# What pages say beside their code ----------------------------------------------------------------


def anchors_of(page: Path) -> set[str]:
    """Those that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)}: {link}"
        assert not anchor or anchor in anchors_of(target), f"{name_of(page)}: {link}"


def rows_of(page: Path) -> dict[str, str]:
    """The first two columns of the tables of a page, whose first is a name: `NAME` | `default`."""
    rows = re.findall(r"^\| `([^|]+)` \| ([^|]*) \|", page.read_text(), re.MULTILINE)
    return {name: cell.strip() for name, cell in rows}


def test_every_setting_is_told_with_its_default() -> None:
    config = dict(Atila(__name__).config)
    rows = rows_of(GUIDE / "settings.md")
    assert not config.keys() - rows.keys()
    told = {name: ast.literal_eval(rows[name].split("`")[1]) for name in config}
    assert told == config


def test_every_setting_that_is_read_is_told() -> None:
    sources = [path.read_text() for path in ROOT.glob("packages/*/src/**/*.py")]
    read = re.compile(r"""config(?:\.|\[["']|\.get\(["'])([A-Z][A-Z_]+)\b""")
    names = {name for source in sources for name in read.findall(source)}
    told = {name for row in rows_of(GUIDE / "settings.md") for name in row.split("`, `")}
    assert len(names) > 40
    assert not names - told


@pytest.mark.parametrize("kind", [Layer, Steps])
def test_every_field_of_a_layer_is_told(kind: type) -> None:
    text = (ROOT / "docs" / "layers.md").read_text()
    for field in dataclasses.fields(kind):
        assert f"`{field.name}" in text, field.name


@pytest.mark.parametrize("project", sorted(ROOT.glob("packages/*/pyproject.toml")), ids=name_of)
def test_every_extra_is_told(project: Path) -> None:
    made = tomllib.loads(project.read_text())["project"]
    text = (project.parent / "README.md").read_text()
    told = re.findall(rf'pip install "{made["name"]}\[([^]]+)\]"', text)
    extras = made["optional-dependencies"].keys() - {"test"}
    assert not extras - {extra for line in told for extra in line.split(",")}


def test_what_a_block_is() -> None:
    block = Block(1, "python", "# myapp/__init__.py\nx = 1\n")
    assert block.file == "myapp/__init__.py"
    assert Block(1, "html", "<!-- templates/a.j2 -->\n<p>\n").file == "templates/a.j2"
    assert Block(1, "python", "# a remark\nx = 1\n").file == ""
