"""`was.Queue`: answers that a thread produces."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from atila import Atila, Was, current
from atila.http.exchange import ClientGone
from atila.testing import exchange as testing
from atila.testing.waits import PATIENCE, wait_until
from atila_tasks.local.queues import Queue

JSON = {"accept": "application/json"}


def answer(app: Atila, produce: Callable[[Queue], object], **options: Any) -> Any:
    path = f"/{len(app.routes)}"
    app.route(path)(lambda was: was.Queue(produce, **options))
    return app.test_client().get(path, headers=JSON)


def test_pieces(app: Atila) -> None:
    def produce(queue: Queue) -> None:
        for piece in ("häl", b"lo", ""):
            queue.put(piece)
        assert current.get().exchange.method == "GET"
        queue.put(None)

    response = answer(app, produce)
    assert (response.text, response.complete) == ("hällo", True)
    assert response.headers["content-type"].startswith("text/html")


def test_returning_ends_it_too(app: Atila) -> None:
    assert answer(app, lambda queue: queue.put("all")).text == "all"
    assert answer(app, lambda queue: None).text == ""


def test_headers(app: Atila) -> None:
    @app.route("/")
    def handler(was: Was) -> Any:
        pieces = was.Queue(lambda queue: queue.put("a,b"))
        return was.response("200 OK", pieces, [("Content-Type", "text/csv")])

    response = app.test_client().get("/")
    assert (response.text, response.headers["content-type"]) == ("a,b", "text/csv")


def test_waits_for_room(app: Atila) -> None:
    most = []

    def produce(queue: Queue) -> None:
        for _ in range(200):
            queue.put("x")
            most.append(len(queue._pieces))

    assert answer(app, produce, size=3).text == "x" * 200
    assert max(most) <= 3


def test_error_before_the_first_piece(app: Atila) -> None:
    def produce(queue: Queue) -> None:
        raise current.get().Error("409 Conflict", "taken")

    assert answer(app, produce).status_code == 409


def test_error_after_a_piece(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    def produce(queue: Queue) -> None:
        queue.put("begun")
        raise ValueError("no more")

    over = threading.Event()
    app.teardown_request(lambda was: over.set())
    response = answer(app, produce)
    assert (response.text, response.complete) == ("begun", False)
    assert over.wait(PATIENCE)
    assert "no more" in caplog.text


@pytest.mark.parametrize("piece", [1, ["a"]])
def test_piece_that_cannot_be(app: Atila, piece: Any) -> None:
    assert answer(app, lambda queue: queue.put(piece)).status_code == 500


def test_nothing_after_the_end(app: Atila) -> None:
    caught = []

    def produce(queue: Queue) -> None:
        queue.put("a")
        queue.put(None)
        try:
            queue.put("b")
        except RuntimeError as error:
            caught.append(str(error))

    assert answer(app, produce).text == "a"
    # It goes on after the answer, in its own thread.
    wait_until(lambda: caught, "the second put was refused")
    assert caught == ["the queue has been ended: put(None) was its last"]


def test_error_after_the_end(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    failing = threading.Event()

    def produce(queue: Queue) -> None:
        queue.put("whole")
        queue.put(None)
        failing.set()
        raise ValueError("while cleaning up")

    response = answer(app, produce)
    assert (response.text, response.complete) == ("whole", True)
    app.site.shutdown()
    # The answer is whole before the producer runs on.
    wait_until(failing.is_set, "the producer runs on")
    wait_until(lambda: "while cleaning up" in caplog.text, "it is in the log")


def test_system_exit(app: Atila) -> None:
    def produce(queue: Queue) -> None:
        raise SystemExit(1)

    assert answer(app, produce).status_code == 500


@pytest.mark.parametrize("method", ["HEAD", "left"])
def test_producer_is_stopped(app: Atila, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def produce(queue: Queue) -> None:
        try:
            while True:
                queue.put("x")
        except ClientGone:
            stopped.set()
            raise

    app.route("/", methods=["GET"])(lambda was: was.Queue(produce))
    if method == "HEAD":
        assert app.test_client().head("/").text == ""
    else:

        async def send(self: Any, chunk: bytes) -> None:
            self.abort()
            raise ClientGone

        monkeypatch.setattr(testing._TestStream, "send", send)
        app.test_client().get("/")
    assert stopped.wait(PATIENCE)


def test_end_of_a_site_stops_producers(app: Atila, gate: threading.Event) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def produce(queue: Queue) -> None:
        queue.put("x")
        begun.set()
        gate.wait(PATIENCE)
        try:
            queue.put("x")
        except ClientGone:
            stopped.set()

    app.route("/")(lambda was: was.Queue(produce))
    asking = threading.Thread(target=lambda: app.test_client().get("/"), daemon=True)
    asking.start()
    assert begun.wait(PATIENCE)
    app.site.shutdown(0.1)
    gate.set()
    assert stopped.wait(PATIENCE)
    asking.join(PATIENCE)


def test_one_that_is_not_answered_with_has_no_producer(app: Atila) -> None:
    began = threading.Event()

    @app.route("/")
    def handler(was: Was) -> str:
        was.Queue(lambda queue: began.set())
        return "other"

    assert app.test_client().get("/").text == "other"
    assert not began.is_set()


def test_are_bounded(app: Atila, gate: threading.Event) -> None:
    app.config.QUEUE_THREADS = 1
    begun = threading.Semaphore(0)

    def produce(queue: Queue) -> None:
        begun.release()
        gate.wait(PATIENCE)
        queue.put("done")

    app.route("/")(lambda was: was.Queue(produce))
    answers: list[Any] = []
    clients = [
        threading.Thread(target=lambda: answers.append(app.test_client().get("/")))
        for _ in range(3)
    ]
    clients[0].start()
    assert begun.acquire(timeout=PATIENCE)
    # One runs and one may wait.
    for client in clients[1:]:
        client.start()
    while not answers:
        clients[1].join(0.01)
    assert answers[0].status_code == 503
    gate.set()
    for client in clients:
        client.join(PATIENCE)
    assert sorted(each.status_code for each in answers) == [200, 200, 503]


def test_asynchronous_function_is_refused(app: Atila) -> None:
    async def produce(queue: Queue) -> None: ...

    @app.route("/")
    def handler(was: Was) -> str:
        with pytest.raises(TypeError, match="asynchronous generator"):
            was.Queue(produce)
        return "refused"

    assert app.test_client().get("/").text == "refused"
