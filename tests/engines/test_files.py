"""Files, static and media folders, and the request as variables, over real connections."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from support.servers import Server

SCRIPT = Path(__file__).with_name("apps") / "files.py"
LOGO = bytes(range(256)) * 4000
CSS = "a { color: red }"


def test_file(client: httpx.Client) -> None:
    answer = client.get("/file")
    assert answer.content == LOGO
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(LOGO))
    assert answer.headers["accept-ranges"] == "bytes"
    named = client.get("/download")
    assert named.headers["content-type"] == "application/octet-stream"
    assert named.headers["content-disposition"] == (
        "attachment; filename=\"stil _.css\"; filename*=UTF-8''stil%20%C3%A9.css"
    )


def test_head_and_conditions_of_a_file(client: httpx.Client) -> None:
    for url in ("/file", "/static/logo.png"):
        full, head = client.get(url), client.head(url)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag", "last-modified"):
            assert head.headers[name] == full.headers[name]
        known = {"if-none-match": full.headers["etag"]}
        assert client.get(url, headers=known).status_code == 304
        since = {"if-modified-since": full.headers["last-modified"]}
        assert client.get(url, headers=since).status_code == 304
        assert client.get(url, headers={"if-match": '"other"'}).status_code == 412


@pytest.mark.parametrize("url", ["/file", "/static/logo.png"])
def test_parts_of_a_file(client: httpx.Client, url: str) -> None:
    for first, last in ((0, 0), (100, 299_999), (len(LOGO) - 1, len(LOGO) - 1), (5, 2_000_000)):
        answer = client.get(url, headers={"range": f"bytes={first}-{last}"})
        assert answer.status_code == 206
        assert answer.content == LOGO[first : last + 1]
        end = min(last, len(LOGO) - 1)
        assert answer.headers["content-range"] == f"bytes {first}-{end}/{len(LOGO)}"
        assert answer.headers["content-length"] == str(end - first + 1)
    assert client.get(url, headers={"range": "bytes=-10"}).content == LOGO[-10:]
    beyond = client.get(url, headers={"range": f"bytes={len(LOGO)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(LOGO)}"
    assert client.get(url, headers={"range": "bytes=0-1,9-10"}).content == LOGO


def test_parts_leave_the_connection_in_order(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(5):
            part = connection.get("/static/logo.png", [("Range", "bytes=5-9")])
            assert (part.status, part.body) == (206, LOGO[5:10])
            assert connection.get("/static/empty").body == b""
            assert connection.get("/").body == b"ready"


def test_static(client: httpx.Client) -> None:
    answer = client.get("/static/site.css", params={"v": "1"})
    assert answer.text == CSS
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get("/media/photo.jpg").content == b"\xff\xd8photo"
    empty = client.get("/static/empty")
    assert (empty.status_code, empty.content) == (200, b"")


def test_files_go_before_routes(client: httpx.Client) -> None:
    # A file reads only; the rest is the route's.
    assert client.get("/static/site.css").text == CSS
    assert client.post("/static/site.css").text == "route"


def test_static_and_media_as_answers(client: httpx.Client) -> None:
    assert client.get("/robots.txt").text == CSS
    assert client.get("/photo").content == b"\xff\xd8photo"
    assert client.get("/mounted").text == CSS


def test_folders(client: httpx.Client) -> None:
    assert client.get("/static/docs/").text == "<h1>docs</h1>"
    moved = client.get("/static/docs")
    assert moved.status_code == 308
    assert client.get("/static/docs", follow_redirects=True).text == "<h1>docs</h1>"
    for url in ("/static", "/static/", "/media/"):
        assert client.get(url).status_code == 404, url


@pytest.mark.parametrize(
    "target",
    [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/..%2fsecret.txt",
        "/static/%252e%252e/secret.txt",
        "/static/..%5csecret.txt",
        "/static/docs/../../secret.txt",
        "/static/%c0%ae%c0%ae/secret.txt",
        "/static/out/secret.txt",
        "/static/out.txt",
        "/static/.hidden",
        "/static/%2ehidden",
        "/static/.git/config",
        "/static//secret.txt",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "//static/site.css/../../secret.txt",
        "/static/site.css%00",
        "/static/site.css%00.png",
        "/static/%00",
        "/static/docs/%2e",
        "/static/site.css/",
        "/static/%ff",
        "/static/" + "a" * 4000,
        "/../static/../secret.txt",
        "/media/../secret.txt",
        "/media/../static/.hidden",
    ],
)
def test_nothing_else_is_served(server: Server, target: str) -> None:
    with server.connect() as connection:
        answer = connection.get(target)
    # 308: a server normalised it to a folder; 400, 414: it took it for no path at all.
    assert answer.status in (400, 404, 414), answer
    assert b"secret" not in answer.body.replace(b"secret.txt", b"")
    assert b"root:" not in answer.body


def test_env(client: httpx.Client, server: Server) -> None:
    headers = {"user-agent": "me", "x-one": "1", "authorization": "Bearer x"}
    env = client.get("/env", params={"a": "b c"}, headers=headers).json()
    expected = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/env",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "a=b+c",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_PORT": str(server.port),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_USER_AGENT": "me",
        "HTTP_X_ONE": "1",
        "HTTP_HOST": f"127.0.0.1:{server.port}",
        "wsgi.url_scheme": "http",
    }
    assert {key: env.get(key) for key in expected} == expected
    # Nothing of the process's own environment.
    assert not env.keys() & {"PATH", "HOME", "ATILA_BOARD", "PYTHONPATH", "CONTENT_LENGTH"}
