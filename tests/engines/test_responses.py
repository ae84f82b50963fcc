"""What a handler returns is what the client gets."""

from __future__ import annotations

import httpx
import pytest
from support.servers import Server

from atila.testing.waits import wait_until


def test_text(client: httpx.Client) -> None:
    answer = client.get("/text")
    assert answer.status_code == 200
    assert answer.content == "Grüße".encode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == "7"


def test_bytes(client: httpx.Client) -> None:
    answer = client.get("/bytes")
    assert answer.content == bytes(range(256))
    assert answer.headers["content-type"] == "application/octet-stream"


def test_none_is_204(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/none")
        assert answer.status == 204
        assert answer.header("content-length") in (None, "0")
        assert answer.header("transfer-encoding") is None
        assert connection.get("/text").status == 200


def test_304_has_no_body(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/not-modified")
        assert answer.status == 304
        assert answer.header("etag") == '"1"'
        assert connection.get("/text").status == 200


def test_async_handler(client: httpx.Client) -> None:
    assert client.get("/async").text == "from the loop"


def test_status_and_headers(client: httpx.Client) -> None:
    answer = client.get("/created")
    assert answer.status_code == 201
    assert answer.text == "made"
    assert answer.headers["x-made"] == "yes"
    assert answer.headers.get_list("content-type") == ["text/x-made"]


def test_repeated_set_cookie(client: httpx.Client) -> None:
    answer = client.get("/cookies")
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    assert dict(answer.cookies) == {"a": "1", "b": "2"}


def test_large_body(client: httpx.Client) -> None:
    assert client.get("/large").content == b"0123456789abcdef" * 65536


def test_common_headers_come_once(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/text")
    for name in ("content-length", "content-type", "date", "server"):
        assert len(answer.all(name)) <= 1


@pytest.mark.parametrize("size", [0, 1, 5 * 1024 * 1024])
def test_file(server: Server, client: httpx.Client, name: str, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    path = server.board.folder / f"{name}.txt"
    path.write_bytes(content)
    answer = client.get("/file", params={"name": path.name})
    assert answer.status_code == 200
    assert answer.headers.get_list("content-length") == [str(size)]
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.content == content


def test_head_of_file(server: Server, name: str) -> None:
    (server.board.folder / name).write_bytes(b"x" * 1000)
    with server.connect() as connection:
        connection.ask(f"/file?name={name}", "HEAD")
        answer = connection.read("HEAD")
        assert (answer.status, answer.header("content-length")) == (200, "1000")
        assert connection.get("/text").status == 200


def test_absent_file(client: httpx.Client) -> None:
    assert client.get("/file?name=absent").status_code == 404


def test_file_while_the_client_leaves(server: Server, client: httpx.Client, name: str) -> None:
    with (server.board.folder / name).open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    for _ in range(3):
        connection = server.connect(receive_buffer=4096)
        connection.ask(f"/file?name={name}")
        assert connection.read_head().status == 200
        connection.reset()
    assert client.get("/text").text == "Grüße"


@pytest.mark.parametrize("path", ["/fails", "/fails-async"])
def test_failure_is_logged_under_the_id_it_answers_with(
    server: Server, client: httpx.Client, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 500
    found = answer.json()
    assert found["code"] == 500
    assert "for the log only" not in answer.text
    wait_until(lambda: found["request_id"] in server.log(), "request id in the log")
    wait_until(lambda: "this is for the log only" in server.log(), "traceback in the log")


def test_failure_as_page(client: httpx.Client) -> None:
    answer = client.get("/fails", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "for the log only" not in answer.text


def test_error_raised_by_the_handler(client: httpx.Client) -> None:
    answer = client.get("/refuses", headers={"X-Request-Id": "mine-7"})
    assert answer.status_code == 409
    assert answer.headers["x-first"] == "other"
    assert answer.json() == {
        "code": 409,
        "message": "Conflict",
        "detail": "somebody was first",
        "errno": 7,
        "request_id": "mine-7",
    }


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0b"])
def test_line_break_in_a_header_is_refused(client: httpx.Client, value: str) -> None:
    answer = client.get("/inject", params={"value": value})
    assert answer.status_code == 500
    assert "x-evil" not in answer.headers
    assert "x-value" not in answer.headers
    assert client.get("/inject", params={"value": "plain"}).headers["x-value"] == "plain"


@pytest.mark.parametrize("value", ["Grüße", "日本"])
def test_header_beyond_ascii_does_not_break_the_answer(client: httpx.Client, value: str) -> None:
    answer = client.get("/inject", params={"value": value})
    # Latin-1 where the engine can, a question mark or UTF-8 otherwise; or refused.
    assert answer.status_code in (200, 500)
    assert client.get("/text").status_code == 200


@pytest.mark.parametrize("path", ["/surrogate", "/surrogate-inline", "/surrogate-async"])
def test_a_text_that_is_no_utf_8_is_an_error(server: Server, path: str) -> None:
    with server.connect() as connection:
        assert connection.get(path).status == 500
        assert connection.get("/text").status == 200


def test_failed_handler_leaves_the_connection_usable(server: Server) -> None:
    with server.connect() as connection:
        assert connection.get("/fails").status == 500
        assert connection.get("/text").status == 200
