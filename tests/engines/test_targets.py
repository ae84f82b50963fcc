"""What a launch script may mount, besides an app and a package with `__app__`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.servers import Server, serving

SCRIPT = Path(__file__).parent / "apps" / "targets" / "serve.py"

engines = ("skitai", "granian", "granian-wsgi")


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with serving(engine, SCRIPT) as server:
        yield server


def test_a_package_says_where_its_app_is(client: httpx.Client) -> None:
    found = client.get("/").json()
    apps = found.pop("apps")
    assert found == {
        "greeting": "configured",
        "limit": 7,
        "name": "holder",
        "order": ["before_mount", "mount", "before_mount in __mount__", "mounted"],
        "same": True,
    }
    assert "holder" in apps


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/web/", "web, preferred"),
        ("/one/", "one, from the script, helped"),
        ("/bare/", "second, helped"),
        ("/named/", "program"),
        ("/folder/file.txt", "a file\n"),
    ],
)
def test_other_targets(client: httpx.Client, path: str, text: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, text)


def test_the_apps_of_others_are_left_to_skitai(client: httpx.Client, engine: str) -> None:
    answer = client.get("/wsgi/")
    assert (answer.status_code, answer.text) == (200, f"wsgi in {engine == 'skitai'}")


def test_an_extension_with_static_files_needs_no_url(client: httpx.Client) -> None:
    assert client.get("/web/extra").text == "extra of preferred"
    assert client.get("/static/extra.txt").text == "of the extension\n"
