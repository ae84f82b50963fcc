"""The specification's package app, examples/myapp, as it is started by its launch script."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from support.servers import serving

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).parents[2] / "examples" / "myapp" / "serve.py"
LAUNCHED = "it loads an `app` of a module and runs no launch script"

pytestmark = [
    pytest.mark.unable(engine, LAUNCHED) for engine in ("uvicorn", "hypercorn", "gunicorn")
]


@pytest.mark.parametrize(
    ("path", "text"),
    [("/sub", "Sub Page"), ("/sub2/pages", "Pages"), ("/sub2/pages/1", "Page1")],
)
def test_modules_answer_at_their_mount_points(client: httpx.Client, path: str, text: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, text)


def test_page_of_the_package(client: httpx.Client) -> None:
    page = client.get("/").text
    assert "<h1>Index Page</h1>" in page
    assert 'href="/style.css"' in page
    assert 'href="/sub"' in page
    assert 'href="/sub2/pages/1"' in page


def test_static_file(client: httpx.Client) -> None:
    answer = client.get("/style.css")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    assert "teal" in answer.text


def test_nothing_beside(client: httpx.Client) -> None:
    for path in ("/sub/", "/sub2", "/pages", "/sub2/pages/2", "/services", "/__init__.py"):
        assert client.get(path).status_code == 404, path


def test_farewell(engine: str) -> None:
    with serving(engine, SCRIPT) as server:
        server.terminate()
        server.wait_end()
        wait_until(lambda: "bye..." in server.log(), "__umount__ was called")
