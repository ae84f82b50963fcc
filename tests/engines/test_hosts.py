"""Hosts, subdomains and mount points, over a real connection on every engine."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from support.servers import Server

SCRIPT = Path(__file__).with_name("apps") / "hosted.py"


@pytest.mark.parametrize(
    ("host", "path", "status", "text"),
    [
        ("localhost", "/", 200, "app"),
        ("localhost", "/shop/", 200, "shop /club/members/7"),
        ("localhost", "/shopping", 404, None),
        ("localhost", "/club/members/7", 404, None),
        ("example.com", "/club/members/7", 200, "member 7 /club/members/8"),
        ("example.com:8080", "/club/members/7", 200, "member 7 /club/members/8"),
        ("www.example.org", "/club/members/7", 200, "member 7 /club/members/8"),
        ("example.org", "/club/members/7", 200, "member 7 /club/members/8"),
        ("www.example.com", "/club/members/7", 404, None),
        ("example.com", "/", 404, None),
        ("admin.example.net", "/", 200, "admin, app, club, shop"),
        ("www.admin.example.net", "/", 200, "app"),
    ],
)
def test_host_and_path(
    client: httpx.Client, host: str, path: str, status: int, text: str | None
) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == status
    assert text is None or answer.text == text


@pytest.mark.unable("uvicorn", "it has no HTTP/2")
@pytest.mark.unable("gunicorn", "it has no HTTP/2")
def test_host_of_http2(server: Server) -> None:
    with httpx.Client(base_url=server.url(""), http1=False, http2=True) as client:
        answer = client.get("/club/members/7", headers={"Host": "example.com"})
        assert (answer.http_version, answer.text) == ("HTTP/2", "member 7 /club/members/8")
