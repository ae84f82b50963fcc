"""The request as variables, its URI in parts, and what it accepts."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila
from atila.http.accept import parse_accept, weight_of
from atila.serving.site import Mount, Site
from atila.testing import TestClient


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


def inspect(app: Atila, look, url: str = "/a", **options: Any) -> Any:
    """What a function sees in the request."""
    seen = []
    app.route("/a")(lambda was, **DATA: seen.append(look(was)))
    TestClient(app).request(options.pop("method", "GET"), url, **options)
    return seen[0]


def test_env(app: Atila) -> None:
    Site([Mount("/shop", app)])
    env = inspect(
        app,
        lambda was: dict(was.env),
        "/shop/a?b=1",
        method="POST",
        data=b"xy",
        headers={"User-Agent": "me", "X-One": "1", "Content-Type": "text/x"},
    )
    assert env == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/a",
        "QUERY_STRING": "b=1",
        "REQUEST_URI": "/shop/a?b=1",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "2",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "wsgi.url_scheme": "http",
        "HTTP_USER_AGENT": "me",
        "HTTP_X_ONE": "1",
    }


def test_env_is_like_a_dictionary(app: Atila) -> None:
    def look(was):
        assert was.env is was.request.env
        assert "HTTP_COOKIE" not in was.env
        assert "CONTENT_TYPE" not in was.env
        with pytest.raises(KeyError):
            was.env["HTTP_COOKIE"]
        with pytest.raises(TypeError):
            was.env["A"] = "1"
        return was.env.get("HTTP_USER_AGENT", "Unknown Agent"), len(was.env), repr(was.env)

    agent, length, text = inspect(app, look, headers={"authorization": "secret"})
    assert agent == "Unknown Agent"
    assert length == 13
    assert "secret" not in text


def test_env_is_never_that_of_the_process(app: Atila) -> None:
    def look(was):
        return [key for key in os.environ if key in was.env]

    assert inspect(app, look) == []


def test_a_header_cannot_pass_for_another(app: Atila) -> None:
    headers = {"X_Forwarded_For": "forged", "content_type": "forged", "Proxy": "http://evil"}
    env = inspect(app, lambda was: dict(was.env), headers=headers)
    assert "HTTP_X_FORWARDED_FOR" not in env
    assert "CONTENT_TYPE" not in env
    assert env["HTTP_PROXY"] == "http://evil"
    assert "HTTP_PROXY" not in os.environ


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("/a", ("/a", None, None, None)),
        ("/a?b=1", ("/a", None, "?b=1", None)),
        ("/a?", ("/a", None, None, None)),
        ("/a?b=1?2;c", ("/a", None, "?b=1?2;c", None)),
    ],
)
def test_split_uri(app: Atila, url: str, parts: tuple[str | None, ...]) -> None:
    assert inspect(app, lambda was: was.request.split_uri(), url) == parts


def test_split_uri_with_parameters(app: Atila) -> None:
    seen = []
    app.route("/<path:rest>")(lambda was, rest, **DATA: seen.append(was.request.split_uri()))
    client = app.test_client()
    client.get("/a/b;c=1;d?e=2")
    # An encoded question mark is none.
    client.get("/a%3Fb?c")
    assert seen == [("/a/b", ";c=1;d", "?e=2", None), ("/a?b", None, "?c", None)]


# Accept


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, {"*/*": 1.0}),
        ("", {"*/*": 1.0}),
        ("text/html", {"text/html": 1.0}),
        (
            "text/*;q=0.3, Text/HTML;level=1;Q=0.7, */*;q=0.5",
            {"text/html": 0.7, "*/*": 0.5, "text/*": 0.3},
        ),
        ("a/b;q=2, c/d;q=-1, e/f;q=x, g/h;q=nan", {"a/b": 1.0, "c/d": 0.0, "e/f": 0.0, "g/h": 0.0}),
        ("nonsense, /, a/, ,;", {}),
    ],
)
def test_parse_accept(header: str | None, accepted: dict[str, float]) -> None:
    assert parse_accept(header) == accepted
    assert list(parse_accept(header)) == list(accepted)


@pytest.mark.parametrize(
    ("header", "media", "answer"),
    [
        (None, "text/html", True),
        ("text/html", "text/html", True),
        ("text/html", "TEXT/HTML", True),
        ("text/html", "application/json", False),
        ("text/*", "text/html", True),
        ("*/*", "text/html", True),
        ("*/*, text/html;q=0", "text/html", False),
        ("text/*;q=0, text/html", "text/html", True),
        ("text/htmlx", "text/html", False),
    ],
)
def test_acceptable(app: Atila, header: str | None, media: str, answer: bool) -> None:
    headers = {} if header is None else {"accept": header}
    assert inspect(app, lambda was: was.request.acceptable(media), headers=headers) is answer


def test_acceptables(app: Atila) -> None:
    headers = {"accept": "text/html;q=0.5, application/json"}
    seen = inspect(app, lambda was: list(was.request.acceptables.items()), headers=headers)
    assert seen == [("application/json", 1.0), ("text/html", 0.5)]


@given(st.text())
def test_accept_never_fails(header: str) -> None:
    assert 0.0 <= weight_of("text/html", parse_accept(header)) <= 1.0
