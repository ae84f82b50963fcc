"""Fields of this layer in a typed body are taken out; a body without them pays nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import pytest

from atila import Atila, Body, Was
from atila.testing.client_request import ClientRequest
from atila.validation.direct import direct_body


class Note(msgspec.Struct):
    text: str


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    text: str


def model(was: Was, body: Note) -> str:
    return repr(body)


def closed(was: Was, body: Closed) -> str:
    return repr(body)


def words(was: Was, body: Annotated[dict[str, str], Body()]) -> str:
    return repr(body)


def anything(was: Was, body: Annotated[Any, Body()]) -> str:
    return repr(body)


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__, layers={"tasks": None, "render": None, "ws": None})
    app.securekey = "a key of the tests, and of nothing else"
    for handler in (model, closed, words, anything):
        app.route(f"/{handler.__name__}", methods=["POST"])(handler)
    return app


@pytest.mark.parametrize("name", ["model", "closed", "words", "anything"])
@pytest.mark.parametrize("extra", [{}, {"_csrf_token": "x"}])
def test_fields_of_this_layer(app: Atila, name: str, extra: dict[str, str]) -> None:
    client = app.test_client()
    alone = client.post(f"/{name}", json={"text": "a"})
    answer = client.post(f"/{name}", json={"text": "a", **extra})
    assert (answer.status_code, answer.text) == (alone.status_code, alone.text)
    assert alone.status_code == 200


def _not_directly(was: Was) -> Mapping[str, Any]:
    raise AssertionError("it takes the long way")


@pytest.mark.parametrize("name", ["model", "closed", "words", "anything"])
def test_without_them_a_body_takes_the_direct_way(app: Atila, name: str) -> None:
    body = json.dumps({"text": "a"}).encode()
    request = ClientRequest("POST", f"/{name}", [("content-type", "application/json")], body)
    was = app.site.open(app.test_client()._exchange(request))
    binding = was.endpoint.binding
    assert binding is not None
    assert direct_body(binding, _not_directly)(was)
