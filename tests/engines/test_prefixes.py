"""Below a path of a proxy: one that says so by X-Forwarded-Prefix, and a real Nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.nginx import nginx
from support.servers import Server
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE

engines = ("skitai", "granian")

SCRIPT = Path(__file__).with_name("apps") / "prefixed.py"

CONF = """
server {{
    listen 80;
    location /shop/ {{
        proxy_pass http://127.0.0.1:{port}{path};
        proxy_http_version 1.1;
        proxy_set_header Connection $http_connection;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Prefix /shop;
    }}
}}
"""


@pytest.fixture(scope="module", params=["/", ""], ids=["strips", "passes-on"])
def proxy(
    server: Server, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of an Nginx which serves the app below /shop, and takes that off or does not."""
    conf = CONF.format(port=server.port, path=request.param)
    folder = tmp_path_factory.mktemp("nginx")
    with (
        nginx(folder, conf) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        yield client


def test_every_url_begins_with_the_prefix(proxy: httpx.Client) -> None:
    answer = proxy.get("/shop/where/a%20b?q=2")
    origin = str(proxy.base_url).rstrip("/")
    assert answer.json() == {
        "name": "a b",
        "path": "/shop/where/a b",
        "uri": "/shop/where/a b?q=2",
        "host": origin.removeprefix("http://"),
        "script": "/shop",
        "info": "/where/a b",
        "urlfor": "/shop/where/x%20y?q=1",
        "other": "/shop/inner/deep",
        "patched": "/shop/where/z?q=2",
        "base": "/shop/where/",
        "static": "/shop/static/site.css",
        "absolute": f"{origin}/shop/",
        "this": f"{origin}/shop/where/a%20b?q=2",
    }
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all("; Path=/shop;" in cookie for cookie in cookies)


def test_urls_lead_back(proxy: httpx.Client) -> None:
    first = proxy.get("/shop/where/a").json()
    assert proxy.get(first["static"]).text == "body {}\n"
    assert proxy.get(first["other"]).text == "/shop/inner/deep /shop/inner/deep /shop/inner /deep"
    assert proxy.get(first["absolute"]).text == "ready"
    moved = proxy.get("/shop/leave", follow_redirects=True)
    assert (moved.url.path, moved.json()["name"]) == ("/shop/where/there", "there")
    assert proxy.get("/shop/slashed", follow_redirects=True).text == "/shop/slashed/"
    assert proxy.get("/shop/static/folder", follow_redirects=True).text == "<p>index\n"
    assert proxy.get("/shop/styles").text == "body {}\n"


def test_a_cookie_of_an_app_below_has_both(proxy: httpx.Client) -> None:
    answer = proxy.get("/shop/inner/deep")
    assert "; Path=/shop/inner;" in answer.headers["set-cookie"]


def test_the_document_has_the_prefix_as_its_server(proxy: httpx.Client) -> None:
    document = proxy.get("/shop/docs.json").json()
    assert document["servers"] == [{"url": "/shop"}]
    assert "/where/{name}" in document["paths"]
    assert 'data-document="docs.json"' in proxy.get("/shop/docs").text


def test_a_websocket(proxy: httpx.Client) -> None:
    url = f"ws://{proxy.base_url.host}:{proxy.base_url.port}/shop/socket"
    with connect(url) as socket:
        assert socket.recv(timeout=PATIENCE) == "/shop/where/socket"


def test_errors_show_the_path_of_the_client(proxy: httpx.Client) -> None:
    answer = proxy.get("/shop/none", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "/shop/none" in answer.text


@pytest.mark.parametrize("path", ["/inner/deep", "/shop/inner/deep"])
def test_either_path_leads_to_the_app(server: Server, path: str) -> None:
    told = {"X-Forwarded-Prefix": "/shop"}
    answer = httpx.get(server.url(path), headers=told, timeout=PATIENCE)
    assert answer.text == "/shop/inner/deep /shop/inner/deep /shop/inner /deep"


@pytest.mark.parametrize(
    "told",
    ["//evil.example", "https://evil.example", "/a/../b", "/a//b", "/\\evil", "/%0d%0ax", "shop"],
)
def test_what_is_no_prefix_is_not_believed(server: Server, told: str) -> None:
    headers = {"X-Forwarded-Prefix": told}
    answer = httpx.get(server.url("/where/a"), headers=headers, timeout=PATIENCE)
    assert (answer.json()["urlfor"], answer.json()["script"]) == ("/where/x%20y?q=1", "")


def test_without_the_header_there_is_none(server: Server) -> None:
    answer = httpx.get(server.url("/where/a"), timeout=PATIENCE)
    assert answer.json()["urlfor"] == "/where/x%20y?q=1"
    assert "servers" not in httpx.get(server.url("/docs.json"), timeout=PATIENCE).json()
