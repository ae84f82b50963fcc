"""XML-RPC and JSON-RPC, in process: how calls find handlers, what hooks and layers see of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID
from xmlrpc import client as xmlrpc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atila_render
from atila import PROTOCOL, Atila, HTTPError, Layer, SetupError, Steps
from atila.serving.site import Mount, Site
from atila.testing import TestClient
from atila_render.rpc.faults import CallFault
from atila_render.rpc.xml_reading import parse
from atila_render.rpc.xml_writing import value_of

LAYERS = {"render": atila_render.layer, "auth": None, "tasks": None, "ws": None}


@pytest.fixture
def app() -> Atila:
    return Atila("app_of_test", layers=LAYERS)


def xml(client: TestClient, name: str, *params: Any, path: str = "/rpc2") -> Any:
    body = xmlrpc.dumps(params, name, allow_none=True).encode()
    answer = client.post(path, body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    return xmlrpc.loads(answer.content, use_builtin_types=True)[0][0]


def rpc(client: TestClient, *calls: dict[str, Any] | None, path: str = "/rpc2") -> Any:
    body = [{"jsonrpc": "2.0", "id": number, **(call or {})} for number, call in enumerate(calls)]
    content = json.dumps(body if len(body) > 1 else body[0]).encode()
    answer = client.post(path, content, headers={"Content-Type": "application/json-rpc"})
    assert answer.status_code == 200
    return answer.json()


def test_path_before_resource(app: Atila) -> None:
    @app.route("/add")
    def by_path(was, a, b):
        return a + b

    @app.route("/else")
    def add(was):
        return "by name"

    @app.route("/<int:id>/thing")
    def named(was, id):
        return id

    with app.test_client() as client:
        assert xml(client, "add", 1, 2) == 3
        assert xml(client, "by_path", 1, 2) == 3
        assert xml(client, "named", 7) == 7
        assert xml(client, "8.thing") == 8
        assert rpc(client, {"method": "named", "params": {"id": 9}})["result"] == 9


def test_methods_are_those_below_the_mount_point(app: Atila) -> None:
    other = Atila("other_of_test", layers=LAYERS)

    @app.route("/name")
    def name_of_first(was):
        return "first"

    @other.route("/name")
    def name_of_other(was):
        return "other"

    site = Site([Mount("/", app), Mount("/other", other)])
    try:
        assert xml(TestClient(app), "name") == "first"
        assert xml(TestClient(app), "name", path="/other/rpc2") == "other"
    finally:
        site.shutdown()


def test_what_is_no_method(app: Atila) -> None:
    @app.route("/get", methods=["GET"])
    def get(was):
        return 1

    @app.route("/stream", input_stream=True)
    async def stream(was):
        return 1

    with app.test_client() as client:
        for name in ("get", "stream", "", "no.such", "system.no", "../get", "a/b", "\ud7ff"):
            with pytest.raises(xmlrpc.Fault) as caught:
                xml(client, name)
            assert caught.value.faultCode == (-32601 if name else -32600)
        assert "get" not in xml(client, "system.listMethods")
        assert "stream" not in xml(client, "system.listMethods")


def test_hooks_run_once_and_layers_for_each_call() -> None:
    seen: list[str] = []

    def compile_route(route, app):
        if not route.options.get("guarded"):
            return None

        def guard(was):
            seen.append("guard")
            if was.request.args.get("key") != "right":
                raise was.Error(403, "no key")

        return Steps(before=[guard], after=[lambda was, value: f"<{value}>"])

    options = frozenset({"guarded"})
    guard = Layer("auth", PROTOCOL, options=options, compile=compile_route)
    app = Atila("app_of_test", layers={**LAYERS, "auth": guard})

    @app.before_request
    def before(was):
        seen.append("before")

    @app.failed_request
    def failed(was, error):
        seen.append(f"failed {error[1].code}")

    @app.teardown_request
    def teardown(was):
        seen.append("teardown")

    @app.route("/guarded", guarded=True)
    def guarded(was, key):
        return key

    call = {"method": "guarded", "params": ["right"]}
    with app.test_client() as client:
        replies = rpc(client, call, {"method": "guarded", "params": ["wrong"]})
    assert replies[0]["result"] == "<right>"
    assert replies[1]["error"]["code"] == 403
    assert replies[1]["error"]["data"]["detail"] == "no key"
    assert seen == ["before", "guard", "guard", "failed 403", "teardown"]


def test_a_hook_that_answers_refuses_the_call(app: Atila) -> None:
    @app.before_request
    def before(was):
        if was.request.get_header("x-mood") == "bad":
            return was.response("401 Unauthorized", "who?")
        return None

    @app.route("/one")
    def one(was):
        return 1

    with app.test_client() as client:
        assert xml(client, "one") == 1
        for kind in ("text/xml", "application/json-rpc"):
            headers = {"Content-Type": kind, "X-Mood": "bad"}
            answer = client.post("/rpc2", b"{}", headers=headers)
            # What HTTP acts upon keeps its status; the body is the protocol's all the same.
            assert answer.status_code == 401
            assert "401" in answer.text
            assert "who?" not in answer.text


def test_calls_of_a_batch_share_the_answer_and_no_status(app: Atila) -> None:
    @app.route("/set")
    def set_header(was, value):
        was.response.set_status("201 Created")
        was.response.add_header("x-set", value)
        was.request.g["n"] = was.request.g.get("n", 0) + 1
        return was.request.g["n"]

    with app.test_client() as client:
        body = json.dumps([{"id": n, "method": "set", "params": [str(n)]} for n in range(2)])
        headers = {"Content-Type": "application/json-rpc"}
        answer = client.post("/rpc2", body.encode(), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-set"] == "0, 1"
    assert [reply["result"] for reply in answer.json()] == [1, 2]


def test_async_and_blocking_calls_of_a_batch_in_their_order(app: Atila) -> None:
    order: list[str] = []

    @app.route("/slow")
    async def slow(was, name):
        order.append(name)
        return name

    @app.route("/quick")
    def quick(was, name):
        assert not was.site.loop.is_current()
        order.append(name)
        return name

    calls = [
        {"method": kind, "params": [f"{kind}{n}"]} for n in range(3) for kind in ("slow", "quick")
    ]
    with app.test_client() as client:
        replies = rpc(client, *calls)
    assert [reply["result"] for reply in replies] == order == [c["params"][0] for c in calls]


def test_other_settings(app: Atila) -> None:
    app.config.RPC = ("jsonrpc",)
    app.config.RPC_PATHS = ("/call",)
    app.config.RPC_INTROSPECTION = False
    app.config.RPC_MAX_BATCH = 2

    @app.route("/one")
    def one(was):
        return 1

    with app.test_client() as client:
        json_type = {"Content-Type": "application/json"}
        body = b'{"method": "one", "id": 1}'
        assert client.post("/call", body, headers=json_type).json()["result"] == 1
        assert client.post("/rpc2", body, headers=json_type).status_code == 404
        xml_type = {"Content-Type": "text/xml"}
        assert client.post("/rpc2", b"<methodCall/>", headers=xml_type).status_code == 404
        assert rpc(client, {"method": "system.listMethods"})["error"]["code"] == -32601
        assert rpc(client, *[{"method": "one"}] * 3)["error"]["code"] == -32600
        assert len(rpc(client, *[{"method": "one"}] * 2)) == 2


def test_an_unknown_protocol_is_told_at_mount_time(app: Atila) -> None:
    app.config.RPC = ("soap",)
    with pytest.raises(SetupError, match="'soap'; there are xmlrpc, jsonrpc, grpc"):
        app.test_client().get("/")


def test_a_misspelt_name_in_a_call_is_explained(
    app: Atila, caplog: pytest.LogCaptureFixture
) -> None:
    app.route("/slip")(lambda was: was.redirct)
    with app.test_client() as client:
        client.post("/rpc2", json={"jsonrpc": "2.0", "method": "slip", "id": 1})
    assert caplog.text.splitlines()[-1].endswith("no was.redirct; did you mean 'redirect'?")


def test_no_attributes_of_objects_leave(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    class Account:
        def __init__(self) -> None:
            self.password = "hunter2"

    @app.route("/account")
    def account(was):
        return Account()

    with app.test_client() as client, caplog.at_level(logging.ERROR):
        with pytest.raises(xmlrpc.Fault) as caught:
            xml(client, "account")
        answer = rpc(client, {"method": "account"})
    assert caught.value.faultCode == answer["error"]["code"] == -32603
    assert "hunter2" not in caplog.text
    assert "Account cannot be written as XML-RPC" in caplog.text


def test_development_tells_no_more(app: Atila) -> None:
    app.debug = True

    @app.route("/fails")
    def fails(was):
        raise HTTPError(500, "told") from KeyError("secret")

    @app.route("/breaks")
    def breaks(was):
        raise KeyError("secret")

    with app.test_client() as client:
        for name in ("fails", "breaks"):
            assert "secret" not in json.dumps(rpc(client, {"method": name}))


class Shade(IntEnum):
    DARK = 7


@dataclass
class Point:
    x: int
    y: Decimal


class Row(dict[str, Any]):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Shade.DARK, 7),
        (Point(1, Decimal("1.10")), {"x": 1, "y": "1.10"}),
        ([Row(a=1), (2, 3), {4}], [{"a": 1}, [2, 3], [4]]),
        ({1: True, UUID(int=5): None}, {"1": True, str(UUID(int=5)): None}),
        (date(2026, 1, 2), "2026-01-02"),
        (bytearray(b"\0"), b"\0"),
    ],
)
def test_what_xmlrpc_writes(value: Any, expected: Any) -> None:
    head, tail = "<methodResponse><params><param>", "</param></params></methodResponse>"
    assert xmlrpc.loads(head + value_of(value) + tail, use_builtin_types=True)[0][0] == expected


def test_settings_of_json_hold_for_jsonrpc(app: Atila) -> None:
    app.config.JSON_ENCODER = "digit"

    @app.route("/when")
    def when(was):
        return datetime(2026, 1, 2, 3, 4, 5)

    with app.test_client() as client:
        assert "T" not in str(rpc(client, {"method": "when"})["result"])


SIMPLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.lists(SIMPLE, max_size=4), st.from_regex(r"[a-zA-Z0-9_.]+", fullmatch=True))
def test_what_a_client_writes_is_read(params: list[Any], name: str) -> None:
    body = xmlrpc.dumps(tuple(params), name, allow_none=True).encode()
    assert parse(body) == (name, params)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "method", "params", "id", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def echoing() -> Iterator[TestClient]:
    app = Atila("app_of_test", layers=LAYERS)

    @app.route("/echo")
    def echo(was, value=None):
        return value

    with app.test_client() as client:
        yield client


@pytest.mark.parametrize("version", [{"jsonrpc": "2.0"}, {}])
def test_a_class_that_a_client_names_is_not_made(echoing: TestClient, version: Any) -> None:
    named = {"__jsonclass__": ["decimal.Decimal", ["1"]]}
    call = {**version, "method": "echo", "params": [named], "id": "a"}
    headers = {"Content-Type": "application/json-rpc"}
    reply = {**(version or {"error": None}), "result": named, "id": "a"}
    assert echoing.post("/", json.dumps(call).encode(), headers=headers).json() == reply


@given(JSON | st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "method": st.just("echo")}))
def test_any_json_has_a_regular_reply(echoing: TestClient, value: Any) -> None:
    headers = {"Content-Type": "application/json-rpc"}
    answer = echoing.post("/", json.dumps(value).encode(), headers=headers)
    assert answer.status_code == 200
    if not answer.content:
        return
    replies = answer.json() if isinstance(answer.json(), list) else [answer.json()]
    for reply in replies:
        assert "id" in reply
        error = reply.get("error")
        assert error is None or error["code"] in (-32600, -32601, -32602)


@given(SIMPLE)
def test_what_is_written_is_read_by_a_client(value: Any) -> None:
    head, tail = "<methodResponse><params><param>", "</param></params></methodResponse>"
    assert xmlrpc.loads(head + value_of(value) + tail, use_builtin_types=True)[0][0] == value


@given(st.binary(max_size=200) | st.text("<>/methodCallNparsvu &;i4?!", max_size=200))
def test_anything_else_is_a_fault(body: bytes | str) -> None:
    data = body.encode() if isinstance(body, str) else b"<methodCall>" + body
    with pytest.raises(CallFault):
        parse(data)


def test_work_after_calls(app: Atila) -> None:
    done: list[str] = []

    @app.route("/add")
    def add(was, a: int, b: int):
        was.after(done.append, f"add {a}")
        if b < 0:
            raise HTTPError(409)
        return a + b

    @app.route("/later")
    async def later(was, a: int):
        was.after(done.append, f"later {a}")
        if a < 0:
            raise HTTPError(409)
        return a

    calls = [("add", [1, 2]), ("add", [2, -1]), ("later", [3]), ("later", [-4]), ("add", [5, 0])]
    batch = [
        {"jsonrpc": "2.0", "id": n, "method": method, "params": params}
        for n, (method, params) in enumerate(calls)
    ]
    answers = app.test_client().post("/rpc2", json=batch).json()
    assert [answer.get("result") for answer in answers] == [3, None, 3, None, 5]
    # Those of the failed calls are not among them.
    assert done == ["add 1", "later 3", "add 5"]
