"""A client that leaves takes with it what its request waits for."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import Any

import pytest

from atila import Atila, Was
from atila.http.exchange import ClientGone
from atila.testing import exchange as testing
from atila.testing.waits import PATIENCE
from atila_tasks import STA_UNSENT


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has left as soon as anybody asks; that of /last stays."""
    stays = testing.TestExchange.departure

    def departure(self: Any) -> Any:
        if self.path == "/last":
            return stays(self)
        gone = asyncio.get_running_loop().create_future()
        gone.set_result(None)
        return gone

    monkeypatch.setattr(testing.TestExchange, "departure", departure)


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("kind", ["task", "coroutine", "async", "then"])
def test_queued_tasks_are_cancelled(app: Atila, gate: threading.Event, kind: str) -> None:
    app.config.TASK_THREADS = 1
    ran: list[str] = []
    made: list[Any] = []
    over = threading.Event()

    def make(was: Was) -> Any:
        made.append(was.Tasks(was.Thread(gate.wait), [was.Thread(ran.append, kind)]))
        return made[0]

    def coroutine(was: Was) -> Any:
        yield make(was)
        ran.append("went on")

    async def asynchronous(was: Was) -> None:
        await make(was)
        ran.append("went on")

    def then(was: Was) -> Any:
        return make(was).then(lambda was, tasks: ran.append("went on"))

    app.route("/task")(make)
    app.route("/coroutine", coroutine=True)(coroutine)
    app.route("/async")(asynchronous)
    app.route("/then")(then)
    app.route("/last")(lambda was: was.Thread(str, "last"))
    app.teardown_request(lambda was: over.set())

    client = app.test_client()
    assert client.get(f"/{kind}").status_code == 499
    assert over.wait(PATIENCE)
    gate.set()
    # The only thread takes tasks in order, so when this one is done there are none before it.
    made[0].wait()
    assert client.get("/last").text == "last"
    assert ran == []
    assert str(made[0].dispatch()) == "[<Result STA_NORMAL>, [<Result STA_UNSENT>]]"


def test_stream_whose_client_leaves_cancels_what_runs_beside_it(
    app: Atila, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config.TASK_THREADS = 1
    made: list[Any] = []

    async def send(self: Any, chunk: bytes) -> None:
        self.abort()
        raise ClientGone

    monkeypatch.setattr(testing._TestStream, "send", send)

    @app.route("/", coroutine=True)
    def handler(was: Was) -> Any:
        was.Thread(gate.wait)
        made.append(was.Thread(str))
        yield "a piece"
        yield "another"

    app.test_client().get("/")
    assert made[0].dispatch().status == STA_UNSENT


def test_request_does_not_keep_finished_tasks(app: Atila) -> None:
    class Data:
        pass

    kept: list[int] = []
    data: weakref.WeakSet[Data] = weakref.WeakSet()

    def make() -> Data:
        made = Data()
        data.add(made)
        return made

    @app.route("/", coroutine=True)
    def handler(was: Was) -> Any:
        for _ in range(50):
            task = yield was.Thread(make)
            task.fetch()
            yield "piece"
        kept.append(len(was.cancels or ()))
        kept.append(len(data))

    assert app.test_client().get("/").text == "piece" * 50
    assert kept[0] <= 1
    # The last ones may still be in the hands of their threads.
    assert kept[1] <= 4
