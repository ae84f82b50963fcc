"""Tasks as what handlers return."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from atila import Atila, Was, current
from atila.testing.waits import PATIENCE

JSON = {"accept": "application/json"}


@pytest.fixture
def blocked(app: Atila, gate: threading.Event) -> threading.Event:
    """Opened by the hook that runs after a handler, so tasks finish later than the handler."""

    @app.before_request
    def open_soon(was: Was) -> None:
        threading.Timer(0.01, gate.set).start()

    return gate


def test_task(app: Atila, blocked: threading.Event) -> None:
    @app.route("/finished")
    def finished(was: Was) -> Any:
        return was.Mask("finished")

    @app.route("/running")
    def running(was: Was) -> Any:
        return was.Thread(blocked.wait, filter=str)

    @app.route("/tasks")
    def tasks(was: Was) -> Any:
        return was.Tasks(was.Mask("a"), was.Thread(blocked.wait, filter=str))

    client = app.test_client()
    assert client.get("/finished").text == "finished"
    assert client.get("/running").text == "True"
    # Their data is a list, which is an answer by itself.
    assert client.get("/tasks").json() == ["a", "True"]


def test_task_as_the_body(app: Atila, blocked: threading.Event) -> None:
    @app.route("/handler")
    def handler(was: Was) -> Any:
        return was.response("201 Created", was.Thread(blocked.wait, filter=str))

    @app.route("/coroutine", coroutine=True)
    def coroutine(was: Was) -> Any:
        yield was.Mask(1)
        return was.response("201 Created", was.Thread(blocked.wait, filter=str))

    for path in ("/handler", "/coroutine"):
        blocked.clear()
        response = app.test_client().get(path)
        assert (response.status_code, response.text) == (201, "True")


def test_task_out_of_a_coroutine(app: Atila, blocked: threading.Event) -> None:
    @app.route("/", coroutine=True)
    def handler(was: Was) -> Any:
        yield was.Mask(1)
        return was.Thread(blocked.wait, filter=str)

    assert app.test_client().get("/").text == "True"


def test_task_without_data(app: Atila) -> None:
    @app.route("/")
    def handler(was: Was) -> Any:
        return was.Thread(lambda: None)

    assert app.test_client().get("/").status_code == 204


def test_failed_task(app: Atila, gate: threading.Event) -> None:
    @app.route("/error")
    def error(was: Was) -> Any:
        return was.Thread(int, "x")

    @app.route("/late")
    def late(was: Was) -> Any:
        return was.Thread(gate.wait, timeout=0.01)

    client = app.test_client()
    assert client.get("/error").status_code == 500
    response = client.get("/late", headers=JSON)
    assert response.status_code == 504
    assert response.json()["detail"] == "this was not done in time"
    assert response.json()["errno"] == 0


def test_task_that_found_no_thread_asks_to_come_again(app: Atila, gate: threading.Event) -> None:
    app.config.TASK_THREADS = app.config.TASK_QUEUE_SIZE = 1
    begun = threading.Event()

    @app.route("/")
    def handler(was: Was) -> Any:
        was.Thread(lambda: begun.set() or gate.wait())
        begun.wait(PATIENCE)
        was.Thread(str)
        return was.Thread(str)

    response = app.test_client().get("/")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


def test_then(app: Atila, blocked: threading.Event) -> None:
    loop = app.site.loop
    seen = []

    def respond(was: Was, task: Any) -> Any:
        seen.append((loop.is_current(), current.get() is was))
        # It may block, and make requests of its own.
        return f"{task.fetch()} {task.meta['a']} {was.Thread(str, 2).fetch()}"

    @app.route("/thread")
    def thread(was: Was) -> Any:
        return was.Thread(blocked.wait, meta={"a": 1}).then(respond)

    @app.route("/mask")
    def mask(was: Was) -> Any:
        return was.Mask(0, meta={"a": 1}).then(respond)

    @app.route("/coroutine", coroutine=True)
    def coroutine(was: Was) -> Any:
        yield was.Mask(1)
        return was.Mask(0, meta={"a": 1}).then(respond)

    client = app.test_client()
    assert client.get("/thread").text == "True 1 2"
    assert client.get("/mask").text == "0 1 2"
    assert client.get("/coroutine").text == "0 1 2"
    assert seen == [(False, True)] * 3


def test_then_runs_in_the_context_of_its_own_request(app: Atila, gate: threading.Event) -> None:
    app.config.THREADS = 1
    begun = threading.Event()

    @app.route("/first")
    def first(was: Was) -> Any:
        begun.set()
        return was.Thread(gate.wait).then(lambda was, task: current.get().exchange.path)

    @app.route("/second")
    def second(was: Was) -> str:
        # It has the only thread, in which the first request goes on after it.
        gate.set()
        return "second"

    client = app.test_client()
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(client.get("/first").text))
    thread.start()
    assert begun.wait(PATIENCE)
    assert client.get("/second").text == "second"
    thread.join(PATIENCE)
    assert answers == ["/first"]


def test_then_of_several(app: Atila, blocked: threading.Event) -> None:
    @app.route("/")
    def handler(was: Was) -> Any:
        tasks = was.Tasks(a=was.Thread(blocked.wait), b=was.Mask(2))
        tasks.meta["c"] = 3
        return tasks.then(lambda was, tasks: f"{tasks.fetch()} {tasks.meta}")

    assert app.test_client().get("/").text == "{'a': True, 'b': 2} {'c': 3}"


def test_then_is_called_for_a_failed_task(app: Atila) -> None:
    def respond(was: Was, task: Any) -> Any:
        if was.request.args:
            return f"status {task.dispatch().status}"
        return task.fetch()

    @app.route("/")
    def handler(was: Was) -> Any:
        return was.Thread(int, "x").then(respond)

    client = app.test_client()
    assert client.get("/?look=1").text == "status -1"
    assert client.get("/").status_code == 500


def test_then_gives_an_answer_of_any_kind(app: Atila) -> None:
    @app.route("/")
    def handler(was: Was) -> Any:
        def respond(was: Was, task: Any) -> Any:
            return was.response("202 Accepted", was.Thread(str, task.fetch()))

        return was.Mask("later").then(respond)

    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (202, "later")


def test_thread_pass(app: Atila, gate: threading.Event) -> None:
    app.config.THREADS = 1

    def respond(was: Was, a: float, b: int = 0) -> Any:
        assert gate.wait(PATIENCE)
        # It may make requests of its own.
        found = was.Thread(int, "7").fetch()
        return was.response("201 Created", was.Thread(str, (a, b, found, current.get() is was)))

    app.route("/pass")(lambda was: was.ThreadPass(respond, args=(4.0,), kwargs={"b": 2}))

    @app.route("/free")
    def free(was: Was) -> str:
        # The only thread of handlers is this one's.
        gate.set()
        return ""

    client = app.test_client()
    responses: list[Any] = []
    asking = threading.Thread(target=lambda: responses.append(client.get("/pass")))
    asking.start()
    assert client.get("/free").status_code == 200
    asking.join(PATIENCE)
    assert (responses[0].status_code, responses[0].text) == (201, "(4.0, 2, 7, True)")


def test_thread_pass_that_fails(app: Atila, gate: threading.Event) -> None:
    def refuse(was: Was) -> None:
        raise was.Error("409 Conflict", "taken")

    app.route("/refuse")(lambda was: was.ThreadPass(refuse))
    app.route("/late")(lambda was: was.ThreadPass(lambda was: gate.wait(PATIENCE), timeout=0.01))
    app.route("/nothing")(lambda was: was.ThreadPass(lambda was: None))
    client = app.test_client()
    assert client.get("/refuse", headers=JSON).json()["detail"] == "taken"
    assert client.get("/late").status_code == 504
    assert client.get("/nothing").status_code == 204


def test_hooks_are_shown_the_data_of_tasks(app: Atila, gate: threading.Event) -> None:
    seen: list[Any] = []

    @app.finish_request
    def see(was: Was, response: Any) -> Any:
        seen.append(response)
        return f"<{response}>" if response == "replace" else None

    app.route("/task")(lambda was: was.Thread(str, "replace"))
    app.route("/mask")(lambda was: was.Mask("replace"))
    app.route("/then")(lambda was: was.Mask(1).then(lambda was, task: was.Thread(str, "replace")))
    app.route("/failed")(lambda was: was.Thread(int, "x"))

    async def asynchronous(was: Was) -> Any:
        return was.Thread(str, "replace")

    app.route("/async")(asynchronous)
    client = app.test_client()
    for path in ("/task", "/mask", "/then", "/async"):
        assert client.get(path).text == "<replace>"
    assert client.get("/failed").status_code == 500
    assert seen == ["replace"] * 4


def test_type_of_all_tasks(app: Atila) -> None:
    app.route("/")(lambda was: str(isinstance(was.Mask(1), was.Task)))
    assert app.test_client().get("/").text == "True"
