"""An app of modules, over a real connection on every engine."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from support.servers import Server, serving

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "together.py"
HOST = "parts.test"


def test_modules_answer_at_their_mount_points(client: httpx.Client) -> None:
    assert client.get("/").text == "home"
    assert client.get("/pages/toc/3").text == "Page TOC Chapter 3"
    assert client.get("/toc/3").status_code == 404


def test_extends_and_overrides(client: httpx.Client) -> None:
    assert client.get("/ranked").text == "over"
    assert client.get("/under").text == "under /ranked"
    assert client.get("/static/ranked.txt").text.strip() == "over"
    assert client.get("/static/under.txt").text.strip() == "only under"


def test_unrouted(client: httpx.Client) -> None:
    assert client.get("/unrouted/3").status_code == 410


def test_pipe(client: httpx.Client) -> None:
    assert client.get("/1", params={"offset": "2"}).json() == {"result": 2}
    assert client.get("/2").json() == {"result": 1}
    assert client.get("/3").json() == {"result": 4}
    assert client.get("/4").json() == {"result": "t"}
    refused = client.get("/1", params={"offset": "t"})
    assert refused.status_code == 400
    assert "offset" in refused.json()["detail"]
    assert client.get("/5").text == "Page TOC Chapter 5"


def test_urls(client: httpx.Client) -> None:
    assert client.get("/urls").json() == {
        "index": "/1",
        "toc": ["/pages/toc/1", "/pages/toc/1"],
        "absolute": "/index.htm",
        "function": "/urls?a=b+c",
        "base": "/pages/toc/",
        "static": "/static/img/logo.png",
        "media": "/media/a%20b.txt",
        "other": "/urls",
    }
    answer = client.get("/list/a%20b", params={"page": "2"}).json()
    assert answer == {"next": "/list/a%20b?page=3", "same": "/list/a%20b?page=2&order=age"}


def test_testpass(client: httpx.Client) -> None:
    assert client.get("/modify_profile", params={"name": "admin"}).text == "admin may"
    refused = client.get("/modify_profile", params={"name": "hans"})
    assert (refused.status_code, refused.text) == (403, "")


def test_if_file_modified(server: Server, client: httpx.Client) -> None:
    config = server.board.folder / "config"
    assert client.get("/config").text == "as it was"
    config.write_text("new")
    os.utime(config, (1, 1))
    assert client.get("/config").text == "new"


def test_if_cache_updated_and_its_event(server: Server, client: httpx.Client) -> None:
    assert client.get("/query").text == "0"
    for table in ("tables.users", "tables.photos", "tables.other"):
        client.get("/update", params={"table": table})
    assert client.get("/query").text == "2"
    assert client.get("/query").text == "2"


def test_chain(server: Server, client: httpx.Client, name: str) -> None:
    assert client.get("/chain", params={"id": name}).text == "1-2"
    assert client.get("/chain", params={"id": name, "stop": "1"}).text == "stopped by 1"
    server.board.wait_count(f"post-{name}", 2)


def test_events(server: Server, client: httpx.Client, name: str) -> None:
    assert client.get("/make_event", params={"detail": name}).text == "loaded"
    server.board.wait_count(f"custom-{name}-True")
    wait_until(lambda: f"handler of {name} failed" in server.log(), "its failure was logged")


def test_maintenance(server: Server, client: httpx.Client) -> None:
    client.get("/update", params={"table": "cluster.num-nodes"})
    server.board.wait_count("updated-something")
    wait_until(lambda: list(server.board.folder.glob("nodes-*")), "it was noticed")


def test_life_cycle(engine: str) -> None:
    with serving(engine, SCRIPT.with_name("parts.py")) as server:
        assert server.get("/").status == 200
        board = server.board
        board.wait_count("before_mount")
        board.wait_count("mounted")
        assert (board.count("mounted"), board.count("umounted")) == (1, 0)
        server.terminate()
        server.wait_end()
        assert (board.count("before_umount"), board.count("umounted")) == (1, 1)
