from __future__ import annotations

import datetime
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from atila import Atila, Was
from atila.testing import TestResponse
from atila_render import Payload

Answer = Callable[[Callable[[Was], Any]], TestResponse]


@pytest.fixture
def answer(app: Atila) -> Answer:
    def answer(handler: Callable[[Was], Any]) -> TestResponse:
        path = f"/{len(app.routes)}"
        app.route(path)(handler)
        return app.test_client().get(path)

    return answer


@pytest.mark.parametrize(
    ("handler", "status", "data"),
    [
        (lambda was: was.API(name="Hans"), 200, {"name": "Hans"}),
        (lambda was: was.API({"name": "Hans"}), 200, {"name": "Hans"}),
        (lambda was: was.API({"name": "Hans"}, age=7), 200, {"name": "Hans", "age": 7}),
        (lambda was: was.API("201 Created", {"id": 7}), 201, {"id": 7}),
        (lambda was: was.API("201 Created", id=7), 201, {"id": 7}),
        (lambda was: was.API(201, [7]), 201, [7]),
        (lambda was: was.API([1, 2]), 200, [1, 2]),
        (lambda was: was.API(7), 200, 7),
        (lambda was: was.API(None), 200, None),
        (lambda was: was.API("200 OK", "text"), 200, "text"),
        (lambda was: was.API(), 200, {}),
        (lambda was: was.API("202 Accepted"), 202, {}),
        (lambda was: was.API(was=1, status=2, values=3), 200, {"was": 1, "status": 2, "values": 3}),
        (lambda was: {"name": "Hans"}, 200, {"name": "Hans"}),
        (lambda was: OrderedDict(name="Hans"), 200, {"name": "Hans"}),
        (lambda was: [], 200, []),
        (lambda was: was.response("201 Created", {"id": 7}), 201, {"id": 7}),
    ],
)
def test_forms(answer: Answer, handler: Callable[[Was], Any], status: int, data: Any) -> None:
    response = answer(handler)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == data


def test_dates_and_decimals(answer: Answer) -> None:
    def handler(was: Was) -> Any:
        return was.API(day=datetime.date(2024, 2, 29), price=Decimal("0.10"))

    assert answer(handler).json() == {"day": "2024-02-29", "price": "0.10"}


def test_status_and_headers_that_were_set_before_stay(answer: Answer) -> None:
    def handler(was: Was) -> Any:
        was.response.set_status("201 Created")
        was.response.set_header("X-Server", "test")
        was.response.set_header("Content-Type", "application/problem+json")
        return was.API(a=1)

    response = answer(handler)
    assert response.status_code == 201
    assert response.headers["x-server"] == "test"
    assert response.headers["content-type"] == "application/problem+json"


def test_hooks_can_change_the_data(app: Atila, answer: Answer) -> None:
    @app.finish_request
    def add(was: Was, response: Any) -> None:
        assert isinstance(response.body, Payload)
        response.body.data["more"] = 1

    assert answer(lambda was: was.API(a=1)).json() == {"a": 1, "more": 1}


def test_async_def(app: Atila) -> None:
    @app.route("/")
    async def handler(was: Was) -> Any:
        return was.API(a=1)

    assert app.test_client().get("/").json() == {"a": 1}


@pytest.mark.parametrize(
    "handler",
    [
        lambda was: was.API([1], a=2),
        lambda was: was.API({}, {}),
        lambda was: was.API("201 Created", {}, {}),
        lambda was: was.API("no status"),
        lambda was: was.API(a=object()),
        lambda was: {"a": object()},
    ],
)
def test_mistakes(answer: Answer, handler: Callable[[Was], Any]) -> None:
    response = answer(handler)
    assert response.status_code == 500
    assert b"object" not in response.content


def test_head(app: Atila) -> None:
    app.route("/")(lambda was: {"a": 1})
    response = app.test_client().head("/")
    assert response.content == b""
    assert response.headers["content-length"] == "7"


def test_fault(answer: Answer) -> None:
    def handler(was: Was) -> Any:
        return was.Fault("400 Bad Request", "missing user ID", 40011, field="uid")

    response = answer(handler)
    assert response.status_code == 400
    data = response.json()
    assert len(data.pop("request_id")) > 8
    assert data == {
        "code": 400,
        "message": "Bad Request",
        "detail": "missing user ID",
        "errno": 40011,
        "field": "uid",
    }


def test_fault_looks_like_an_error_that_is_raised(answer: Answer) -> None:
    def raising(was: Was) -> Any:
        raise was.Error("409 Conflict", "taken", 7)

    def returning(was: Was) -> Any:
        return was.Fault("409 Conflict", "taken", 7)

    raised, returned = answer(raising), answer(returning)
    assert raised.status_code == returned.status_code
    assert raised.headers["content-type"] == returned.headers["content-type"]
    first, second = raised.json(), returned.json()
    del first["request_id"], second["request_id"]
    assert first == second


def test_error_handlers_answer_with_dicts(app: Atila) -> None:
    @app.error_handler(404)
    def not_found(was: Was, error: Any) -> Any:
        return {"sorry": error.code}

    response = app.test_client().get("/nowhere")
    assert (response.status_code, response.json()) == (404, {"sorry": 404})


def test_payload_does_not_show_its_data() -> None:
    assert "secret" not in repr(Payload("secret"))


@pytest.mark.parametrize(
    ("touch", "name", "value"),
    [
        (lambda response: response.set_header("x-colour", "red"), "x-colour", "red"),
        (lambda response: response.on_headers(lambda: [("x-late", "1")]), "x-late", "1"),
        (lambda response: response.set_etag("7"), "accept-ranges", "bytes"),
        (lambda response: response.set_mtime(0), "accept-ranges", "bytes"),
        (lambda response: response.set_status(202), ":status", "202"),
    ],
)
def test_what_is_set_beside_an_answer_is_sent(
    answer: Answer, touch: Callable[[Any], object], name: str, value: str
) -> None:
    def handler(was: Was) -> Any:
        result = was.API(a=1)
        touch(was.response)
        return result

    plain = answer(lambda was: was.API(a=1))
    assert (plain.status_code, plain.headers["vary"]) == (200, "Accept")
    touched = answer(handler)
    assert {**touched.headers, ":status": str(touched.status_code)}[name] == value
    assert (touched.json(), touched.headers["vary"]) == ({"a": 1}, "Accept")
