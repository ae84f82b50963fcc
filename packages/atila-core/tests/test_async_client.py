"""The asynchronous test client: `app.async_test_client()`."""

import asyncio
import contextvars
import threading
import time

import pytest

from atila import Atila
from atila.testing import AsyncTestClient, RedirectError
from atila.testing.waits import PATIENCE, wait_until

tag = contextvars.ContextVar("tag", default="none")


@pytest.fixture
def app():
    app = Atila(__name__)
    app.events = []

    @app.route("/def")
    def plain(was, name="you"):
        return f"{name} {threading.current_thread() is threading.main_thread()} {tag.get()}"

    @app.route("/async")
    async def asynchronous(was):
        await asyncio.sleep(0)
        return {"loop": id(asyncio.get_running_loop()), "tag": tag.get()}

    @app.route("/stream")
    def stream(was):
        yield "a"
        yield "b"

    @app.route("/astream")
    async def astream(was):
        async def pieces():
            for piece in ("c", "d"):
                await asyncio.sleep(0)
                yield piece

        return pieces()

    @app.route("/read", methods=["POST"], input_stream=True)
    async def read(was):
        found = b""
        while piece := await was.exchange.read(1000):
            found += piece
        return found

    @app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
    def echo(was, **fields):
        shown = {name: getattr(value, "name", value) for name, value in fields.items()}
        return {"method": was.request.method, "fields": shown}

    @app.route("/login")
    def login(was):
        was.cookie.set("user", "hans")
        return was.redirect("/me")

    @app.route("/me")
    def me(was):
        return was.request.get_header("Cookie") or "nobody"

    @app.route("/fail")
    async def fail(was):
        raise ValueError("broken")

    app.on("startup")(lambda was: app.events.append("startup"))
    app.on("shutdown")(lambda was: app.events.append("shutdown"))
    return app


def run(coroutine):
    async def limited():
        async with asyncio.timeout(PATIENCE):
            return await coroutine

    return asyncio.run(limited())


def of_client(app, test, **options):
    """Run a test with a client."""

    async def testing():
        async with app.async_test_client(**options) as client:
            return await test(client)

    return run(testing())


def test_handlers_of_every_style(app):
    async def test(client):
        assert (await client.get("/def", params={"name": "Hans"})).text == "Hans False none"
        assert (await client.get("/async")).json()["tag"] == "none"
        assert (await client.get("/stream")).text == "ab"
        assert (await client.get("/astream")).text == "cd"
        failed = await client.get("/fail")
        assert (failed.status_code, (await client.get("/no")).status_code) == (500, 404)

    of_client(app, test)


def test_async_handlers_share_the_loop_of_the_test(app):
    gate = []

    @app.route("/gate")
    async def wait(was):
        gate.append(asyncio.Event())
        await gate[0].wait()
        return "open"

    async def test(client):
        assert (await client.get("/async")).json()["loop"] == id(asyncio.get_running_loop())
        asking = asyncio.create_task(client.get("/gate"))
        await asyncio.to_thread(wait_until, lambda: gate, "the handler waits")
        assert not asking.done()
        gate[0].set()
        return (await asking).text

    assert of_client(app, test) == "open"


def test_blocking_handlers_do_not_block_the_loop(app):
    """Twenty that wait for one another, and for the test, which goes on meanwhile."""
    app.config.THREADS = 20
    together, opened = threading.Barrier(20), threading.Event()
    met = []

    @app.route("/wait")
    def wait(was):
        together.wait(PATIENCE)
        met.append(1)
        assert opened.wait(PATIENCE)
        return "done"

    async def test(client):
        asking = [asyncio.create_task(client.get("/wait")) for _ in range(20)]
        await asyncio.to_thread(wait_until, lambda: len(met) == 20, "all wait for the test")
        opened.set()
        return [(await each).text for each in asking]

    assert of_client(app, test) == ["done"] * 20


def test_the_test_keeps_its_context_variables(app):
    async def test(client):
        tag.set("of the test")
        assert (await client.get("/def")).text == "you False none"
        assert (await client.get("/async")).json()["tag"] == "none"
        return tag.get()

    assert of_client(app, test) == "of the test"


def test_methods_bodies_and_files(app):
    async def test(client):
        for name in ("get", "delete"):
            answer = await getattr(client, name)("/echo?a=1")
            assert answer.json() == {"method": name.upper(), "fields": {"a": "1"}}
        for name in ("post", "put", "patch"):
            answer = await getattr(client, name)("/echo", {"a": "1"})
            assert answer.json() == {"method": name.upper(), "fields": {"a": "1"}}
        assert (await client.post("/echo", json={"b": 2})).json()["fields"] == {"b": 2}
        files = {"f": ("a.txt", b"x")}
        answer = await client.post("/echo", {"c": "3"}, files=files)
        assert answer.json()["fields"] == {"c": "3", "f": "a.txt"}
        assert (await client.head("/echo")).content == b""
        assert "GET" in (await client.options("/echo")).headers["allow"]
        assert (await client.request("PUT", "/echo")).status_code == 200

    of_client(app, test)


def test_streamed_bodies(app):
    async def pieces():
        for piece in (b"a" * 1000, b"b"):
            await asyncio.sleep(0)
            yield piece

    async def test(client):
        assert (await client.post("/read", pieces())).content == b"a" * 1000 + b"b"
        assert (await client.post("/read", iter([b"c", b"d"]))).content == b"cd"
        assert (await client.post("/read", b"e" * 3000)).content == b"e" * 3000

    of_client(app, test)


def test_redirects_and_cookies(app):
    async def test(client):
        first = await client.get("/login", follow_redirects=False)
        assert (first.status_code, first.url) == (302, "/login")
        answer = await client.get("/login")
        assert (answer.text, answer.url, len(answer.history)) == ("user=hans", "/me", 1)
        assert client.cookies["user"] == "hans"
        other = app.async_test_client()
        assert (await other.get("/me")).text == "nobody"
        assert not other.follow_redirects

        @app.route("/away")
        def away(was):
            return was.redirect("https://example.com/")

        with pytest.raises(RedirectError, match="another server"):
            await client.get("/away")

    of_client(app, test, follow_redirects=True)


def test_start_and_end(app):
    async def nothing(client):
        assert not client.app.mounting.is_done

    async def test(client):
        assert app.events == []
        await asyncio.gather(*(client.get("/def") for _ in range(10)))
        assert app.events == ["startup"]

    of_client(app, test)
    assert app.events == ["startup", "shutdown"]
    # And once more, on another loop.
    of_client(app, nothing)
    of_client(app, lambda client: client.get("/def"))
    assert app.events == ["startup", "shutdown"] * 2


def test_startup_that_fails_and_blocks(app):
    calm = []

    @app.on("startup")
    def fail(was):
        time.sleep(0.05)
        raise OSError("no database")

    async def test(client):
        async def beat():
            while True:
                calm.append(1)
                await asyncio.sleep(0.001)

        beating = asyncio.create_task(beat())
        try:
            with pytest.raises(OSError, match="no database"):
                await client.get("/def")
        finally:
            beating.cancel()

    of_client(app, test)
    assert len(calm) > 5


def test_a_task_that_is_cancelled_has_left(app):
    begun, left = asyncio.Event(), threading.Event()

    @app.route("/long")
    async def long(was):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async def test(client):
        asking = asyncio.create_task(client.get("/long"))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.to_thread(wait_until, left.is_set, "the handler is cancelled")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.get("/long")
        assert (await client.get("/def")).status_code == 200

    of_client(app, test)


def test_no_answer_in_time(app, monkeypatch):
    monkeypatch.setattr("atila.testing.async_client.WAIT", 0.01)
    monkeypatch.setenv("ATILA_PATIENCE", "1")

    @app.route("/long")
    async def long(was):
        await asyncio.Event().wait()

    async def test(client):
        with pytest.raises(TimeoutError, match="no answer within 0 s"):
            await client.get("/long")

    of_client(app, test)


def test_beside_the_other_client(app):
    """An app that is served already keeps its loop."""
    with app.test_client() as client:
        own = client.get("/async").json()["loop"]

        async def test():
            other = app.async_test_client()
            assert (await other.get("/async")).json()["loop"] == own
            assert (await asyncio.to_thread(client.get, "/def")).status_code == 200
            return (await other.get("/astream")).text

        assert run(test()) == "cd"
        assert client.get("/def").status_code == 200


def test_the_other_client_on_this_loop_is_refused(app):
    async def test(client):
        await client.get("/def")
        with pytest.raises(RuntimeError, match=r"await the methods of app\.async_test_client"):
            app.test_client().get("/def")
        assert (await asyncio.to_thread(app.test_client().get, "/async")).status_code == 200

    of_client(app, test)


def test_a_client_that_was_not_closed(app):
    async def test():
        return (await app.async_test_client().get("/def")).status_code

    assert run(test()) == 200
    with pytest.raises(RuntimeError, match=r"async with app\.async_test_client"):
        run(test())
    app.site.shutdown()
    assert run(test()) == 200
    app.site.shutdown()


def test_a_launch_script(tmp_path):
    script = tmp_path / "serve.py"
    script.write_text(
        "import skitai\n"
        "from atila import Atila\n"
        "app = Atila(__name__)\n"
        "@app.route('/')\n"
        "async def index(was):\n"
        "    return 'Hello'\n"
        "if __name__ == '__main__':\n"
        "    skitai.mount('/shop', app)\n"
        "    skitai.run(port=5000)\n"
    )

    async def test():
        async with AsyncTestClient.of(script, follow_redirects=True) as client:
            return (await client.get("/shop")).text

    assert run(test()) == "Hello"
