"""The debug page: source in development, nothing of it otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from atila.app.application import Atila
from atila.testing import TestResponse, exchange


def fail(debug: bool, accept: str, error: Exception | None = None, path: str = "/") -> TestResponse:
    app = Atila("debugged")
    app.debug = debug

    @app.route("/")
    def index(was: Any) -> str:
        password = "hunter" + str(2)
        assert password
        raise error or ValueError("<script>alert(1)</script>")  # the line that failed <b>

    @app.route("/chain")
    def chain(was: Any) -> str:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise RuntimeError("second") from first

    @app.route("/told")
    def told(was: Any) -> str:
        raise app.was_class.Error(404, "not here")

    return app.test_client().get(path, headers={"accept": accept})


def test_the_page_shows_source_and_escapes_it() -> None:
    answer = fail(True, "text/html")
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "<title>ValueError</title>" in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert "<script>" not in answer.text
    assert "# the line that failed &lt;b&gt;</mark>" in answer.text
    assert "test_debug_page.py, line " in answer.text
    # Source, but no values.
    assert "hunter2" not in answer.text


def test_the_page_shows_what_caused_an_error() -> None:
    text = fail(True, "text/html", path="/chain").text
    assert text.index("KeyError") < text.index("the direct cause") < text.index("second</h1>")


def test_json_is_for_who_does_not_ask_for_html() -> None:
    answer = fail(True, "application/json")
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert (body["code"], body["message"]) == (500, "ValueError")
    assert body["detail"] == "ValueError: <script>alert(1)</script>"
    assert body["traceback"][0] == "Traceback (most recent call last):"
    assert any("raise error or ValueError" in line for line in body["traceback"])


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_nothing_of_it_otherwise(accept: str) -> None:
    text = fail(False, accept).text
    for word in ("ValueError", "alert", "test_debug_page", "Traceback", "raise"):
        assert word not in text


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_text_that_is_no_unicode(accept: str) -> None:
    assert fail(True, accept, ValueError("\ud800")).status_code == 500


def test_errors_that_are_answers_stay_as_they_are() -> None:
    answer = fail(True, "text/html", path="/told")
    assert answer.status_code == 404
    assert "not here" in answer.text
    assert "Traceback" not in answer.text
    assert "test_debug_page" not in answer.text


@pytest.mark.parametrize(
    ("host", "is_shown"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.7", False),
        ("::ffff:192.168.1.7", False),
        ("2001:db8::1", False),
        ("", False),
        ("testclient", False),
    ],
)
def test_the_page_is_for_this_machine_alone(
    host: str, is_shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange.TestExchange, "client", property(lambda self: (host, 5)))
    for accept in ("text/html", "application/json"):
        answer = fail(True, accept)
        assert answer.status_code == 500
        assert ("ValueError" in answer.text) is is_shown
