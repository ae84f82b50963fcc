"""The debug page: source in development, nothing of it otherwise."""

from __future__ import annotations

import html
import re
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
    # The variable is there, its value is masked.
    assert '<th scope="row">password</th><td>••••••</td>' in answer.text
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


class Account:
    """A value whose representation has a secret."""

    def __repr__(self) -> str:
        return "Account(name='ada', api_key='in-an-object', size=5)"


class Broken:
    """A value that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def variables(debug: bool) -> TestResponse:
    app = Atila("variables")
    app.debug = debug

    @app.route("/<int:number>")
    def index(was: Any, number: int, wanted: str = "", token: str = "") -> str:
        shown = "plain-value"
        account, broken = Account(), Broken()
        config = {"nested": {"db_password": "in-a-dict"}, "colour": "blue"}
        copied = ["a", token]
        url = "postgresql://ada:in-a-url@host/db"
        used = [shown, account, config, copied, url]
        raise ValueError(f"{wanted} and {token}", broken is None, len(used))

    headers = {
        "accept": "text/html",
        "authorization": "Bearer in-a-header",
        "cookie": "sid=in-a-cookie",
        "x-colour": "<green>",
    }
    return app.test_client().get("/7?wanted=this&token=in-the-query", headers=headers)


SECRETS = (
    "in-a-header",
    "in-a-cookie",
    "in-the-query",
    "in-an-object",
    "in-a-dict",
    "in-a-url",
)


def test_variables_and_the_request_are_shown_and_secrets_are_masked() -> None:
    text = variables(True).text
    for shown in (
        "plain-value",
        "blue",
        "Account(name=",
        "size=5",
        "this and ••••••",
        "ada:••••••@",
    ):
        assert shown in html.unescape(text), shown
    for shown in ("whose repr() failed: RuntimeError", "x-colour", "<green>", "number"):
        assert shown in html.unescape(text), shown
    assert "<green>" not in text
    # The source has literals in it; those of variables that are secrets are masked there, too.
    assert "in-a-dict" not in text
    values = re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
    assert [secret for secret in SECRETS if secret in values] == []


def test_no_variables_without_debug() -> None:
    text = variables(False).text
    for word in ("plain-value", "number", "Variables", "x-colour", *SECRETS):
        assert word not in text, word


def routed(debug: bool, path: str, method: str = "GET", accept: str = "text/html") -> TestResponse:
    app = Atila("routed")
    app.debug = debug

    @app.route("/orders/<int:number>", methods=["GET"])
    def order(was: Any, number: int) -> str:
        raise app.was_class.Error(404, "sold out")

    @app.route("/customers", methods=["POST"])
    def customers(was: Any) -> str:
        return ""

    return app.test_client().request(method, path, headers={"accept": accept})


@pytest.mark.parametrize(
    ("path", "method", "near"),
    [
        ("/order/7", "GET", "/orders/<int:number>"),
        ("/orders/seven", "GET", "/orders/<int:number>"),
        ("/costumers", "POST", "/customers"),
        ("/customers", "GET", "/customers"),
    ],
)
def test_the_routes_that_nearly_fit(path: str, method: str, near: str) -> None:
    answer = routed(True, path, method)
    assert answer.status_code in (404, 405)
    page = html.unescape(answer.text)
    nearly = page[page.index("nearly fit") : page.index("<details>")]
    assert near in nearly
    assert ("Allowed here: <b>" in page) is (answer.status_code == 405)
    assert nearly.count("<tr>") == 1


def test_no_routes_for_others() -> None:
    """Without debug, to programs, and where a handler has answered 404."""
    for answer in (
        routed(False, "/order/7"),
        routed(False, "/customers"),
        routed(True, "/order/7", accept="application/json"),
        routed(True, "/orders/7"),
    ):
        assert answer.status_code in (404, 405)
        assert "int:number" not in html.unescape(answer.text)
        assert "test_debug_page" not in answer.text


def test_a_path_of_any_length_is_compared_quickly() -> None:
    answer = routed(True, "/" + "orders/" * 1000)
    assert answer.status_code == 404
