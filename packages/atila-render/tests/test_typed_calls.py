"""Arguments of XML-RPC and JSON-RPC with types, and models as their answers."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Annotated, Any
from xmlrpc import client as xmlrpc

import msgspec
import pytest

import atila_render
from atila import Atila, Header, Was
from atila.testing import TestClient

LAYERS = {"render": atila_render.layer, "auth": None, "tasks": None, "ws": None}


class Line(msgspec.Struct):
    item: str
    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class Receipt(msgspec.Struct):
    lines: list[Line]
    when: datetime.date
    price: Decimal = Decimal("1.5")


@pytest.fixture
def app() -> Atila:
    app = Atila("app_of_test", layers=LAYERS)

    @app.route("/shops/<int:shop>/order", methods=["POST"])
    def order(
        was: Was, shop: int, line: Line, token: Annotated[str, Header("x-token")] = ""
    ) -> Receipt:
        return Receipt([line, Line(f"{shop}{token}")], datetime.date(2026, 1, 31))

    @app.route("/add")
    def add(was: Was, a: int, b: int = 1) -> int:
        return a + b

    @app.route("/next_day")
    def next_day(was: Was, day: datetime.datetime, proof: bytes = b"") -> Any:
        return [day + datetime.timedelta(1), proof]

    @app.route("/lines", methods=["POST"])
    def lines(was: Was, line: Line) -> list[Line]:
        return [line]

    return app


def rpc(client: TestClient, method: str, params: Any, **headers: str) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {"content-type": "application/json-rpc", **headers}
    return client.post("/rpc2", json.dumps(body).encode(), headers=headers).json()


def xml(client: TestClient, name: str, *params: Any) -> Any:
    body = xmlrpc.dumps(params, name, allow_none=True).encode()
    answer = client.post("/rpc2", body, headers={"Content-Type": "text/xml"})
    return xmlrpc.loads(answer.content, use_builtin_types=True)[0][0]


RECEIPT = {
    "lines": [{"item": "a", "count": 2}, {"item": "7t", "count": 1}],
    "when": "2026-01-31",
    "price": "1.5",
}


def test_json_rpc(app: Atila) -> None:
    client = app.test_client()
    line = {"item": "a", "count": 2}
    for params in ([7, line], {"shop": 7, "line": line}):
        assert rpc(client, "order", params, **{"x-token": "t"})["result"] == RECEIPT
    assert rpc(client, "shops.7.order", {"line": line}, **{"x-token": "t"})["result"] == RECEIPT
    assert rpc(client, "add", [1, 2])["result"] == 3
    assert rpc(client, "lines", {"line": line})["result"] == [line]


def test_json_rpc_tells_all_that_is_wrong(app: Atila) -> None:
    client = app.test_client()
    error = rpc(client, "order", {"shop": "7", "line": {"count": 0}, "more": 1})["error"]
    assert error["code"] == -32602
    assert [(e["in"], e["at"], e["rule"]) for e in error["data"]["errors"]] == [
        ("params", "shop", "type"),
        ("params", "line.item", "required"),
        ("params", "line.count", "ge"),
        ("params", "more", "unknown"),
    ]
    # JSON has types of its own, also where a form would have text.
    assert rpc(client, "add", ["1"])["error"]["code"] == -32602


def test_xml_rpc(app: Atila) -> None:
    client = app.test_client()
    assert xml(client, "order", 7, {"item": "a", "count": 2})["lines"][0] == RECEIPT["lines"][0]
    assert xml(client, "add", 1, 2) == 3
    day = datetime.datetime(2026, 1, 31, 12)
    assert xml(client, "next_day", day, b"hi") == [day + datetime.timedelta(1), b"hi"]
    with pytest.raises(xmlrpc.Fault) as caught:
        xml(client, "order", "7", {"count": 0})
    assert caught.value.faultCode == -32602
    for told in ("'shop' must be a whole number", "'line.item' is required", "at least 1, not 0"):
        assert told in caught.value.faultString


def test_a_value_and_a_status(app: Atila) -> None:
    @app.finish_request
    def finish(was: Was, value: Any) -> None:
        pass

    app.route("/made")(lambda was, n: ({"n": n}, int(n)))

    @app.route("/later")
    async def later(was: Was, n: int) -> Any:
        return n, n

    client = app.test_client()
    for number in (201, 404, 1000):
        assert rpc(client, "made", [number])["result"] == [{"n": number}, number]
        assert xml(client, "made", number) == [{"n": number}, number]
        assert xml(client, "later", number) == [number, number]


def test_a_hook_refuses_with_a_status(app: Atila) -> None:
    @app.before_request
    def before(was: Was) -> Any:
        return "no", 401

    app.route("/made")(lambda was: 1)
    assert rpc(app.test_client(), "made", [])["error"]["code"] == 401


def test_what_is_no_number(app: Atila) -> None:
    @app.route("/half")
    def half(was: Was, number: float) -> float:
        return number / 2

    client = app.test_client()
    assert xml(client, "half", 3.0) == 1.5
    for number in (float("nan"), float("inf")):
        with pytest.raises(xmlrpc.Fault, match="must be a number"):
            xml(client, "half", number)


def test_errors_as_xml(app: Atila) -> None:
    answer = app.test_client().post("/add", {"a": "x"}, headers={"accept": "application/xml"})
    assert answer.status_code == 400
    assert "<message>must be a whole number, not &apos;x&apos;</message>" in answer.text.replace(
        "'x'", "&apos;x&apos;"
    )


def test_models_are_written_as_the_settings_say(app: Atila) -> None:
    client = app.test_client()
    body = {"item": "a"}
    answer = client.post("/shops/7/order", json=body, headers={"accept": "application/xml"})
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<when" in answer.text
    assert client.post("/shops/7/order", json=body).json()["lines"][0]["item"] == "a"
