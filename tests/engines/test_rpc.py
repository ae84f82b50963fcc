"""XML-RPC and JSON-RPC: clients of other projects call ordinary handlers, on every engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from xmlrpc import client as xmlrpc

import httpx
import jsonrpclib
import pytest
from jsonrpclib.config import Config
from support.servers import USUAL, Server

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "rpc.py"
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12))
    + "]><methodCall><methodName>&m;</methodName></methodCall>"
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<methodCall><methodName>echo</methodName><params><param><value>&x;</value></param></params>"
    "</methodCall>"
)


@pytest.fixture
def proxy(server: Server) -> Iterator[xmlrpc.ServerProxy]:
    """Python's XML-RPC client."""
    url = server.url("/rpc2")
    with xmlrpc.ServerProxy(url, allow_none=True, use_builtin_types=True) as proxy:
        yield proxy


@pytest.fixture(params=[2.0, 1.0])
def remote(server: Server, request: pytest.FixtureRequest) -> jsonrpclib.ServerProxy:
    """jsonrpclib-pelix, in both versions of the protocol."""
    config = Config(version=request.param, use_jsonclass=False)
    return jsonrpclib.ServerProxy(server.url("/rpc2"), config=config)


# XML-RPC ------------------------------------------------------------------------------------------


def test_xmlrpc_example(proxy: xmlrpc.ServerProxy) -> None:
    assert proxy.add(156, 952) == 1108
    assert proxy.add("a", "b") == "ab"


def test_xmlrpc_kinds_of_handlers_and_values(proxy: xmlrpc.ServerProxy) -> None:
    assert proxy.later([1, "x"]) == {"value": [1, "x"]}
    assert proxy.coroutine("abc") == {"result": "ABC"}
    assert proxy.kinds() == {
        "none": None,
        "list": [1, 2.5, True, "ä<&>"],
        "when": datetime(2026, 1, 2, 3, 4, 5),
        "bytes": b"\0\1\2",
    }
    assert proxy.sub.typed(7) == [7, ""]
    assert proxy.user(7) == {"id": 7, "seen": 7}
    assert proxy.users.__getattr__("8")() == {"id": 8, "seen": 8}


@pytest.mark.parametrize("path", ["/", "/RPC2", "/any/where"])
def test_xmlrpc_goes_by_the_content_type(server: Server, path: str) -> None:
    with xmlrpc.ServerProxy(server.url(path)) as proxy:
        assert proxy.add(1, 2) == 3


def test_a_route_that_names_the_type_gets_the_body(client: httpx.Client) -> None:
    answer = client.post("/xml", content=b"<a/>", headers={"Content-Type": "text/xml"})
    assert answer.text == "4 bytes of XML"


def test_xmlrpc_introspection(proxy: xmlrpc.ServerProxy) -> None:
    methods = proxy.system.listMethods()
    assert {"add", "sub.typed", "user", "system.listMethods"} <= set(methods)
    assert "got" not in methods
    assert proxy.system.methodHelp("add") == "Adds two things."
    assert proxy.system.methodSignature("sub.typed") == [["array", "int", "string"]]
    assert proxy.system.methodSignature("add") == "undef"


def test_xmlrpc_multicall(proxy: xmlrpc.ServerProxy) -> None:
    calls = xmlrpc.MultiCall(proxy)
    calls.add(1, 2)
    calls.later(3)
    calls.missing()
    calls.add(4, 5)
    results = calls()
    assert (results[0], results[1], results[3]) == (3, {"value": 3}, 9)
    with pytest.raises(xmlrpc.Fault) as caught:
        results[2]
    assert caught.value.faultCode == 404


@pytest.mark.parametrize(
    ("name", "params", "code", "text"),
    [
        ("missing", (), 404, "404 Not Found: no spoon"),
        ("numbered", (), 40011, "400 Bad Request: missing user ID"),
        ("fault", (), 40901, "409 Conflict: taken"),
        ("fails", (), -32603, "Internal error"),
        ("page", (), -32603, "Internal error"),
        ("got", (), -32601, "Method not found: 'got'"),
        ("none.such", (), -32601, "Method not found: 'none.such'"),
        ("system.none", (), -32601, "Method not found: 'system.none'"),
        ("add", (1,), -32602, "Invalid params: parameter 'b' is required"),
        ("add", (1, 2, 3), -32602, "Invalid params: 2 are taken, 3 given"),
        ("checked", ("x",), -32602, None),
        ("echo", (2**31 - 1,), None, None),
    ],
)
def test_xmlrpc_faults(proxy: xmlrpc.ServerProxy, name, params, code, text) -> None:
    method = getattr(proxy, name)
    if code is None:
        assert method(*params) == params[0]
        return
    with pytest.raises(xmlrpc.Fault) as caught:
        method(*params)
    assert caught.value.faultCode == code
    assert text is None or caught.value.faultString == text


def _nested_xml(depth: int) -> str:
    value = "<value><array><data>" * depth + "</data></array></value>" * depth
    return (
        "<methodCall><methodName>echo</methodName>"
        f"<params><param>{value}</param></params></methodCall>"
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (BOMB, -32700),
        (EXTERNAL, -32700),
        (_nested_xml(50_000), -32700),
        ("<methodCall><methodName>echo</methodName>", -32700),
        ("<foo><methodName>echo</methodName></foo>", -32600),
        ("<methodResponse><params></params></methodResponse>", -32600),
        ("not XML", -32700),
        ("<methodCall><params></params></methodCall>", -32600),
        (xmlrpc.dumps((1,), "echo").replace("<int>1", "<int>one"), -32700),
        (xmlrpc.dumps((1,), "echo").replace("<int>1", f"<int>{'9' * 100_000}"), -32700),
        ("", -32700),
    ],
)
def test_xmlrpc_bad_bodies(client: httpx.Client, body: str, code: int) -> None:
    answer = client.post("/rpc2", content=body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 200
    assert "root:" not in answer.text
    with pytest.raises(xmlrpc.Fault) as caught:
        xmlrpc.loads(answer.content)
    assert caught.value.faultCode == code


def test_xmlrpc_nested_as_deep_as_it_may_comes_back(client: httpx.Client) -> None:
    answer = client.post("/rpc2", content=_nested_xml(100), headers={"Content-Type": "text/xml"})
    assert answer.text.count("<array>") == 100


@pytest.mark.parametrize("kind", ["text", "number", "object", "deep"])
def test_what_xmlrpc_cannot_write_is_a_fault(proxy: xmlrpc.ServerProxy, kind: str) -> None:
    with pytest.raises(xmlrpc.Fault) as caught:
        proxy.unwritable(kind)
    assert caught.value.faultCode == -32603
    calls = xmlrpc.MultiCall(proxy)
    calls.unwritable(kind)
    calls.add(1, 2)
    assert calls()[1] == 3


# JSON-RPC -----------------------------------------------------------------------------------------


def test_jsonrpc_example(remote: jsonrpclib.ServerProxy) -> None:
    assert remote.add(156, 952) == 1108
    assert remote.later({"a": [1, None]}) == {"value": {"a": [1, None]}}
    assert remote.coroutine("abc") == {"result": "ABC"}
    assert remote.sub.typed(7) == [7, ""]
    assert "add" in remote.system.listMethods()


def test_jsonrpc_named_parameters(remote: jsonrpclib.ServerProxy) -> None:
    assert remote.add(b="b", a="a") == "ab"
    assert remote.user(id=3) == {"id": 3, "seen": 3}


def test_jsonrpc_notification(server: Server, remote: jsonrpclib.ServerProxy, name: str) -> None:
    remote._notify.note(name)
    server.board.wait_count(name)


def test_jsonrpc_batch_of_a_client(server: Server, name: str) -> None:
    config = Config(use_jsonclass=False)
    batch = jsonrpclib.MultiCall(jsonrpclib.ServerProxy(server.url("/rpc2"), config=config), config)
    batch.add(1, 2)
    batch._notify.note(name)
    batch.later(5)
    assert list(batch()) == [3, {"value": 5}]
    assert server.board.count(name) == 1


def test_jsonrpc_errors(remote: jsonrpclib.ServerProxy) -> None:
    for call, code in [
        (lambda: remote.missing(), 404),
        (lambda: remote.numbered(), 40011),
        (lambda: remote.fault(), 40901),
        (lambda: remote.fails(), -32603),
        (lambda: remote.none.such(), -32601),
        (lambda: remote.add(1), -32602),
        (lambda: remote.add(1, 2, 3), -32602),
        (lambda: remote.add(a=1, c=2), -32602),
        (lambda: remote.checked("x"), -32602),
    ]:
        with pytest.raises(jsonrpclib.ProtocolError) as caught:
            call()
        assert caught.value.args[0][0] == code


def ask(client: httpx.Client, body: object, path: str = "/rpc2") -> httpx.Response:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(path, content=content, headers={"Content-Type": "application/json"})


V2 = {"jsonrpc": "2.0"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # Those of the specification, section 7.
        (
            {**V2, "method": "add", "params": [42, 23], "id": 1},
            {**V2, "result": 65, "id": 1},
        ),
        ({**V2, "method": "echo", "params": {"value": 3}}, None),
        ({**V2, "method": "foobar"}, None),
        ([], (-32600, None)),
        ([1], [(-32600, None)]),
        ([1, 2, 3], [(-32600, None)] * 3),
        ({**V2, "method": 1, "params": "bar"}, (-32600, None)),
        ({**V2, "method": "foobar", "id": "1"}, (-32601, "1")),
        ([{**V2, "method": "echo"}, {**V2, "method": "echo"}], None),
        # Beyond them.
        ({"jsonrpc": "3.0", "method": "echo", "id": 5}, (-32600, None)),
        ({**V2, "method": "echo", "params": 5, "id": 5}, (-32600, 5)),
        ({**V2, "method": "echo", "params": None, "id": 5}, (-32600, 5)),
        ({**V2, "method": "echo", "id": [1]}, (-32600, None)),
        ({**V2, "method": "echo", "id": None}, {**V2, "result": None, "id": None}),
        ("x", (-32600, None)),
        ({}, (-32600, None)),
        (
            {"method": "add", "params": [1, 2], "id": [7]},
            (-32600, None),
        ),
        (
            {"method": "add", "params": [1, 2], "id": "one"},
            {"result": 3, "error": None, "id": "one"},
        ),
        ({"method": "echo", "params": [1], "id": None}, None),
        ([{**V2, "method": "echo", "id": n} for n in range(1001)], (-32600, None)),
    ],
)
def test_jsonrpc_by_the_letter(client: httpx.Client, sent: object, expected: object) -> None:
    answer = ask(client, json.dumps(sent))
    assert answer.status_code == 200
    if expected is None:
        assert answer.content == b""
    elif isinstance(expected, dict):
        assert answer.json() == expected
    else:
        replies = answer.json()
        pairs = expected if isinstance(expected, list) else [expected]
        replies = replies if isinstance(expected, list) else [replies]
        assert [(reply["error"]["code"], reply["id"]) for reply in replies] == pairs


@pytest.mark.parametrize(
    "body",
    [
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        b"\xff\xfe",
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"params":' * 100_000 + "1" + "}" * 100_000,
        '{"jsonrpc":"2.0","method":"echo","params":["\\ud800"],"id":1}',
        "",
    ],
)
def test_jsonrpc_bad_bodies(client: httpx.Client, body: str | bytes) -> None:
    answer = ask(client, body).json()
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)


def test_json_elsewhere_is_no_call(client: httpx.Client) -> None:
    call = {**V2, "method": "add", "params": [1, 2], "id": 1}
    assert ask(client, call, "/nowhere").status_code == 404
    # A route answers there, as it always did.
    assert ask(client, {"value": "x"}, "/echo").text == "x"
    headers = {"Content-Type": "application/json-rpc"}
    answer = client.post("/nowhere", content=json.dumps(call), headers=headers)
    assert answer.json()["result"] == 3


def test_what_is_no_call_at_all(client: httpx.Client) -> None:
    answer = client.post("/rpc2", content="add 1 2", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/json-rpc" in answer.json()["detail"]
    assert client.get("/rpc2").status_code == 404


def test_access_control_holds_for_calls(server: Server, client: httpx.Client) -> None:
    stranger = xmlrpc.ServerProxy(server.url("/rpc2"))
    with stranger, pytest.raises(xmlrpc.Fault) as caught:
        stranger.staff()
    assert caught.value.faultCode == 403
    with xmlrpc.ServerProxy(server.url("/rpc2"), headers=[("X-Staff", "yes")]) as member:
        assert member.staff() == "welcome"
    assert ask(client, {"method": "staff", "id": 1}).json()["error"]["code"] == 403


def test_a_session_goes_through_a_batch(client: httpx.Client) -> None:
    visits = [{"method": "visits", "id": number} for number in (1, 2)]
    assert [reply["result"] for reply in ask(client, visits).json()] == [1, 2]
    assert [reply["result"] for reply in ask(client, visits).json()] == [3, 4]


def test_nothing_leaks_and_all_is_logged(server: Server, client: httpx.Client) -> None:
    answer = ask(client, {**V2, "method": "fails", "id": 1})
    assert "secret" not in answer.text
    request_id = answer.json()["error"]["data"]["request_id"]
    assert request_id in server.log()
    assert "a secret of the server" in server.log()


def test_a_body_too_large_is_a_fault(client: httpx.Client) -> None:
    body = xmlrpc.dumps(("x" * 5 * 1024 * 1024,), "echo")
    answer = client.post("/rpc2", content=body, headers={"Content-Type": "text/xml"})
    with pytest.raises(xmlrpc.Fault) as caught:
        xmlrpc.loads(answer.content)
    assert caught.value.faultCode == 413
    answer = ask(client, json.dumps({"x": "x" * 5 * 1024 * 1024}))
    assert answer.json()["error"]["code"] == 413


@pytest.mark.memory
def test_memory_under_attack(server: Server, client: httpx.Client) -> None:
    bodies = [BOMB, EXTERNAL, _nested_xml(50_000)]
    deep = "[" * 100_000 + "]" * 100_000

    def attack(times: int) -> None:
        for _ in range(times):
            for body in bodies:
                client.post("/rpc2", content=body, headers={"Content-Type": "text/xml"})
            ask(client, deep)

    attack(3)
    before = server.resident()
    attack(15)
    assert server.resident() - before < 30 * 1024 * 1024
    assert client.get("/").text == "ready"
