"""XML-RPC of the standard library's server, JSON-RPC of one that plays all parts, bad answers."""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections.abc import Callable, Iterator
from typing import Any
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import orjson
import pytest

from atila import Atila, Was
from atila.testing.waits import PATIENCE
from atila_tasks import STA_NETERR, STA_NORMAL, STA_REQFAIL, BadResponse, RpcError, batch

Fixture = Any


class _Quiet(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/base/rpc2",)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def xml_port() -> Iterator[int]:
    """The standard library's server of XML-RPC."""

    def fail() -> None:
        raise ValueError("inner detail")

    server = SimpleXMLRPCServer(
        ("127.0.0.1", 0), _Quiet, logRequests=False, allow_none=True, use_builtin_types=True
    )
    server.register_introspection_functions()
    server.register_function(lambda a, b: a + b, "add")
    server.register_function(lambda value: value, "echo")
    server.register_function(fail)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


@pytest.fixture
def rpc(app: Atila, xml_port: int) -> str:
    app.alias("@myapi", "*http", f"127.0.0.1:{xml_port}/base")
    return "@myapi"


def test_the_example_of_the_specification(run: Fixture, rpc: str) -> None:
    def use(was: Was) -> Any:
        with was.xmlrpc("@myapi/rpc2") as stub:
            task3 = stub.add(156, 952)
        return task3.fetch()

    assert run(use) == 1108


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        1.5,
        "Zürich <&>",
        b"\x00\xff",
        [1, [2, "a"]],
        {"a": {"b": [1]}},
        datetime.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001,RUF100 - XML-RPC has no zones
    ],
)
def test_values_of_xml(run: Fixture, rpc: str, value: Any) -> None:
    assert run(lambda was: was.xmlrpc("@myapi/rpc2").echo(value).fetch()) == value


def test_names_with_dots(run: Fixture, rpc: str) -> None:
    names = run(lambda was: was.xmlrpc("@myapi/rpc2").system.listMethods().fetch())
    assert "add" in names


def test_faults_of_xml(ask: Fixture, rpc: str) -> None:
    result = ask(lambda was: was.xmlrpc("@myapi/rpc2").fail())
    assert result.status == STA_REQFAIL
    assert isinstance(result.error, RpcError)
    assert (result.error.code, result.error.fault) == (502, 1)
    assert "inner detail" in result.error.reason
    # For those who read the log, not for our client.
    assert "inner detail" in str(result.error)
    assert "inner detail" not in result.error.detail
    unknown = ask(lambda was: was.xmlrpc("@myapi/rpc2").nothing())
    assert isinstance(unknown.error, RpcError)


def test_what_cannot_be_sent_as_xml(run: Fixture, rpc: str) -> None:
    def use(was: Was) -> None:
        with pytest.raises(OverflowError):
            was.xmlrpc("@myapi/rpc2").add(2**40)
        with pytest.raises(TypeError):
            was.xmlrpc("@myapi/rpc2").add(object())
        with pytest.raises(TypeError, match="by name"):
            was.xmlrpc("@myapi/rpc2").add(a=1)

    run(use)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<methodResponse><params><param><value><string>&b;</string></value></param></params></methodResponse>
"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>
<methodResponse><params><param><value><string>&a;</string></value></param></params></methodResponse>
"""


@pytest.mark.parametrize("body", [BOMB, OUTSIDE, b"<methodResponse>", b"nonsense", b"", b"<a/>"])
def test_answers_that_are_no_xml_rpc(
    app: Atila, ask: Fixture, answer: Callable[[bytes], int], body: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
    app.alias("@xml", "*http", f"127.0.0.1:{answer(head + body)}")
    result = ask(lambda was: was.xmlrpc("@xml").add(1))
    assert result.status == STA_REQFAIL
    assert type(result.error) is BadResponse
    assert result.error.report == "@xml answered no XML-RPC"


def _answered(call: dict[str, Any]) -> dict[str, Any]:
    params = call.get("params", [])
    answered: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
    match call["method"]:
        case "add":
            answered["result"] = sum(params.values() if isinstance(params, dict) else params)
        case "other.id":
            answered |= {"id": -1, "result": 1}
        case "nothing":
            pass
        case "null":
            answered["result"] = None
        case "echo":
            (answered["result"],) = params
        case name:
            error = {"code": -32601, "message": f"no {name}", "data": [1]}
            answered["error"] = error
    return answered


@pytest.fixture
def json(app: Atila, listen: Fixture) -> str:
    """An alias of a server of JSON-RPC."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A connection that ends without a word may end beneath the next request.
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert "content-type: application/json" in head
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            calls = orjson.loads(await reader.readexactly(length))
            if isinstance(calls, list):
                body = orjson.dumps([_answered(call) for call in reversed(calls)])
            else:
                body = orjson.dumps(_answered(calls))
            status = b"500 No" if b'"error"' in body and not isinstance(calls, list) else b"200 OK"
            head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % (status, len(body)) + body)

    app.alias("@json", "*http", f"127.0.0.1:{listen(serve)}")
    return "@json"


def test_json_rpc(run: Fixture, json: str) -> None:
    def use(was: Was) -> Any:
        with was.jsonrpc("@json/rpc") as stub:
            return was.Tasks(
                stub.add(156, 952), stub.add(a=1, b=2), stub.null(), stub.add()
            ).fetch()

    assert run(use) == [1108, 3, None, 0]


def test_errors_of_json_rpc(ask: Fixture, json: str) -> None:
    # With status 500, as some servers have it.
    result = ask(lambda was: was.jsonrpc("@json/rpc").system.nope(1))
    assert result.status == STA_REQFAIL
    error = result.error
    assert isinstance(error, RpcError)
    assert (error.fault, error.reason, error.data) == (-32601, "no system.nope", [1])
    for name in ("nothing", "other.id"):
        result = ask(lambda was, name=name: getattr(was.jsonrpc("@json/rpc"), name)())
        assert type(result.error) is BadResponse


def test_a_batch(run: Fixture, json: str) -> None:
    def use(was: Was) -> Any:
        stub = was.jsonrpc("@json/rpc")
        with pytest.raises(ValueError, match="one call"):
            batch(stub)
        with pytest.raises(TypeError, match="not both"):
            stub.add(1, b=2)
        return batch(stub, ("add", 1, 2), ("nope",), ("add", 3, 4)).fetch()

    first, error, third = run(use)
    assert (first, third) == (3, 7)
    assert isinstance(error, RpcError)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"1", b"0", b"null", b"{", b"{}", b'{"result": 1}', b'{"error": 1}'),
        b'{"error": {}, "id": 1}',
        b'{"error": {"code": "x"}}',
        b'{"error": {"code": null, "message": "m"}}',
        b'{"jsonrpc": "3.0", "result": 1, "id": 1}',
        b'{"jsonrpc": [], "result": 1, "id": 1}',
    ],
)
def test_answers_that_are_no_json_rpc(
    app: Atila, ask: Fixture, answer: Callable[[bytes], int], body: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    app.alias("@bad", "*http", f"127.0.0.1:{answer(head + body)}")
    result = ask(lambda was: was.jsonrpc("@bad").add(1))
    assert result.status == STA_REQFAIL
    assert type(result.error) is BadResponse


@pytest.mark.parametrize(
    ("error", "code", "reason", "data"),
    [
        (b'{"code": -32602, "message": "wrong", "data": {"a": 1}}', -32602, "wrong", {"a": 1}),
        (b'{"code": 7, "message": "taken", "data": 2}', 7, "taken", 2),
        (b'{"code": 7}', 7, "<no error message>", None),
        (b'{"message": "none"}', 0, "none", None),
        # Of version 1.0 an error is any value.
        (b'"in words"', 0, "in words", None),
    ],
)
def test_errors_as_servers_have_them(
    app: Atila, ask: Fixture, answer: Fixture, error: bytes, code: int, reason: str, data: Any
) -> None:
    body = b'{"result": null, "error": %s, "id": 1}' % error
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    app.alias("@failing", "*http", f"127.0.0.1:{answer(head + body)}")
    result = ask(lambda was: was.jsonrpc("@failing").add(1))
    assert isinstance(result.error, RpcError)
    assert (result.error.fault, result.error.reason, result.error.data) == (code, reason, data)


def test_a_class_that_a_server_names_is_not_made(run: Fixture, json: str) -> None:
    named = {"__jsonclass__": ["decimal.Decimal", ["1"]]}
    assert run(lambda was: was.jsonrpc("@json/rpc").echo(named).fetch()) == named


def test_a_server_that_is_not_there(app: Atila, ask: Fixture, answer: Fixture) -> None:
    app.alias("@gone", "*http", ["127.0.0.1:1", f"127.0.0.1:{answer(b'')}"])
    for _ in range(2):
        assert ask(lambda was: was.xmlrpc("@gone").add(1)).status == STA_NETERR


def test_all_members_and_the_next_one(app: Atila, run: Fixture, xml_port: int) -> None:
    app.alias("@many", "*http", ["127.0.0.1:1/base", f"127.0.0.1:{xml_port}/base"])

    def use(was: Was) -> Any:
        results = was.xmlrpc.map("@many/rpc2").add(1, 2).dispatch()
        return [result.status for result in results], was.xmlrpc.lb("@many/rpc2").add(1, 2).fetch()

    assert run(use) == ([STA_NETERR, STA_NORMAL], 3)
