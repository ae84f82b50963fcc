"""https with a certificate authority of the test's own, and HTTP/2."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from atila import Atila, Was
from atila.testing.waits import PATIENCE
from atila_tasks import STA_NETERR, STA_NORMAL, Unreachable

Fixture = Any


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    """The path of its certificate."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def listen_tls(
    authority: trustme.CA, servers: Fixture
) -> Iterator[Callable[[Any, str, list[str]], int]]:
    """Call it with a function that serves, the name in the certificate, and protocols."""
    opened: list[asyncio.Server] = []

    def listen(serve: Any, name: str, protocols: list[str]) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            writer.close()

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)
        context.set_alpn_protocols(protocols)
        server = servers.run(asyncio.start_server(guarded, "127.0.0.1", 0, ssl=context))
        opened.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield listen
    for server in opened:
        servers.loop.call_soon_threadsafe(server.close)


async def serve_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")


def test_a_certificate_is_verified(app: Atila, ask: Fixture, listen_tls: Fixture, ca: str) -> None:
    port = listen_tls(serve_ok, "localhost", ["http/1.1"])
    app.alias("@strange", "*https", f"localhost:{port}")
    # As it is written in a launch script, wherever the process runs.
    relative = os.path.relpath(ca, os.path.dirname(__file__))
    app.alias("@known", "*https", f"localhost:{port}", ca=relative)
    app.alias("@other", "*https", f"127.0.0.1:{port}", ca=ca)
    strange = ask(lambda was: was.get("@strange/"))
    assert strange.status == STA_NETERR
    assert isinstance(strange.error, Unreachable)
    assert "certificate is not valid" in strange.error.report
    assert ask(lambda was: was.get("@known/")).data == "ok"
    # The certificate is for another name.
    assert "certificate is not valid" in ask(lambda was: was.get("@other/")).error.report
    assert ask(lambda was: was.get(f"https://localhost:{port}/")).status == STA_NETERR


def test_no_way_from_https_to_http(
    app: Atila, ask: Fixture, listen_tls: Fixture, ca: str, port: int
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        to = f"http://127.0.0.1:{port}/"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())

    app.alias("@down", "*https", f"localhost:{listen_tls(serve, 'localhost', [])}", ca=ca)
    result = ask(lambda was: was.get("@down/"))
    assert "from https to http" in result.error.report


def test_a_server_that_speaks_no_tls(app: Atila, ask: Fixture, port: int) -> None:
    app.alias("@plain", "*https", f"127.0.0.1:{port}")
    assert ask(lambda was: was.get("@plain/", timeout=5)).status == STA_NETERR


async def serve_h2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP/2 that tells what it was asked; "/reset" and "/gone" break off."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    heads: dict[int, dict[str, str]] = {}
    bodies: dict[int, bytes] = {}
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                heads[event.stream_id] = dict(event.headers or [])
                bodies[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                bodies[event.stream_id] += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                stream, head = event.stream_id, heads[event.stream_id]
                if head[":path"] == "/reset":
                    connection.reset_stream(stream)
                    continue
                if head[":path"] == "/gone":
                    return
                told = "|".join([head[":method"], head[":path"], head.get("authorization", "")])
                body = gzip.compress(f"{told}|{bodies[stream].decode('latin-1')}".encode())
                kind = [("content-type", "text/plain"), ("content-encoding", "gzip")]
                connection.send_headers(stream, [(":status", "200"), *kind, ("x-a", "1")])
                connection.send_data(stream, body, end_stream=True)
        writer.write(connection.data_to_send())


def test_http2(app: Atila, run: Fixture, listen_tls: Fixture, ca: str, tmp_path: Path) -> None:
    port = listen_tls(serve_h2, "localhost", ["h2"])
    app.alias("@two", "*https", f"u:p@localhost:{port}", ca=ca, http2=True)
    path = tmp_path / "data.txt"
    path.write_text("from disk")

    def use(was: Was) -> Any:
        results = was.Tasks([was.get("@two/a/{}", n) for n in range(20)]).dispatch()
        put = was.put("@two/b", {"a": 1}).fetch()
        file = was.put("@two/c", path).fetch()
        form = was.upload("@two/d", {"name": "Hans", "file": path}).fetch()
        return results, put, file, form

    results, put, file, form = run(use)
    assert [result.data for result in results] == [f"GET|/a/{n}|Basic dTpw|" for n in range(20)]
    assert (results[0].response.code, results[0].response.headers["X-A"]) == (200, "1")
    assert put == 'PUT|/b|Basic dTpw|{"a":1}'
    assert file == "PUT|/c|Basic dTpw|from disk"
    assert 'name="name"' in form
    assert "from disk" in form


def test_one_authority_for_both_versions(
    app: Atila, ask: Fixture, listen_tls: Fixture, ca: str
) -> None:
    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await (serve_h2 if chosen == "h2" else serve_ok)(reader, writer)

    port = listen_tls(both, "localhost", ["h2", "http/1.1"])
    app.alias("@second", "*https", f"localhost:{port}", ca=ca, http2=True)
    app.alias("@first", "*https", f"localhost:{port}", ca=ca)
    assert ask(lambda was: was.get("@second/x")).data == "GET|/x||"
    assert ask(lambda was: was.get("@first/x")).data == "ok"


def test_http2_without_tls(app: Atila, ask: Fixture, listen: Fixture) -> None:
    app.alias("@clear", "*http", f"127.0.0.1:{listen(serve_h2)}", http2=True)
    assert ask(lambda was: was.get("@clear/x")).data == "GET|/x||"


def test_passing_on_to_http2(app: Atila, listen_tls: Fixture, ca: str) -> None:
    port = listen_tls(serve_h2, "localhost", ["h2"])
    app.alias("@myupstream", "*https", f"localhost:{port}/base", ca=ca, http2=True)

    @app.route("/streamed", methods=["POST"], input_stream=True)
    def streamed(was: Was) -> Any:
        return was.ProxyPass("@myupstream", "x")

    @app.route("/collected", methods=["POST"])
    def collected(was: Was) -> Any:
        return was.ProxyPass("@myupstream", "x")

    client = app.test_client()
    for path in ("/streamed", "/collected"):
        response = client.post(path, b"abc" * 1000, headers={"content-type": "a/b"})
        assert response.status_code == 200
        # As it is coded, and said so.
        assert response.headers["content-encoding"] == "gzip"
        assert gzip.decompress(response.content).decode() == "POST|/base/x||" + "abc" * 1000
    app.alias("@myupstream", "*https", f"localhost:{port}", http2=True)
    assert client.post("/streamed", b"").status_code == 502


def test_faults_of_http2(app: Atila, ask: Fixture, listen: Fixture, listen_tls: Fixture) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")

    app.alias("@clear", "*http", f"127.0.0.1:{listen(serve_h2)}", http2=True)
    app.alias("@garbage", "*http", f"127.0.0.1:{listen(garbage)}", http2=True)
    app.alias("@dead", "*http", "127.0.0.1:1", http2=True)
    port = listen_tls(serve_h2, "localhost", ["h2"])
    app.alias("@strange", "*https", f"localhost:{port}", http2=True)
    for target in ("@clear/reset", "@clear/gone", "@garbage/x", "@dead/x", "@strange/x"):
        result = ask(lambda was, target=target: was.get(target, timeout=PATIENCE))
        assert result.status == STA_NETERR, target
    assert isinstance(ask(lambda was: was.get("@dead/")).error, Unreachable)
    assert "certificate" in ask(lambda was: was.get("@strange/")).error.report
    assert ask(lambda was: was.get("@clear/x")).status == STA_NORMAL
