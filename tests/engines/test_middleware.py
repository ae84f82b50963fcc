"""Middleware of others around the app, on the servers that speak its interface."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.servers import serving

SCRIPT = Path(__file__).with_name("apps") / "wrapped.py"


@pytest.mark.parametrize(
    ("name", "interface"), [("uvicorn", "asgi"), ("gunicorn", "wsgi")], ids=["asgi", "wsgi"]
)
def test_the_app_within_middleware(name: str, interface: str) -> None:
    with (
        serving(name, SCRIPT, environment={"WRAPPED": interface}) as server,
        server.connect() as connection,
    ):
        assert connection.get("/pieces").text == "one, two"
        connection.ask("/echo", "POST", [("Content-Type", "text/plain")], b"said")
        assert connection.read("POST").body == b"said"
        assert connection.get("/none").status == 404
        if interface == "asgi":
            told = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")]
            answer = connection.get("/client", told)
            assert answer.text == '{"address":"203.0.113.7","scheme":"https"}'
        assert "AssertionError" not in server.log()
