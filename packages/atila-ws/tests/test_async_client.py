"""WebSockets of `app.async_test_client()`."""

import asyncio

import pytest

from atila.testing.waits import PATIENCE
from atila_ws import WS_CHATTY, WS_COROUTINE, WS_REPORTY


def run(app, test):
    async def testing():
        async with asyncio.timeout(PATIENCE), app.async_test_client() as client:
            return await test(client)

    return asyncio.run(testing())


@pytest.fixture
def talking(app):
    @app.route("/chatty")
    @app.websocket(WS_CHATTY, protocols=["v1.chat"])
    def chatty(was):
        while message := (yield):
            yield f"ECHO {message}"

    @app.route("/async")
    @app.websocket(WS_COROUTINE)
    async def asynchronous(was):
        async for message in was.websocket:
            await was.websocket.send(f"{message} {id(asyncio.get_running_loop())}")

    @app.route("/reporty")
    @app.websocket(WS_REPORTY)
    def reporty(was, message):
        return message.upper()

    return app


def test_every_style(talking):
    async def test(client):
        async with client.websocket("/chatty") as socket:
            await socket.send_message("a")
            assert await socket.receive_message() == "ECHO a"
            assert socket.protocol is None
        async with client.websocket("/async") as socket:
            await socket.send_message("b")
            assert await socket.receive_message() == f"b {id(asyncio.get_running_loop())}"
        async with client.websocket("/reporty") as socket:
            await socket.send_message("c")
            assert await socket.receive_message() == "C"

    run(talking, test)


def test_protocols_and_headers(talking):
    async def test(client):
        async with client.websocket("/chatty", protocols=["v2.chat", "v1.chat"]) as socket:
            assert socket.protocol == "v1.chat"
        with pytest.raises(ConnectionRefusedError, match="400 "):
            async with client.websocket("/chatty", protocols=["v2.chat"]):
                pass
        with pytest.raises(ConnectionRefusedError, match="403 "):
            await client.websocket("/chatty", headers={"Origin": "https://other.example"})
        with pytest.raises(ConnectionRefusedError, match="404 "):
            await client.websocket("/nowhere")

    run(talking, test)


def test_two_at_once_that_reach_each_other(app):
    @app.route("/room")
    @app.websocket(WS_COROUTINE)
    async def room(was, name):
        was.websocket.join("all")
        await was.websocket.send("joined")
        async for message in was.websocket:
            app.websocket_broadcast("all", f"{name}: {message}")

    async def test(client):
        async with client.websocket("/room?name=a") as one, client.websocket("/room?name=b") as two:
            assert [await one.receive_message(), await two.receive_message()] == ["joined"] * 2
            waiting = asyncio.create_task(two.receive_message())
            await one.send_message("hello")
            assert [await one.receive_message(), await waiting] == ["a: hello"] * 2

    run(app, test)


def test_the_end(app):
    closed = asyncio.Event()

    @app.route("/")
    @app.websocket(WS_COROUTINE)
    async def handler(was):
        try:
            async for message in was.websocket:
                if message == "end":
                    await was.websocket.close(4000, "as asked")
        finally:
            closed.set()

    async def test(client):
        socket = await client.websocket("/")
        await socket.send_message("end")
        assert await socket.receive_message() is None
        assert (socket.close_code, socket.close_reason) == (4000, "as asked")
        closed.clear()
        async with client.websocket("/"):
            pass
        await closed.wait()

    run(app, test)


def test_cookies_of_the_handshake(app):
    def onopen(was):
        was.cookie.set("seen", "yes")

    @app.route("/")
    @app.websocket(WS_CHATTY, onopen=onopen)
    def handler(was):
        yield was.request.get_header("Cookie") or "none"

    async def test(client):
        async with client.websocket("/") as socket:
            assert await socket.receive_message() == "none"
        async with client.websocket("/") as socket:
            assert await socket.receive_message() == "seen=yes"

    run(app, test)
    with app.test_client() as client:
        for expected in ("none", "seen=yes"):
            with client.websocket("/") as socket:
                assert socket.receive_message() == expected
