"""What arrives at a handler is what the client sent."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import httpx
import pytest
from support.servers import Server

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LIMIT = 1_000_000
"""MAX_UPLOAD_SIZE of the app."""


@pytest.mark.parametrize("method", METHODS)
def test_method_arrives(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/echo?a=1")
    assert answer.status_code == 200
    assert answer.json() == {
        "method": method,
        "path": "/echo",
        "query": "a=1",
        "args": {"a": "1"},
        "length": 0,
    }


def test_head_has_the_headers_of_get_and_no_body(server: Server) -> None:
    with server.connect() as connection:
        plain = connection.get("/text")
        connection.ask("/text", "HEAD")
        head = connection.read("HEAD")
        after = connection.get("/text")
    assert head.status == 200
    assert head.header("content-length") == plain.header("content-length")
    assert head.header("content-type") == plain.header("content-type")
    assert after.body == plain.body


def test_options_tells_the_methods(client: httpx.Client) -> None:
    answer = client.options("/post-only")
    assert answer.status_code == 204
    assert answer.headers["allow"] == "OPTIONS, POST"


def test_wrong_method_tells_the_right_ones(client: httpx.Client) -> None:
    answer = client.get("/post-only")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert answer.json()["code"] == 405


def test_unknown_method_is_refused(server: Server) -> None:
    with server.connect() as connection:
        connection.ask("/text", "BREW")
        # A server may know the methods itself: 501 (RFC 9110, section 9.1), or 400 from the parser
        # of uvicorn, whose list of methods is fixed.
        assert connection.read().status in (400, 405, 501)


def test_unknown_path_as_json(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == 404


def test_unknown_path_as_page(client: httpx.Client) -> None:
    answer = client.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "404 Not Found" in answer.text


def test_missing_slash_is_redirected(server: Server, client: httpx.Client) -> None:
    answer = client.post("/folder?a=1")
    assert answer.status_code == 308
    assert str(answer.url.join(answer.headers["location"])) == server.url("/folder/?a=1")
    assert client.get("/folder", follow_redirects=True).text == "folder"


@pytest.mark.parametrize(("path", "id"), [("/users/7", 7), ("/users/-3", -3), ("/users/me", "me")])
def test_typed_path_parameter(client: httpx.Client, path: str, id: int | str) -> None:
    assert client.get(path).json() == {"id": id}


def test_path_parameter_of_another_type_is_not_found(client: httpx.Client) -> None:
    assert client.get("/users/seven").status_code == 404


@pytest.mark.parametrize("name", ["Hans", "Zürich", "日本", "a b", "1%", "a+b", "q?q", "#1", "🙂"])
def test_path_parameter_is_decoded(client: httpx.Client, name: str) -> None:
    assert client.get(f"/names/{quote(name, safe='')}").json() == {"name": name}


def test_raw_utf8_in_path(server: Server) -> None:
    with server.connect() as connection:
        connection.send("GET /names/Zürich HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = connection.read()
    # RFC 3986 wants it percent-encoded; a server may insist on that.
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert "Z\\u00fcrich" in answer.text


def test_rest_of_path(client: httpx.Client) -> None:
    assert client.get("/below/a/b%20c/d.txt").json() == {"rest": "a/b c/d.txt"}


def test_query_is_bound_to_the_signature(client: httpx.Client) -> None:
    assert client.get("/add", params={"a": 3, "b": 4}).json() == 7
    assert client.get("/add", params={"a": 3}).json() == 5


def test_query_is_decoded(client: httpx.Client) -> None:
    answer = client.get("/echo?name=Hans+Roh&city=Z%C3%BCrich&empty=&many=1&many=2")
    assert answer.json()["args"] == {
        "name": "Hans Roh",
        "city": "Zürich",
        "empty": "",
        "many": ["1", "2"],
    }


def test_form_is_bound(client: httpx.Client) -> None:
    assert client.post("/add", data={"a": "3", "b": "4"}).json() == 7
    assert client.post("/echo", data={"name": "Müller & Söhne"}).json()["args"] == {
        "name": "Müller & Söhne"
    }


def test_json_is_bound(client: httpx.Client) -> None:
    assert client.put("/add", json={"a": 3, "b": 4}).json() == 7
    args = client.post("/echo", json={"name": "日本", "list": [1, None]}).json()["args"]
    assert args == {"name": "日本", "list": [1, None]}


def test_body_wins_over_query(client: httpx.Client) -> None:
    assert client.post("/add?a=1&b=10", json={"a": 5}).json() == 15


def test_missing_parameter_is_named(client: httpx.Client) -> None:
    answer = client.get("/add")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "parameter 'a' is required"


def test_unknown_parameter_is_named(client: httpx.Client) -> None:
    answer = client.get("/add?a=1&c=3")
    assert answer.status_code == 400
    assert "'c'" in answer.json()["detail"]


def test_headers_arrive(server: Server) -> None:
    with server.connect() as connection:
        sent = [("X-One", "1"), ("Content-Type", "Text/Plain; charset=utf-8"), ("x-UPPER", " u ")]
        found = connection.get("/head", sent)
    assert found.status == 200
    head = httpx.Response(200, content=found.body).json()
    assert head["x-one"] == "1"
    assert head["absent"] is None
    assert head["type"] == "text/plain"
    assert ["x-upper", "u"] in head["headers"]


def test_repeated_header_is_joined(server: Server) -> None:
    with server.connect() as connection:
        found = connection.get("/head", [("X-One", "1"), ("X-Two", "0"), ("X-One", "2")])
    head = httpx.Response(200, content=found.body).json()
    # gunicorn joins by a comma alone; the space is optional (RFC 9110, section 5.3).
    assert head["x-one"].replace(" ", "") == "1,2"


@pytest.mark.unable("gunicorn", "WSGI knows no repeated headers; the server joins them")
def test_repeated_headers_are_kept(server: Server) -> None:
    with server.connect() as connection:
        found = connection.get("/head", [("X-One", "1"), ("X-Two", "0"), ("X-One", "2")])
    headers = httpx.Response(200, content=found.body).json()["headers"]
    assert [value for name, value in headers if name == "x-one"] == ["1", "2"]


def test_addresses_scheme_and_version(server: Server) -> None:
    with server.connect() as connection:
        head = httpx.Response(200, content=connection.get("/head").body).json()
        port = connection.socket.getsockname()[1]
    assert head["client"] == ["127.0.0.1", port]
    assert head["server"][1] == server.port
    assert head["scheme"] == "http"
    assert head["version"] == "1.1"


def test_http_1_0(server: Server) -> None:
    with server.connect() as connection:
        connection.send("GET /text HTTP/1.0\r\n\r\n")
        answer = connection.read()
        assert answer.status == 200
        assert answer.text == "Grüße"
        assert connection.is_closed()


@pytest.mark.parametrize("size", [0, 1, 65536, LIMIT])
def test_body_of_known_length(client: httpx.Client, size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    found = client.post("/digest", content=body).json()
    assert found == {"length": size, "sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_chunked_body(client: httpx.Client, size: int) -> None:
    body = b"\r\n0\r\n\r\n chunky"[:size] + b"z" * max(size - 14, 0)

    def pieces():
        yield body[:5]
        yield body[5:]

    found = client.post("/digest", content=pieces()).json()
    assert found == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_chunk_extensions_and_trailers_are_no_body(server: Server) -> None:
    with server.connect() as connection:
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: x\r\n"
            "Transfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n\r\n"
            "3;name=value\r\nabc\r\n0\r\nX-Trailer: t\r\n\r\n"
        )
        assert '"length": 3' in connection.read().text
        assert connection.get("/text").status == 200


def test_expect_continue(server: Server) -> None:
    with server.connect() as connection:
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.read_head().status == 100
        connection.send("abc")
        assert '"length": 3' in connection.read().text


def test_connection_is_kept(server: Server) -> None:
    with server.connect() as connection:
        for number in range(5):
            assert connection.get(f"/users/{number}").text == f'{{"id": {number}}}'
            connection.ask("/digest", "POST", body=b"x" * number)
            assert f'"length": {number}' in connection.read().text


def test_connection_is_closed_on_demand(server: Server) -> None:
    with server.connect() as connection:
        assert connection.get("/text", [("Connection", "close")]).status == 200
        assert connection.is_closed()


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with server.connect() as connection:
        connection.send(
            "".join(f"GET /users/{number} HTTP/1.1\r\nHost: x\r\n\r\n" for number in range(10))
        )
        answers = [connection.read().text for _ in range(10)]
    assert answers == [f'{{"id": {number}}}' for number in range(10)]


def test_pipelined_bodies_stay_apart(server: Server) -> None:
    one = "POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    two = "GET /text HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as connection:
        connection.send(one + two + one)
        assert '"length": 3' in connection.read().text
        assert connection.read().text == "Grüße"
        assert '"length": 3' in connection.read().text


def test_request_that_comes_in_drops(server: Server) -> None:
    request = b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"
    with server.connect() as connection:
        for at in range(len(request)):
            connection.send(request[at : at + 1])
        assert '"length": 5' in connection.read().text


def test_many_requests_at_once(server: Server) -> None:
    connections = [server.connect() for _ in range(40)]
    try:
        for number, connection in enumerate(connections):
            connection.ask(f"/users/{number}")
        answers = [connection.read().text for connection in connections]
    finally:
        for connection in connections:
            connection.close()
    assert answers == [f'{{"id": {number}}}' for number in range(40)]


def test_websocket_handshake_where_there_is_none(server: Server) -> None:
    """A WSGI server cannot; all others are in test_websockets.py."""
    upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    with server.connect() as connection:
        status = connection.get("/socket/echo", upgrade).status
    assert status == (501 if server.engine == "gunicorn" else 101)
