"""`was.ProxyPass`, of a real server and of bare sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from atila import Atila, Was
from atila.testing.waits import PATIENCE

Fixture = Any


@pytest.fixture
def proxy(app: Atila, port: int) -> Any:
    """A client of an app that passes all on, "/once" what it collected first."""
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}/base")

    @app.route("/once/<path:path>", methods=["POST", "PUT"])
    def once(was: Was, path: str) -> Any:
        return was.ProxyPass("@myupstream", path)

    @app.route("/<path:path>", methods=["GET", "POST", "DELETE"], input_stream=True)
    def passed(was: Was, path: str | None = None, **query: Any) -> Any:
        return was.ProxyPass("@myupstream", path)

    with app.test_client() as client:
        yield client


def test_the_example_of_the_specification(app: Atila, port: int) -> None:
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}")

    @app.route("/<path:path>")
    def proxy(was: Was, path: str | None = None) -> Any:
        return was.ProxyPass("@myupstream", path)

    with app.test_client() as client:
        assert client.get("/a/b").json()["target"] == "/a/b"
        assert client.get("/").json()["target"] == "/"


def test_the_path_that_stands_for_the_server_is_sent(app: Atila, port: int) -> None:
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}")
    app.config.TRUSTED_PROXIES = ["127.0.0.1"]

    @app.route("/in ner/<path:path>")
    def proxy(was: Was, path: str) -> Any:
        return was.ProxyPass("@myupstream", path)

    with app.test_client() as client:
        seen = client.get("/in%20ner/a/b").json()
        assert (seen["target"], seen["headers"]["x-forwarded-prefix"]) == ("/a/b", "/in%20ner")
        told = {"X-Forwarded-Prefix": "/outer"}
        seen = client.get("/in%20ner/a/b", headers=told).json()
        assert seen["headers"]["x-forwarded-prefix"] == "/outer/in%20ner"


def test_what_is_asked_arrives(proxy: Any) -> None:
    headers = {
        "X-A": "1",
        "Host": "outer.example",
        "X-Request-Id": "id-1",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Host": "forged",
        "X-Forwarded-Proto": "forged",
        "X-Forwarded-Prefix": "/forged",
        "Forwarded": "for=forged",
        "Connection": "keep-alive, X-Secret",
        "X-Secret": "1",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Proxy-Authorization": "Basic eDp5",
        "Authorization": "Bearer t",
        "Cookie": "a=b",
    }
    response = proxy.get("/a%20b/c?x=1&y=%2F&z=[1]", headers=headers)
    assert response.status_code == 200
    assert response.headers["x-told"] == "yes"
    told = response.json()
    assert (told["method"], told["target"]) == ("GET", "/base/a%20b/c?x=1&y=%2F&z=[1]")
    got = told["headers"]
    assert (got["x-a"], got["cookie"], got["authorization"]) == ("1", "a=b", "Bearer t")
    assert got["host"].startswith("127.0.0.1:")
    assert got["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert got["x-forwarded-host"] == "outer.example"
    assert got["x-forwarded-proto"] == "http"
    assert got["x-request-id"] == "id-1"
    assert got["via"] == "1.1 atila"
    for name in ("x-secret", "te", "upgrade", "proxy-authorization", "forwarded", "content-type"):
        assert name not in got
    # This server stands at /base: no path of ours is that of the whole of it.
    assert "x-forwarded-prefix" not in got


def test_bodies(proxy: Any) -> None:
    body = bytes(range(256)) * 20_000
    for path in ("/once/x", "/x"):
        told = proxy.post(path, body, headers={"content-type": "a/b"}).json()
        assert told["method"] == "POST"
        assert told["body"].encode("latin-1") == body
        assert told["headers"]["content-type"] == "a/b"
    assert proxy.post("/once/x", b"").json()["headers"]["content-length"] == "0"
    assert proxy.delete("/x").json()["method"] == "DELETE"


@pytest.mark.parametrize("code", [201, 204, 304, 404, 500])
def test_statuses_come_back(proxy: Any, app: Atila, port: int, code: int) -> None:
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}")
    response = proxy.get(f"/status/{code}")
    assert response.status_code == code
    if code in (204, 304):
        assert response.content == b""
    else:
        assert response.json() == {"asked": code}


def test_redirects_are_passed_back(proxy: Any, app: Atila, port: int) -> None:
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}")
    response = proxy.get("/to?url=/elsewhere")
    assert (response.status_code, response.headers["location"]) == (302, "/elsewhere")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("http://{}/base/x?y", "/in/x?y"),
        ("http://{}/base", "/in/"),
        ("http://{}/base?a", "/in/?a"),
        ("http://{}/bases/x", "http://{}/bases/x"),
        ("http://other/base/x", "http://other/base/x"),
        ("/base/x", "/base/x"),
        ("//evil/", "//evil/"),
        ("http://{}/base//evil", "/in/evil"),
    ],
)
def test_redirects_to_the_server_itself_lead_back_to_us(
    app: Atila, listen: Fixture, theirs: str, ours: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        host = f"127.0.0.1:{port}"
        head = f"HTTP/1.1 302 Found\r\nLocation: {theirs.format(host)}\r\n"
        writer.write(f"{head}Content-Length: 0\r\n\r\n".encode())

    port = listen(serve)
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}/base")
    app.route("/in/<path:path>")(lambda was, path: was.ProxyPass("@myupstream", path))
    response = app.test_client().get("/in/a/b")
    assert response.headers["location"] == ours.format(f"127.0.0.1:{port}")


def test_head(proxy: Any) -> None:
    response = proxy.request("HEAD", "/x")
    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["content-length"]) > 0


@pytest.mark.parametrize(
    "path", ["/../x", "/a/../../x", "/%2e%2e/x", "/a/..%5cx", "/a/..%2fx", "/a%00b", "/./x"]
)
def test_no_way_out_of_the_base(proxy: Any, path: str) -> None:
    assert proxy.get(path).status_code == 400


def test_a_path_encoded_twice_stays_a_name(proxy: Any) -> None:
    told = proxy.get("/%252e%252e/x").json()
    assert told["target"] == "/base/%252e%252e/x"


def test_user_and_password_of_the_member_win(proxy: Any, app: Atila, port: int) -> None:
    app.alias("@myupstream", "*http", f"u:p@127.0.0.1:{port}")
    told = proxy.get("/x", headers={"Authorization": "Bearer t"}).json()
    assert told["headers"]["authorization"] == "Basic dTpw"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 502),
        (b"garbage\r\n\r\n", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 502),
    ],
)
def test_faults_before_the_body(
    proxy: Any, app: Atila, answer: Callable[[bytes], int], data: bytes, status: int
) -> None:
    app.alias("@myupstream", "*http", f"127.0.0.1:{answer(data)}")
    response = proxy.get("/x")
    assert response.status_code == status
    assert "127.0.0.1" not in response.text


def test_refused_and_the_next_member(proxy: Any, app: Atila, port: int) -> None:
    app.alias("@myupstream", "*http", ["127.0.0.1:1"])
    assert proxy.get("/x").status_code == 502
    app.alias("@myupstream", "*http", ["127.0.0.1:1", f"127.0.0.1:{port}"])
    for _ in range(3):
        assert proxy.post("/x", b"abc").json()["body"] == "abc"


def test_a_server_that_hangs(app: Atila, listen: Fixture) -> None:
    closed = threading.Semaphore(0)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await reader.read()
        finally:
            closed.release()

    app.alias("@myupstream", "*http", f"127.0.0.1:{listen(hang)}")
    app.route("/")(lambda was: was.ProxyPass("@myupstream", "", timeout=0.3))
    with app.test_client() as client:
        assert client.get("/").status_code == 504
        assert closed.acquire(timeout=PATIENCE)


@pytest.mark.parametrize(
    "body", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
@pytest.mark.parametrize("hangs", [False, True])
def test_an_answer_that_breaks_off(app: Atila, listen: Fixture, body: bytes, hangs: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + body)
        if hangs:
            await reader.read()

    app.alias("@myupstream", "*http", f"127.0.0.1:{listen(serve)}")
    app.route("/")(lambda was: was.ProxyPass("@myupstream", "", timeout=0.2 if hangs else 20))
    with app.test_client() as client:
        response = client.get("/")
        assert response.status_code == 200
        assert not response.complete
        assert response.content == b"half"


def test_headers_of_an_answer(app: Atila, answer: Callable[[bytes], int]) -> None:
    data = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close, X-Hop\r\n"
        b"X-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Encoding: gzip\r\nX-Both: theirs\r\n"
        b"Content-Length: 4\r\n\r\n\x1f\x8b\x00\x01"
    )
    app.alias("@myupstream", "*http", f"127.0.0.1:{answer(data)}")

    @app.route("/")
    def handler(was: Was) -> Any:
        was.response.set_header("X-Both", "ours")
        return was.ProxyPass("@myupstream")

    response = app.test_client().get("/")
    # As it is coded, and said so once.
    assert response.content == b"\x1f\x8b\x00\x01"
    names = [name for name, _ in response.header_list]
    assert names.count("content-encoding") == 1
    assert [v for n, v in response.header_list if n == "set-cookie"] == ["a=1", "b=2"]
    assert [v for n, v in response.header_list if n == "x-both"] == ["ours"]
    assert not {"x-hop", "keep-alive", "connection"} & set(names)
    assert "content-type" not in names


def test_what_it_is_not_for(app: Atila) -> None:
    app.route("/none")(lambda was: was.ProxyPass("@nowhere"))
    app.route("/url")(lambda was: was.ProxyPass("http://example.com"))
    client = app.test_client()
    assert client.get("/none").status_code == 500
    assert client.get("/url").status_code == 500


def test_a_coroutine_may_look_first(app: Atila, port: int) -> None:
    app.alias("@myupstream", "*http", f"127.0.0.1:{port}")

    @app.route("/looks/<path:path>", coroutine=True)
    def handler(was: Was, path: str) -> Any:
        task = yield was.get("@myupstream/first")
        return was.ProxyPass("@myupstream", task.fetch()["target"] + "/" + path)

    response = app.test_client().get("/looks/x")
    assert json.loads(response.content)["target"] == "/first/x"
