"""Several apps of one launch script: mount points, hosts, subscriptions, extending, overriding."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from support.servers import Server

SCRIPT = Path(__file__).with_name("apps") / "overview" / "serve.py"
LAUNCHED = "it loads an `app` of a module and runs no launch script"

pytestmark = [
    pytest.mark.unable(engine, LAUNCHED) for engine in ("uvicorn", "hypercorn", "gunicorn")
]


def test_apps_share_values(client: httpx.Client) -> None:
    assert client.get("/tf/").text == "tfserver at /"
    assert client.get("/").text == "a|b"


def test_apps_know_each_other(client: httpx.Client) -> None:
    assert client.get("/other").text == "tfserver /tf/reload/x"


def test_subscription(server: Server, client: httpx.Client, name: str) -> None:
    assert client.get(f"/tf/reload/{name}").text == "reloaded"
    server.board.wait_count(f"reloaded-{name}-True")


def test_preference(client: httpx.Client) -> None:
    answer = client.get("/preferred").json()
    assert answer == {"owner": "me", "color": "red", "size": 7, "static": "/"}


def test_extending(client: httpx.Client) -> None:
    assert client.get("/both").text.strip() == "both of myapp 1"
    assert client.get("/base").text.strip() == "only base both of myapp /both"
    assert client.get("/both.txt").text.strip() == "both of myapp"
    assert client.get("/base.txt").text.strip() == "only base"


def test_overriding(client: httpx.Client) -> None:
    assert client.get("/shop/shelf").text.strip() == "shelf of custom, shelf of custom"
    assert client.post("/shop/shelf").text == "shelf of shop"
    assert client.get("/shop/new").text == "new"
    assert client.get("/assets/shelf.txt").text.strip() == "both of custom"
    assert client.get("/assets/shop.txt").text.strip() == "only shop"


def test_page_layers_and_urls(client: httpx.Client) -> None:
    answer = client.get("/shop/shop").json()
    assert "ws" not in answer.pop("layers")
    assert answer == {
        "page": "only shop",
        "static": "/assets/shelf.txt",
        "media": "/media/x.txt",
        "shelf": "/shop/shelf",
    }


def test_media(client: httpx.Client) -> None:
    assert client.get("/shop/media-made").text == "media"
    assert client.get("/media/x.txt").text == "media"


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("example.com", "second at /"),
        ("EXAMPLE.COM:80", "second at /"),
        ("example.org", "second at /"),
        ("www.example.org:8080", "second at /"),
        ("www.example.com", "a|b"),
        ("badexample.org", "a|b"),
    ],
)
def test_hosts(client: httpx.Client, host: str, text: str) -> None:
    client.get("/tf/")
    assert client.get("/", headers={"Host": host}).text == text
