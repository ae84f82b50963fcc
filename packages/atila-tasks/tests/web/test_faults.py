"""Servers that do what no server should: each call fails in its time, the next one works."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atila import Atila, HTTPError, Was
from atila.testing.waits import PATIENCE
from atila_tasks import (
    STA_NETERR,
    STA_NORMAL,
    STA_REQFAIL,
    STA_TIMEOUT,
    BadResponse,
    Unreachable,
    UpstreamError,
)

Fixture = Any
pytestmark = pytest.mark.waits
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "closed before an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed|no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "broke off"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
            "broke off|no HTTP",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\nabcabcabc", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no HTTP"),
        (b"\x16\x03\x01garbage\r\n\r\n", "no HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "no HTTP|closed"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 100_000 + b"\r\n", "no HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
            "broke off",
        ),
    ],
)
def test_what_is_no_answer(
    app: Atila, ask: Fixture, answer: Callable[[bytes], int], data: bytes, told: str
) -> None:
    app.alias("@bad", "*http", f"127.0.0.1:{answer(data)}")
    for _ in range(2):
        result = ask(lambda was: was.get("@bad/x", timeout=5))
        assert (result.status, result.data) == (STA_NETERR, None)
        assert type(result.error) is UpstreamError
        assert result.error.code == 502
        assert result.error.report.startswith("@bad: ")
        assert re.search(told, result.error.report)


def test_more_than_was_told_is_not_taken_for_the_next_answer(
    app: Atila, ask: Fixture, answer: Callable[[bytes], int]
) -> None:
    forged = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/plain\r\n\r\nforged"
    app.alias("@more", "*http", f"127.0.0.1:{answer(forged)}", max_conns=1)
    assert [ask(lambda was: was.get("@more/x")).data for _ in range(4)] == ["ok"] * 4


def test_refused(app: Atila, ask: Fixture) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        app.alias("@refused", "*http", f"127.0.0.1:{probe.getsockname()[1]}")
        for address in ("@refused/x", f"http://127.0.0.1:{probe.getsockname()[1]}/"):
            result = ask(lambda was, address=address: was.get(address))
            assert result.status == STA_NETERR
            assert isinstance(result.error, Unreachable)
            assert "refused" in result.error.report


def test_no_such_host(ask: Fixture) -> None:
    result = ask(lambda was: was.get("http://no-such-host.invalid/"))
    assert result.status == STA_NETERR
    assert isinstance(result.error, Unreachable)


@pytest.mark.parametrize("http2", [False, True])
def test_a_connection_that_is_never_made(
    app: Atila, ask: Fixture, listen: Fixture, http2: bool
) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    # It takes the connection, but never shakes hands.
    port = listen(hang)
    app.alias("@never", "*https", f"localhost:{port}", connect_timeout=0.1, http2=http2)
    result = ask(lambda was: was.get("@never/", timeout=10))
    assert result.status == STA_NETERR
    assert isinstance(result.error, Unreachable)
    assert "in time" in result.error.report


def test_reset(app: Atila, ask: Fixture, listen: Fixture) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    app.alias("@reset", "*http", f"127.0.0.1:{listen(serve)}")
    for use in (lambda was: was.get("@reset/"), lambda was: was.post("@reset/", b"x")):
        assert ask(use).status == STA_NETERR


def test_hangs(app: Atila, ask: Fixture, listen: Fixture) -> None:
    closed = threading.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.read() == b""
        finally:
            closed.release()

    app.alias("@hangs", "*http", f"127.0.0.1:{listen(serve)}", max_conns=1)
    for _ in range(3):
        # With one connection: each is given up, and none is in the way of the next.
        result = ask(lambda was: was.get("@hangs/", timeout=0.3))
        assert result.status == STA_TIMEOUT
        assert result.error.code == 504
        assert closed.acquire(timeout=PATIENCE)


def test_a_body_that_hangs(app: Atila, ask: Fixture, listen: Fixture) -> None:
    closed = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            await reader.read()
        finally:
            closed.set()

    app.alias("@hangs", "*http", f"127.0.0.1:{listen(serve)}")
    assert ask(lambda was: was.get("@hangs/", timeout=0.3)).status == STA_TIMEOUT
    assert closed.wait(PATIENCE)


def test_a_member_that_hangs_is_passed_over(app: Atila, run: Fixture, listen: Fixture) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)

    members = [f"127.0.0.1:{listen(hang)}", f"127.0.0.1:{listen(serve)}"]
    app.alias("@some", "*http", members, answer_timeout=1)

    def use(was: Was) -> Any:
        balanced = [was.get.lb("@some/").fetch() for _ in range(4)]
        return balanced, was.get.map("@some/").dispatch()

    balanced, (first, second) = run(use)
    assert balanced == ["ok"] * 4
    assert (first.status, second.status) == (STA_TIMEOUT, STA_NORMAL)
    assert first.error.code == 504


@pytest.mark.parametrize("length", [b"Content-Length: 100000000", b"X-No: length"])
def test_a_body_that_is_too_large(app: Atila, ask: Fixture, listen: Fixture, length: bytes) -> None:
    ended = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            ended.set()

    app.alias("@large", "*http", f"127.0.0.1:{listen(serve)}", max_response=1_000_000)
    result = ask(lambda was: was.get("@large/"))
    assert result.status == STA_REQFAIL
    assert isinstance(result.error, BadResponse)
    assert "more than 1000000 bytes" in result.error.report
    assert ended.wait(PATIENCE)


def test_a_small_body_that_unpacks_to_a_large_one(
    app: Atila, ask: Fixture, answer: Callable[[bytes], int]
) -> None:
    import gzip

    packed = gzip.compress(b"\0" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    app.alias("@bomb", "*http", f"127.0.0.1:{answer(head + packed)}", max_response=1_000_000)
    result = ask(lambda was: was.get("@bomb/"))
    assert result.status == STA_REQFAIL
    assert "more than 1000000 bytes" in result.error.report


def test_a_server_that_comes_back(app: Atila, ask: Fixture, servers: Fixture) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK)
        except asyncio.IncompleteReadError:
            writer.close()

    async def stop() -> None:
        server.close()
        for writer in writers:
            writer.close()
        writers.clear()

    def start(port: int) -> asyncio.Server:
        started: asyncio.Server = servers.run(
            asyncio.start_server(serve, "127.0.0.1", port, reuse_address=True)
        )
        return started

    writers: list[asyncio.StreamWriter] = []
    server = start(0)
    port = server.sockets[0].getsockname()[1]
    app.alias("@back", "*http", f"127.0.0.1:{port}")

    @app.route("/ask")
    def handler(was: Was, method: str) -> str:
        result = getattr(was, method)("@back/x").dispatch()
        return f"{result.status} {result.status_code} {result.data}"

    with app.test_client() as client:
        for method in ("get", "post"):
            assert client.get(f"/ask?method={method}").text == f"{STA_NORMAL} 200 ok"
            # A connection that is closed while nobody uses it is no failure of the next request.
            servers.run(stop())
            server = start(port)
            assert client.get(f"/ask?method={method}").text == f"{STA_NORMAL} 200 ok"
            servers.run(stop())
            assert client.get(f"/ask?method={method}").text == f"{STA_NETERR} None None"
            server = start(port)
            assert client.get(f"/ask?method={method}").text == f"{STA_NORMAL} 200 ok"
    servers.run(stop())


def test_redirects(app: Atila, ask: Fixture, port: int) -> None:
    app.alias("@to", "*http", f"u:p@127.0.0.1:{port}", headers={"X-Api-Key": "k"})
    headers = {"Cookie": "a=b", "X-Token": "t"}

    def told(method: str, code: int, url: str) -> Any:
        payload = [] if method == "get" else [{"a": 1}]
        result = ask(
            lambda was: getattr(was, method)(
                "@to/to", *payload, params={"code": code, "url": url}, headers=headers
            )
        )
        assert result.status == STA_NORMAL, result.error
        return result.data

    same = told("get", 302, "/base/x?y")
    assert same["target"] == "/base/x?y"
    assert same["headers"]["authorization"] == "Basic dTpw"
    assert same["headers"]["cookie"] == "a=b"
    # Another origin: another host, even if it is the same machine.
    other = told("get", 302, f"http://localhost:{port}/x")
    assert other["target"] == "/x"
    for name in ("authorization", "cookie", "x-api-key", "x-token"):
        assert name not in other["headers"]
    assert told("post", 303, "/x")["method"] == "GET"
    assert told("post", 302, "/x")["method"] == "GET"
    assert "content-type" not in told("post", 301, "/x")["headers"]
    again = told("post", 307, "/x")
    assert (again["method"], again["body"]) == ("POST", '{"a":1}')
    assert again["headers"]["content-type"] == "application/json"
    assert told("put", 308, "/x")["method"] == "PUT"
    assert told("get", 302, f"http://evil:pw@127.0.0.1:{port}/x")["headers"]["authorization"] == (
        "Basic dTpw"
    )


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "no URL"),
        ("http://a:99999/", "no URL"),
        ("/x y", "no URL"),
        ("//[/", "no URL"),
    ],
)
def test_redirects_that_lead_nowhere(ask: Fixture, port: int, url: str, why: str) -> None:
    result = ask(lambda was: was.get(f"http://127.0.0.1:{port}/to", params={"url": url}))
    assert result.status == STA_REQFAIL
    assert why in result.error.report
    assert result.response.code == 302


def test_redirects_have_an_end(app: Atila, ask: Fixture, answer: Callable[[bytes], int]) -> None:
    data = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\n{}"
    port = answer(data)
    app.alias("@round", "*http", f"127.0.0.1:{port}")
    result = ask(lambda was: was.get("@round/"))
    assert result.status == STA_REQFAIL
    assert "without an end" in result.error.report
    app.alias("@none", "*http", f"127.0.0.1:{port}", max_redirects=0)
    result = ask(lambda was: was.get("@none/"))
    assert (result.status, result.response.code) == (STA_NORMAL, 302)
    assert result.response.headers["location"] == "/x"


def test_an_app_that_lets_it_pass_answers_502_or_504(
    app: Atila, answer: Callable[[bytes], int], listen: Fixture
) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    ports = [answer(b"HTTP/1.1 404 Not Found\r\n\r\n"), answer(b""), listen(hang)]
    for number, port in enumerate(ports):
        app.alias(f"@n{number}", "*http", f"user:hidden@127.0.0.1:{port}")

    @app.route("/fetch")
    def fetch(was: Was, name: str) -> Any:
        return was.get(name, timeout=0.2 if name == "@n2" else 20).fetch()

    @app.route("/yield", coroutine=True)
    def yielded(was: Was, name: str) -> Any:
        task = yield was.get(name, timeout=0.2 if name == "@n2" else 20)
        return task.fetch()

    @app.route("/await")
    async def awaited(was: Was, name: str) -> Any:
        return (await was.get(name, timeout=0.2 if name == "@n2" else 20)).fetch()

    client = app.test_client()
    for path in ("/fetch", "/yield", "/await"):
        answers = [client.get(f"{path}?name=@n{number}") for number in range(3)]
        assert [response.status_code for response in answers] == [502, 502, 504]
        assert not any("hidden" in r.text or "127.0.0.1" in r.text for r in answers)


def test_nothing_is_left_behind(
    app: Atila, ask: Fixture, answer: Callable[[bytes], int], listen: Fixture
) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    ports = [answer(OK), answer(b""), answer(half), answer(b"garbage\r\n\r\n"), listen(hang)]
    for number, port in enumerate(ports):
        app.alias(f"@f{number}", "*http", f"127.0.0.1:{port}", idle_timeout=0.1)
    statuses: set[int] = set()

    @app.route("/all", coroutine=True)
    def handler(was: Was) -> Any:
        for _ in range(10):
            timeouts = [30, 30, 30, 30, 0.01]
            tasks = yield was.Tasks(
                [was.get(f"@f{n}/x", timeout=timeouts[n]) for n in range(5) for _ in range(10)]
            )
            statuses.update(result.status for result in tasks.dispatch())
        return ""

    def counted() -> tuple[int, int, int]:
        gc.collect()
        site = app.site
        tasks = len(asyncio.all_tasks(site.loop.loop))
        return len(os.listdir("/proc/self/fd")), threading.active_count(), tasks

    with app.test_client() as client:
        client.get("/all")
        # What there is already need not be searched each time.
        gc.freeze()
        try:
            before = _settled(counted)
            for _ in range(3):
                assert client.get("/all").status_code == 200
            # 1,500 requests later.
            after = _settled(counted)
        finally:
            gc.unfreeze()
    assert statuses == {STA_NORMAL, STA_NETERR, STA_TIMEOUT}
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 5
    assert after[2] <= before[2]


def _settled(counted: Callable[[], tuple[int, int, int]]) -> tuple[int, int, int]:
    """What is counted, when it has been the same for half a second."""
    last, same = counted(), 0
    wait = threading.Event()
    for _ in range(200):
        wait.wait(0.05)
        now = counted()
        same = same + 1 if now == last else 0
        last = now
        if same == 10:
            break
    return last


def test_connections_are_closed_with_the_site(app: Atila, listen: Fixture) -> None:
    closed = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        assert await reader.read() == b""
        closed.set()

    port = listen(serve)
    app.alias("@kept", "*http", f"127.0.0.1:{port}", idle_timeout=60)
    app.route("/alias")(lambda was: was.get("@kept/").fetch())
    app.route("/url")(lambda was: was.get(f"http://127.0.0.1:{port}/").fetch())
    for path in ("/alias", "/url"):
        closed.clear()
        with app.test_client() as client:
            assert client.get(path).text == "ok"
            assert not closed.is_set()
        assert closed.wait(PATIENCE)


@pytest.mark.memory
def test_a_large_file_is_not_read_into_memory(
    app: Atila, ask: Fixture, listen: Fixture, tmp_path: Path
) -> None:
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        while piece := await reader.read(65536):
            received += len(piece)
            if received > 100_000_000 and piece.endswith(b"--\r\n"):
                writer.write(OK)
                break

    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    app.alias("@large", "*http", f"127.0.0.1:{listen(serve)}")
    tracemalloc.start()
    try:
        result = ask(lambda was: was.upload("@large/", {"name": "Hans", "file": path}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (result.status, result.data) == (STA_NORMAL, "ok")
    assert peak < 20_000_000


def test_no_secret_is_told(
    app: Atila, caplog: pytest.LogCaptureFixture, answer: Callable[[bytes], int]
) -> None:
    caplog.set_level("DEBUG")
    ports = [answer(OK), answer(b""), answer(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ports.append(probe.getsockname()[1])
        secrets = ["hunter2", "aHVudGVyMg", "sesame", "c2VzYW1l", "dTpodW50ZXIy"]
        for number, port in enumerate(ports):
            app.alias(
                f"@s{number}", "*http", f"u:hunter2@127.0.0.1:{port}", headers={"X-Key": "sesame"}
            )
        told: list[str] = []

        @app.route("/ask")
        def handler(was: Was, number: int, url: bool = False) -> Any:
            address = f"http://u:hunter2@127.0.0.1:{ports[int(number)]}/" if url else f"@s{number}"
            stub = was.stub(address, auth="sesame" if url else None)
            task = stub.get("/x", headers={"X-Other": "sesame"})
            result = task.dispatch()
            told.extend([repr(stub), repr(task), repr(result), repr(result.error)])
            told.append(str(result.error) + repr(getattr(result.error, "__dict__", {})))
            told.append(repr(result.response))
            raise result.error or HTTPError(500)

        @app.route("/raise")
        def raising(was: Was) -> Any:
            try:
                was.get("@s1/x").fetch()
            except UpstreamError as error:
                raise RuntimeError("wrapped") from error

        client = app.test_client()
        for number in range(4):
            for extra in ("", "&url=1"):
                told.append(client.get(f"/ask?number={number}{extra}").text)
        told.append(client.get("/raise").text)
    assert "wrapped" in caplog.text
    everything = caplog.text + "".join(told)
    assert not [secret for secret in secrets if secret in everything]
