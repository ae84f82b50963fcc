"""Models that a handler returns: simple ones take one step, and come to the same."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from atila import Atila, Was


class Order(msgspec.Struct):
    item: str
    counts: list[int] = []


class Due(msgspec.Struct):
    day: datetime.date


ORDER = Order("pen", [1, 2])
TEXT = '{"item":"pen","counts":[1,2]}'


def route(app: Atila, answer: Callable[[Was], Any]) -> None:
    app.route("/")(answer)


def with_a_header(was: Was) -> Order:
    was.response.set_header("x-tag", "t")
    return ORDER


@pytest.mark.parametrize(
    ("accept", "kind", "text"),
    [
        ("", "application/json", TEXT),
        ("application/json", "application/json", TEXT),
        ("text/xml", "text/xml", "<item>pen</item>"),
    ],
)
@pytest.mark.parametrize("handler", [lambda was: ORDER, with_a_header])
def test_the_format_is_the_one_accepted(
    app: Atila, handler: Callable[[Was], Any], accept: str, kind: str, text: str
) -> None:
    route(app, handler)
    answer = app.test_client().get("/", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["vary"] == "Accept"
    assert text in answer.text
    assert ("x-tag" in answer.headers) == (handler is with_a_header)


def test_head_has_the_length_alone(app: Atila) -> None:
    route(app, lambda was: ORDER)
    answer = app.test_client().head("/")
    assert (answer.text, answer.headers["content-length"]) == ("", str(len(TEXT)))


def test_pretty_json_is_that_of_models_too(app: Atila) -> None:
    app.config.PRETTY_JSON = True
    route(app, lambda was: ORDER)
    assert app.test_client().get("/").text == json.dumps(json.loads(TEXT), indent=2)


def test_settings_hold_as_soon_as_routes_are_compiled(app: Atila) -> None:
    route(app, lambda was: ORDER)
    client = app.test_client()
    assert "\n" not in client.get("/").text
    app.config.PRETTY_JSON = True
    app.compile_routes()
    assert "\n" in client.get("/").text


def test_encoders_are_asked_for_models_that_are_not_simple(app: Atila) -> None:
    app.config.JSON_ENCODER = lambda value: "today"
    route(app, lambda was: Due(datetime.date(2026, 1, 31)))
    assert app.test_client().get("/").json() == {"day": "today"}


def test_a_model_that_cannot_be_written(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    route(app, lambda was: Order("\ud800"))
    assert app.test_client().get("/").status_code == 500
    assert "the value['item'] cannot be written as JSON: it has a lone surrogate" in caplog.text
