"""Typed parameters, bodies and answers over real connections."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from xmlrpc.client import Fault, ServerProxy

import httpx
import pytest
from support.servers import USUAL, Server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "typed.py"

LINE = {"item": "a", "count": 2}
ORDER = {"lines": [LINE], "due": "2026-01-31", "price": "1.50"}
JSON = {"content-type": "application/json"}


def errors(answer: httpx.Response) -> list[tuple[str, str, str]]:
    assert answer.status_code == 400, answer.text
    return [(each["in"], each["at"], each["rule"]) for each in answer.json()["errors"]]


def test_a_model_in_and_out(client: httpx.Client) -> None:
    answer = client.post("/shops/7/orders?notify=true", json=ORDER, headers={"x-token": "abc"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"shop": 7, "order": ORDER, "notify": True, "token": "abc"}


def test_query_cookies_and_types(client: httpx.Client) -> None:
    key = str(uuid.uuid4())
    params = {"page": "2", "n": "3", "labels": ["bug", "idea"], "since": "2026-01-31T12:30:00Z"}
    answer = client.get(
        "/search", params={**params, "key": key, "who": "7"}, headers={"cookie": "session=abc"}
    )
    found = answer.json()
    assert found.pop("since").replace("+00:00", "Z") == "2026-01-31T12:30:00Z"
    assert found == {
        "page": 2,
        "size": 3,
        "labels": ["bug", "idea"],
        "key": key,
        "who": 7,
        "sid": "abc",
    }
    assert client.get("/search").json()["who"] == "me"


def test_all_errors_at_once(client: httpx.Client) -> None:
    bad = {"lines": [LINE, {"count": 0}], "due": "x", "price": "NaN"}
    assert errors(client.post("/shops/7/orders?notify=x&more=1", json=bad)) == [
        ("body", "lines[1].item", "required"),
        ("body", "lines[1].count", "ge"),
        ("body", "due", "type"),
        ("body", "price", "type"),
        ("query", "notify", "type"),
        ("query", "more", "unknown"),
    ]
    answer = client.get("/search?page=x&n=0", headers={"accept": "text/html"})
    assert answer.status_code == 400
    assert "<code>page</code> must be a whole number" in answer.text
    assert answer.text.count("<li>") == 2


def test_the_path_alone(client: httpx.Client) -> None:
    assert errors(client.post("/shops/7/orders?shop=8", json=ORDER)) == [("query", "shop", "path")]
    body = {**ORDER, "shop": 8}
    assert errors(client.post("/shops/7/orders", json=body)) == [("body", "shop", "path")]
    assert errors(client.post("/shops/me/orders", json=ORDER)) == [("path", "shop", "type")]


def test_without_a_type_the_body_must_fit_the_rule(client: httpx.Client) -> None:
    assert client.post("/plain/7", json={"id": 8}).text == "8"
    assert client.post("/plain/7", data={"id": "8"}).text == "8"
    assert client.post("/plain/7", json={"id": {}}).status_code == 400
    assert client.post("/plain/7", data={"id": "abc"}).status_code == 400


def test_pydantic_and_async(client: httpx.Client) -> None:
    assert client.post("/users", json={"name": "Hans"}).json() == {"name": "Hans"}
    assert client.post("/users", data={"name": "Hans"}).json() == {"name": "Hans"}
    answer = client.post("/users", json={"name": "too long"})
    assert errors(answer) == [("body", "name", "string_too_long")]
    both = {"user": {"name": "Hans"}, "shape": {"width": 1}}
    assert client.post("/two", json=both).json() == [{"name": "Hans"}, {"width": 1}]


def test_a_value_and_a_status(client: httpx.Client) -> None:
    answer = client.post("/made", json={"width": 1})
    assert (answer.status_code, answer.json()) == (201, {"width": 1})
    for status in (202, 404):
        answer = client.get("/waited", params={"status": status})
        assert (answer.status_code, answer.json()) == (status, {"a": 1})
        assert answer.headers["x-a"] == "1"
        answer = client.get("/coroutine", params={"status": status})
        assert (answer.status_code, answer.json()) == (status, {"a": 1})
    operation = client.get("/openapi.json").json()["paths"]["/made"]["post"]
    assert "width" in str(operation["responses"]["201"]) or "$ref" in str(operation["responses"])


def test_files_in_a_model(client: httpx.Client) -> None:
    files = [("files", ("a.txt", b"12")), ("files", ("b.txt", b"x" * 2_000_000))]
    answer = client.post("/pictures", data={"title": "A", "tags": "x"}, files=files)
    sizes = {"a.txt": 2, "b.txt": 2_000_000}
    assert answer.json() == {"title": "A", "sizes": sizes, "tags": ["x"]}
    assert errors(client.post("/pictures", data={"title": "A", "files": "x"})) == [
        ("body", "files[0]", "type")
    ]


def test_the_body_as_it_is(client: httpx.Client) -> None:
    assert client.post("/raw", content=b"\xff" * 3_000_000).text == "3000000"


@pytest.mark.parametrize(
    "body",
    [
        b'{"lines": [], "lines": []}',
        b'{"lines": [{"item": "a", "count": 1, "count": 2}]}',
        b'{"lines": NaN}',
        b'{"lines": [' + b'{"item":' * 50_000,
        b"[" * 500_000,
        b'{"lines": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"lines": [{"item": "a", "count": 1e400}]}',
        b'{"lines": [{"item": "a", "count": ' + b"9" * 10_000 + b"}]}",
        b"\xff\xfe",
        b"",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_bad_bodies(client: httpx.Client, body: bytes) -> None:
    assert client.post("/shops/7/orders", content=body, headers=JSON).status_code == 400


def test_integers_are_exact(client: httpx.Client) -> None:
    number = 2**63 + 1
    body = json.dumps({"lines": [{"item": "a", "count": number}]}).encode()
    answer = client.post("/shops/7/orders", content=body, headers=JSON)
    # Written exactly, or not at all: the layer that answers has 64 bits for an integer.
    assert answer.json()["order"]["lines"][0]["count"] == number
    body = b'{"lines": [{"item": "a", "count": 9007199254740993.0}]}'
    assert client.post("/shops/7/orders", content=body, headers=JSON).status_code == 400


def test_rpc(server: Server) -> None:
    calls = ServerProxy(server.url("/rpc2"))
    assert calls.create(7, {"lines": [LINE]})["order"]["lines"] == [LINE]
    with pytest.raises(Fault, match="at least 1, not 0"):
        calls.create(7, {"lines": [{"item": "a", "count": 0}]})
    call = {"jsonrpc": "2.0", "id": 1, "method": "create", "params": {"shop": "x", "order": {}}}
    answer = httpx.post(
        server.url("/rpc2"),
        content=json.dumps(call).encode(),
        headers={"content-type": "application/json-rpc"},
    )
    told = answer.json()["error"]["data"]["errors"]
    assert [(each["in"], each["at"]) for each in told] == [
        ("params", "shop"),
        ("params", "order.lines"),
    ]


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
def test_websockets(server: Server) -> None:
    address = server.url("").replace("http", "ws", 1)
    with connect(f"{address}/messages/7") as socket:
        socket.send(json.dumps(LINE))
        assert json.loads(socket.recv(timeout=PATIENCE)) == {"item": "a7", "count": 3}
        socket.send(json.dumps({"item": "a", "count": 0}))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=PATIENCE)
        assert socket.close_code == 1007
        assert "'count' must be at least 1, not 0" in str(socket.close_reason)
    with connect(f"{address}/chat?page=2") as socket:
        assert socket.recv(timeout=PATIENCE) == "2"
    with pytest.raises(InvalidStatus) as caught, connect(f"{address}/chat?page=x"):
        pass
    assert caught.value.response.status_code == 400


def test_openapi(client: httpx.Client) -> None:
    made = client.get("/openapi.json").json()
    assert {"Order", "Line", "Receipt", "User", "Shape"} <= set(made["components"]["schemas"])
    post = made["paths"]["/shops/{shop}/orders"]["post"]
    schema = post["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Receipt"}
