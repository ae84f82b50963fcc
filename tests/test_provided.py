"""Values of providers in each place where code of an app runs, and overridden in each."""

from __future__ import annotations

import os
import re
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from atila import PROVIDED, Atila, SetupError, Was
from atila.testing import TestClient, wait_until
from atila_ws import WS_CHATTY, WS_COROUTINE, WS_REPORTY

seen: list[str] = []
opened: list[str] = []
closed: list[str] = []

Place = Callable[[Atila], Callable[[TestClient], object]]
"""Adds a route to an app, and gives a function that has it called."""


@pytest.fixture
def app() -> Atila:
    for noted in (seen, opened, closed):
        noted.clear()
    app = Atila(__name__)
    app.securekey = "a secret that only tests know, 2026"

    @app.provide(scope="app")
    def engine() -> str:
        return "engine"

    @app.provide
    def db(engine: str) -> Iterator[str]:
        opened.append("db")
        yield f"db of {engine}"
        closed.append("db")

    @app.provide
    async def adb(engine: str) -> AsyncIterator[str]:
        opened.append("adb")
        yield f"adb of {engine}"
        closed.append("adb")

    return app


def note(*values: str) -> None:
    seen.append(", ".join(values))


def get(path: str = "/") -> Callable[[TestClient], object]:
    return lambda client: client.get(path)


def thread(app: Atila) -> Callable[[TestClient], object]:
    app.route("/")(lambda was: was.Thread(lambda n, db, adb: note(db, adb) or "", 1))
    return get()


def thread_pass(app: Atila) -> Callable[[TestClient], object]:
    app.route("/")(lambda was: was.ThreadPass(lambda was, db, adb: note(db, adb) or ""))
    return get()


def then(app: Atila) -> Callable[[TestClient], object]:
    def respond(was: Was, task: Any, db: str, adb: str) -> str:
        note(db, adb)
        return str(task.fetch())

    app.route("/")(lambda was: was.Thread(os.getpid).then(respond))
    return get()


def queue(app: Atila) -> Callable[[TestClient], object]:
    def produce(queue: Any, db: str, adb: str) -> None:
        queue.put("piece")
        note(db, adb)

    app.route("/")(lambda was: was.Queue(produce))
    return get()


def after(app: Atila) -> Callable[[TestClient], object]:
    def work(n: int, *, db: str = PROVIDED, adb: str = PROVIDED) -> None:
        note(db, adb)

    app.route("/")(lambda was: was.after(work, 1) or "")
    return get()


def after_on_the_loop(app: Atila) -> Callable[[TestClient], object]:
    async def work(n: int, db: str = PROVIDED, adb: str = PROVIDED) -> None:
        assert threading.get_ident() == app.site.loop.thread_id
        note(db, adb)

    app.route("/")(lambda was: was.after(work, n=1) or "")
    return get()


def after_a_partial(app: Atila) -> Callable[[TestClient], object]:
    def work(n: int, db: str, adb: str) -> None:
        note(db, adb)

    app.route("/")(lambda was: was.after(partial(work, 1)) or "")
    return get()


def opens(app: Atila) -> Callable[[TestClient], object]:
    def opened_by(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    return chat(app, onopen=opened_by)


def opens_later(app: Atila) -> Callable[[TestClient], object]:
    async def opened_by(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    return chat(app, onopen=opened_by)


def closes(app: Atila) -> Callable[[TestClient], object]:
    def closed_by(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    return chat(app, onclose=closed_by)


def closes_later(app: Atila) -> Callable[[TestClient], object]:
    async def closed_by(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    return chat(app, onclose=closed_by)


def chat(app: Atila, **hooks: Any) -> Callable[[TestClient], object]:
    @app.route("/")
    @app.websocket(WS_CHATTY, **hooks)
    def talk(was: Was) -> Any:
        while (yield):
            yield "heard"

    return talks


def talks(client: TestClient) -> None:
    with client.websocket("/") as socket:
        socket.send_message("x")
        assert socket.receive_message() == "heard"


def conversations(app: Atila) -> Callable[[TestClient], object]:
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def talk(was: Was, db: str, adb: str) -> Any:
        note(db, adb)
        while (yield):
            yield "heard"

    return talks


def coroutine_conversations(app: Atila) -> Callable[[TestClient], object]:
    @app.route("/")
    @app.websocket(WS_COROUTINE)
    def talk(was: Was, db: str, adb: str) -> Any:
        note(db, adb)
        while (yield was.Input()):  # type: ignore[attr-defined]  # that of WebSockets
            yield "heard"

    return talks


def messages(app: Atila) -> Callable[[TestClient], object]:
    @app.route("/")
    @app.websocket(WS_REPORTY)
    def heard(was: Was, message: str, db: str, adb: str) -> str:
        note(db, adb)
        return "heard"

    return talks


def permission(app: Atila) -> Callable[[TestClient], object]:
    @app.permission_handler
    def permit(was: Was, permissions: list[str], db: str, adb: str) -> bool:
        note(db, adb)
        return True

    @app.route("/")
    @app.permission_required(["staff"])
    def index(was: Was) -> str:
        return ""

    return get()


def identification(app: Atila) -> Callable[[TestClient], object]:
    @app.permission_handler
    async def permit(was: Was, permissions: list[str], db: str, adb: str) -> bool:
        note(db, adb)
        return True

    @app.route("/")
    @app.identification_required
    def index(was: Was) -> str:
        return ""

    return get()


def password(app: Atila) -> Callable[[TestClient], object]:
    @app.authorization_handler
    def find(was: Was, username: str, db: str, adb: str) -> tuple[str, bool]:
        note(db, adb)
        return "1234", False

    @app.route("/")
    @app.authorization_required("basic")
    def index(was: Was) -> str:
        return ""

    header = "Basic " + b64encode(b"ann:1234").decode()
    return lambda client: client.get("/", headers={"Authorization": header})


def bearer(app: Atila) -> Callable[[TestClient], object]:
    @app.bearer_handler
    def find(was: Was, token: str, db: str, adb: str) -> bool:
        note(db, adb)
        return True

    @app.route("/")
    @app.authorization_required("bearer")
    def index(was: Was) -> str:
        return ""

    return lambda client: client.get("/", headers={"Authorization": "Bearer x"})


def api_key(app: Atila) -> Callable[[TestClient], object]:
    @app.api_key_handler(header="X-API-Key")
    def find(was: Was, key: str, db: str, adb: str) -> bool:
        note(db, adb)
        return True

    @app.route("/")
    @app.authorization_required("api_key")
    def index(was: Was) -> str:
        return ""

    return lambda client: client.get("/", headers={"X-API-Key": "x"})


def rate_limit(app: Atila) -> Callable[[TestClient], object]:
    def key(was: Was, db: str, adb: str) -> str:
        note(db, adb)
        return "all"

    app.route("/")(app.rate_limit(10, key=key)(lambda was: ""))
    return get()


def run_before(app: Atila) -> Callable[[TestClient], object]:
    def step(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    app.route("/")(app.run_before(step)(lambda was: ""))
    return get()


def run_after(app: Atila) -> Callable[[TestClient], object]:
    async def step(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    app.route("/")(app.run_after(step)(lambda was: ""))
    return get()


def a_test(app: Atila) -> Callable[[TestClient], object]:
    def examine(was: Was, db: str, adb: str) -> bool:
        note(db, adb)
        return True

    app.route("/")(app.testpass_required(examine)(lambda was: ""))
    return get()


def hook(decorator: str, *more: Any) -> Place:
    def add(app: Atila) -> Callable[[TestClient], object]:
        if len(more) == 2:

            def function(was: Was, given: Any, db: str, adb: str) -> Any:
                note(db, adb)
                return more[1]
        else:

            def function(was: Was, db: str, adb: str) -> Any:  # type: ignore[misc]
                note(db, adb)

        getattr(app, decorator)(function)

        @app.route("/")
        def index(was: Was) -> str:
            if decorator in ("failed_request", "default_error_handler"):
                raise ValueError("on purpose")
            return ""

        return get()

    return add


def error_handler(app: Atila) -> Callable[[TestClient], object]:
    @app.error_handler(404)
    async def absent(was: Was, error: Any, db: str, adb: str) -> str:
        note(db, adb)
        return "absent"

    return get("/absent")


def event(app: Atila) -> Callable[[TestClient], object]:
    @app.on("sold")
    def sold(was: Was, n: int, db: str, adb: str) -> None:
        note(db, adb)

    app.route("/")(lambda was: app.emit("sold", 1) or "")
    return get()


def startup(app: Atila) -> Callable[[TestClient], object]:
    @app.on("startup")
    async def started(was: Was, db: str, adb: str) -> None:
        note(db, adb)

    app.route("/")(lambda was: "")
    return get()


def rpc(app: Atila) -> Callable[[TestClient], object]:
    @app.route("/add", methods=["POST"])
    async def add(was: Was, n: int, db: str, adb: str) -> int:
        note(db, adb)
        return n

    call = {"jsonrpc": "2.0", "id": 1, "method": "add", "params": [1]}
    return lambda client: client.post(
        "/", json=call, headers={"content-type": "application/json-rpc"}
    )


def pipe(app: Atila) -> Callable[[TestClient], object]:
    @app.route("/inner")
    def inner(was: Was, db: str, adb: str) -> str:
        note(db, adb)
        return ""

    app.route("/")(lambda was: was.pipe(inner))
    return get()


PLACES: list[Place] = [
    thread,
    thread_pass,
    then,
    queue,
    after,
    after_on_the_loop,
    after_a_partial,
    opens,
    opens_later,
    closes,
    closes_later,
    conversations,
    coroutine_conversations,
    messages,
    permission,
    identification,
    password,
    bearer,
    api_key,
    rate_limit,
    run_before,
    run_after,
    a_test,
    hook("before_request"),
    hook("finish_request", 2, None),
    hook("failed_request", 2, None),
    hook("teardown_request"),
    hook("default_error_handler", 2, "error"),
    error_handler,
    event,
    startup,
    rpc,
    pipe,
]


@pytest.mark.parametrize("fakes", ["real", "values", "functions"])
@pytest.mark.parametrize("place", PLACES)
def test_each_place(app: Atila, place: Place, fakes: str) -> None:
    ask = place(app)
    made = {
        "real": {},
        "values": {"db": "fake", "adb": "async fake"},
        "functions": {"db": _fake, "adb": lambda engine: f"async fake of {engine}"},
    }[fakes]
    expected = {
        "real": "db of engine, adb of engine",
        "values": "fake, async fake",
        "functions": "fake of engine, async fake of engine",
    }[fakes]
    with app.override(**made) if made else nullcontext(), app.test_client() as client:
        ask(client)
        wait_until(lambda: seen == [expected], expected, log=lambda: str(seen))
        calls = {"real": ["adb", "db"], "values": [], "functions": ["fake db"]}[fakes]

        def log() -> str:
            return f"opened {opened}, closed {closed}"

        wait_until(lambda: sorted(closed) == calls == sorted(opened), "the clean-up", log=log)


def _fake(engine: str) -> Iterator[str]:
    opened.append("fake db")
    yield f"fake of {engine}"
    closed.append("fake db")


def _with_hooks(app: Atila) -> None:
    @app.route("/")
    @app.websocket(WS_CHATTY, onopen=_greedy)
    def talk(was: Was) -> Any:
        yield


def _with_a_permission_handler(app: Atila) -> None:
    app.permission_handler(lambda was, permissions, dbb: True)


def _with_a_limit(app: Atila) -> None:
    app.route("/")(app.rate_limit(10, key=_greedy)(lambda was: ""))


def _with_a_default(app: Atila) -> None:
    @app.route("/")
    def index(was: Was, dbb: str = PROVIDED) -> str:
        return dbb


def _greedy(was: Was, dbb: str) -> str:
    return dbb


@pytest.mark.parametrize(
    "define", [_with_hooks, _with_a_permission_handler, _with_a_limit, _with_a_default]
)
def test_unknown_names(app: Atila, define: Callable[[Atila], None]) -> None:
    define(app)
    problem = "takes 'dbb', which nothing provides; did you mean 'db'?"
    with pytest.raises(SetupError, match=re.escape(problem)) as caught:
        app.test_client().get("/")
    assert f"{__file__}:" in str(caught.value)


def test_a_handler_that_takes_too_little(app: Atila) -> None:
    with pytest.raises(SetupError, match=r"def permission_handler\(was, permissions\)"):
        app.permission_handler(lambda was: True)


def _length(text: str, db: str) -> int:
    return len(text + db)


def _length_alone(text: str, db: str = "") -> int:
    return len(text + db)


def test_processes_have_none(app: Atila) -> None:
    @app.route("/")
    def index(was: Was) -> Any:
        with pytest.raises(TypeError, match="_length takes 'db', which a provider makes in the"):
            was.Process(_length, "four")
        given = was.Process(_length, "four", "five")
        alone = was.Process(_length_alone, "four")
        return [given.fetch(), alone.fetch()]

    with app.test_client() as client:
        assert client.get("/").json() == [8, 4]


@pytest.mark.parametrize("way", ["queue", "after", "after_later", "thread"])
def test_their_errors_reach_the_clean_up(
    app: Atila, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    @app.provide
    def session() -> Iterator[str]:
        try:
            yield "session"
        except ValueError as error:
            seen.append(f"rolled back: {error}")
            raise

    def work(*, session: str = PROVIDED) -> None:
        raise ValueError("bad")

    async def work_later(session: str = PROVIDED) -> None:
        raise ValueError("bad")

    def produce(queue: Any, session: str) -> None:
        queue.put("piece")
        raise ValueError("bad")

    @app.route("/")
    def index(was: Was) -> Any:
        if way == "queue":
            return was.Queue(produce)
        if way == "thread":
            return was.Thread(work)
        was.after(work if way == "after" else work_later)
        return ""

    with app.test_client() as client:
        client.get("/")
        wait_until(lambda: seen == ["rolled back: bad"], "the clean-up", log=lambda: str(seen))


@pytest.mark.parametrize("threading", [False, True])
def test_jobs(app: Atila, threading: bool) -> None:
    app.config.MAINTAIN_INTERVAL = 0.01

    @app.maintain(1, threading=threading)
    def work(was: Was, now: float, count: int, db: str, adb: str) -> None:
        note(db, adb)

    app.route("/")(lambda was: "")
    fakes = app.override(db="fake", adb="async fake")
    with fakes, app.test_client() as client:
        client.get("/")
        wait_until(lambda: seen[:1] == ["fake, async fake"], "a run", log=lambda: str(seen))
    with app.test_client() as client:
        seen.clear()
        client.get("/")
        wait_until(lambda: seen[:1] == ["db of engine, adb of engine"], "a run")
        wait_until(lambda: "db" in closed and "adb" in closed, "the clean-up")
