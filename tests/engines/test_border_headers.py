"""Headers beyond ASCII, and headers that cannot be sent, over real connections."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from support.http2 import Http2
from support.servers import Server
from support.wire import Answer, Broken

SCRIPT = Path(__file__).with_name("apps") / "border_bodies.py"


def ask(server: Server, *lines: bytes) -> Answer:
    """GET /received with these header lines."""
    with server.connect() as connection:
        connection.send(b"\r\n".join([b"GET /received HTTP/1.1", b"Host: x", *lines, b"", b""]))
        return connection.read()


@pytest.mark.parametrize("value", ["\u00e9".encode(), b"\xe9"], ids=["utf-8", "latin-1"])
def test_a_value_beyond_ascii_arrives_or_is_refused(
    server: Server, engine: str, value: bytes
) -> None:
    answers = [
        ask(server, b"Cookie: a=b; c=" + value, b"X-One: 1"),
        ask(server, b"X-One: " + value, b"Cookie: c=" + value),
    ]
    if engine == "granian":
        # It shows their names alone.
        assert [answer.status for answer in answers] == [400, 400]
        assert "cookie" in json.loads(answers[0].body)["detail"]
        assert "cookie, x-one" in json.loads(answers[1].body)["detail"]
        return
    assert [answer.status for answer in answers] == [200, 200]
    assert json.loads(answers[0].body)["cookie"] == "\u00e9"
    told = json.loads(answers[1].body)
    assert (told["cookie"], told["one"]) == ("\u00e9", "\u00e9")
    assert told["all"] == ["\u00e9"]


def test_of_a_request_that_needs_no_host(server: Server, engine: str) -> None:
    with server.connect() as connection:
        connection.send("GET /received HTTP/1.0\r\nCookie: c=d\r\nX-One: \u00e9\r\n\r\n".encode())
        answer = connection.read()
    if engine == "granian":
        assert answer.status == 400
        assert "x-one" in json.loads(answer.body)["detail"]
    else:
        assert (answer.status, json.loads(answer.body)["one"]) == (200, "\u00e9")


@pytest.mark.parametrize("value", ["\u00e9".encode(), b"\xe9"], ids=["utf-8", "latin-1"])
def test_over_http2(server: Server, engine: str, value: bytes) -> None:
    if engine not in ("skitai", "granian", "hypercorn"):
        pytest.skip("no HTTP/2")
    with Http2(server.port) as client:
        answer = client.get("/received", [(b"cookie", b"c=" + value)])
        assert answer.status == (400 if engine == "granian" else 200)
        if engine != "granian":
            assert json.loads(answer.body)["cookie"] == "\u00e9"
        assert client.get("/received", [(b"cookie", b"c=d")]).status == 200


@pytest.mark.parametrize("is_first", [True, False])
def test_one_of_several_beyond_ascii(server: Server, engine: str, is_first: bool) -> None:
    """granian's RSGI hides the one behind the other. When this fails, a new granian shows it, and
    such a request can be answered as one with a single header is.
    """
    lines = [b"X-One: 1", "X-One: \u00e9".encode()]
    answer = ask(server, *(lines[::-1] if is_first else lines), b"Cookie: c=d")
    assert answer.status == 200
    told = json.loads(answer.body)
    values = set(told["one"].replace(" ", "").split(","))
    assert values == ({"1"} if engine == "granian" else {"1", "\u00e9"})


def test_nothing_of_rsgi_shows_what_is_hidden() -> None:
    """Whatever else its headers get may show it."""
    from granian._granian import RSGIHeaders

    names = {name for name in vars(RSGIHeaders) if name not in vars(object)}
    values, look_up = {"keys", "values", "items", "get", "get_all"}, {"__contains__", "__getitem__"}
    assert names - {"__module__", "__doc__"} == values | look_up | {"__iter__", "__len__"}


def test_ascii_arrives_whole(server: Server) -> None:
    told = json.loads(ask(server, b"X-One: 1", b"Accept:", b"X-One: 2", b"Cookie: c=d").body)
    assert told["one"].replace(" ", "") == "1,2"
    assert told["cookie"] == "d"


URLS = {
    "/s?q=\u6f22 a": "/s?q=%E6%BC%A2%20a",
    "/s?q=%E6%BC%A2&b=\u00fc#\u00e9": "/s?q=%E6%BC%A2&b=%C3%BC#%C3%A9",
    "https://b\u00fccher.example/\u00fc": "https://xn--bcher-kva.example/%C3%BC",
    "/plain?a=b": "/plain?a=b",
}


@pytest.mark.parametrize("url", URLS)
def test_a_redirection_is_one_thing(client: httpx.Client, url: str) -> None:
    answer = client.post("/go", json={"to": url}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, URLS[url])


@pytest.mark.parametrize("way", ["set", "added", "streamed", "raised"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x one", "a"),
        ("", "a"),
        ("x-one:", "a"),
        ("x-\u00fc", "a"),
        ("x-one", "a\x7f"),
        ("x-one", "a\x0b"),
        ("x-one", "\u6f22"),
        ("x-one", "a\r\nb: c"),
        ("location", "/\r\nb: c"),
        ("content-length", "-1"),
        ("content-length", "5, 5"),
        ("content-length", "\u0665"),
        ("transfer-encoding", "chunked"),
    ],
)
def test_what_cannot_be_sent_is_500(client: httpx.Client, name: str, value: str, way: str) -> None:
    answer = client.post("/set", json={"name": name, "value": value, "way": way})
    # An error keeps its status, and loses the header.
    assert answer.status_code == (409 if way == "raised" else 500)
    raw = [each.lower() for each, _ in answer.headers.raw]
    assert not {b"b", b"x-one", b"x one", b"location"}.intersection(raw)
    assert "hello" not in answer.text


@pytest.mark.parametrize("way", ["set", "added", "streamed", "raised"])
def test_latin_1_is_sent_as_utf_8(client: httpx.Client, way: str) -> None:
    given = {"name": "X-One", "value": " a\tGr\u00fc\u00dfe ", "way": way}
    answer = client.post("/set", json=given)
    assert answer.status_code == (409 if way == "raised" else 200)
    raw = [value for name, value in answer.headers.raw if name.lower() == b"x-one"]
    assert raw == ["a\tGr\u00fc\u00dfe".encode()]


@pytest.mark.parametrize("length", ["3", "99", "0", "5"])
def test_the_length_of_a_whole_body_is_ours(server: Server, length: str) -> None:
    body = json.dumps({"name": "Content-Length", "value": length}).encode()
    with server.connect() as connection:
        for _ in range(2):
            kind = [("Content-Type", "application/json")]
            connection.ask("/set", "POST", kind, body)
            answer = connection.read()
            assert (answer.status, answer.body) == (200, b"hello")
            assert answer.all("content-length") == ["5"]
        answer = connection.get("/twice")
        assert (answer.body, answer.all("content-length")) == (b"hello", ["5"])


@pytest.mark.parametrize("length", [3, 5, 99])
def test_the_length_of_a_stream_is_kept(server: Server, engine: str, length: int) -> None:
    given = {"name": "Content-Length", "value": str(length), "way": "streamed"}
    kind = [("Content-Type", "application/json"), ("Connection", "close")]
    # What granian has not sent when it breaks off is lost, the head too.
    cut = engine == "granian" and length != 5
    with server.connect() as connection:
        connection.ask("/set", "POST", kind, json.dumps(given).encode())
        try:
            answer = connection.read()
        except Broken:
            assert cut
            return
        assert answer.all("content-length") == [str(length)]
        # What is too much is not sent, and where something is missing the connection ends.
        whole = b"hello"[:length]
        assert whole.startswith(answer.body) if cut else answer.body == whole
