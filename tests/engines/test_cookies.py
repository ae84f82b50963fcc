"""Cookies over real connections."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from support.servers import Server

SCRIPT = Path(__file__).with_name("apps") / "files.py"


def test_set_and_sent_back(client: httpx.Client) -> None:
    answer = client.get("/cookies/set")
    headers = {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}
    assert headers["session"] == "session=a%20b%3Bc; Path=/; SameSite=Lax; HttpOnly"
    assert headers["plain"] == "plain=1; Path=/; SameSite=Lax; HttpOnly"
    assert headers["script"] == "script=1; Path=/; SameSite=Strict"
    assert headers["week"].startswith("week=1; Path=/cookies; Max-Age=604800; Expires=")
    assert "Max-Age=3153600000" in headers["ever"]
    assert "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" in headers["gone"]
    assert len(headers) == len(answer.headers.get_list("set-cookie")) == 6
    # As a browser keeps and sends them.
    assert client.get("/cookies").json() == {
        "session": "a b;c",
        "plain": "1",
        "script": "1",
        "week": "1",
        "ever": "1",
    }


def test_several_cookie_headers(server: Server) -> None:
    # HTTP/2 splits them (RFC 9113, section 8.2.3), and a proxy may pass them on so.
    with server.connect() as connection:
        answer = connection.get("/cookies", [("Cookie", "a=1"), ("Cookie", "b=2; c=3")])
    if server.engine == "gunicorn":
        # It joins all headers by commas before anybody sees them.
        assert answer.status == 200
    else:
        assert answer.text == '{"a": "1", "b": "2", "c": "3"}'


@pytest.mark.parametrize(
    "header",
    ["", ";;", "=", "a", "a=%", "a=%ff%00", '"', "a=b;" * 1000, "ä=ü", "a=" + "x" * 7000, "=;=;=a"],
)
def test_hostile_cookies_do_no_harm(server: Server, header: str) -> None:
    with server.connect() as connection:
        assert connection.get("/cookies", [("Cookie", header)]).status in (200, 400, 431)
    assert server.get("/cookies").status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a\r\nX-Injected: 1", "/"),
        ("a; Domain=evil", "/"),
        ("a", "/\r\nX-Injected: 1"),
        ("a", "/; Domain=evil"),
        ("a", "/\0"),
    ],
)
def test_injection_is_refused(client: httpx.Client, name: str, value: str) -> None:
    answer = client.get("/cookies/refused", params={"name": name, "value": value})
    assert answer.text == "refused"
    assert not answer.headers.keys() & {"set-cookie", "x-injected"}
