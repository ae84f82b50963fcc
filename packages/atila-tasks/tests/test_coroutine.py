from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atila import Atila, SetupError, Was, current
from atila.testing.waits import wait_until
from atila_tasks.core.coroutine import compile_route

Run = Callable[..., Any]
JSON = {"accept": "application/json"}


def test_first_step_has_a_thread_the_others_have_none(co_run: Run) -> None:
    def use(was: Was) -> Any:
        first = threading.current_thread()
        task = yield was.Thread(threading.current_thread)
        second = threading.current_thread()
        task = yield was.Mask(1)
        third = threading.current_thread()
        return first, second, third, current.get() is was, task.fetch()

    first, second, third, same, data = co_run(use)
    assert second is third is not first
    assert same
    assert data == 1


def test_as_in_the_specification(co_run: Run) -> None:
    def use(was: Was) -> Any:
        def hello(timeout: float = 1.0) -> str:
            return f"mask {timeout}"

        tasks = yield was.Tasks(a=was.Mask("Example Domain"), b=was.Thread(hello, args=(1.0,)))
        task3 = yield was.Thread(hello, args=(2.0,))
        return dict(c=task3.fetch(), **tasks.fetch())

    assert co_run(use) == {"a": "Example Domain", "b": "mask 1.0", "c": "mask 2.0"}


def test_same_task_comes_back_and_raises_nothing(co_run: Run) -> None:
    def use(was: Was) -> Any:
        made = was.Thread(int, "x")
        task = yield made
        with pytest.raises(ValueError, match="invalid literal"):
            task.fetch()
        return task is made

    assert co_run(use)


def test_error_is_the_answer_if_it_is_not_caught(app: Atila) -> None:
    @app.route("/", coroutine=True)
    def handler(was: Was) -> Any:
        def fail() -> None:
            raise was.Error("409 Conflict", "taken")

        task = yield was.Thread(fail)
        return task.fetch()

    response = app.test_client().get("/", headers=JSON)
    assert response.status_code == 409
    assert response.json()["detail"] == "taken"


def test_fetch_on_the_loop_is_refused_with_advice(
    app: Atila, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    @app.route("/", coroutine=True)
    def handler(was: Was) -> Any:
        yield was.Mask(1)
        return was.Thread(gate.wait).fetch()

    assert app.test_client().get("/").status_code == 500
    assert "task = yield task" in caplog.text


def test_timeout_does_not_hold_the_loop(co_run: Run, gate: threading.Event) -> None:
    def use(was: Was) -> Any:
        task = yield was.Thread(gate.wait, timeout=0.01)
        with pytest.raises(TimeoutError):
            task.fetch()
        return "on time"

    assert co_run(use) == "on time"


def test_wrong_yield(co_run: Run) -> None:
    def use(was: Was) -> Any:
        with pytest.raises(TypeError, match="int"):
            yield 7
        yield was.Mask(1)
        with pytest.raises(TypeError, match="list"):
            yield [was.Mask(1)]
        task = yield was.Mask(2)
        return task.fetch()

    assert co_run(use) == 2


def test_streams_between_tasks(app: Atila) -> None:
    @app.route("/", coroutine=True)
    def handler(was: Was) -> Iterator[Any]:
        yield "ID, NAME\n"
        for id in (1, 2):
            task = yield was.Thread(str, id)
            yield f"{task.fetch()}, Hans\n"

    response = app.test_client().get("/")
    assert response.text == "ID, NAME\n1, Hans\n2, Hans\n"
    assert response.complete


def test_streams_after_a_task(app: Atila) -> None:
    @app.route("/", coroutine=True)
    def handler(was: Was) -> Iterator[Any]:
        task = yield was.Thread(str, 1)
        yield task.fetch()
        yield b"2"

    assert app.test_client().get("/").content == b"12"


def test_streams_in_both_directions(app: Atila) -> None:
    @app.route("/", methods=["POST"], coroutine=True, input_stream=True)
    def handler(was: Was) -> Iterator[Any]:
        while data := (yield was.Input(16184)):
            task = yield was.Thread(bytes.upper, data)
            yield b":" + task.fetch()

    assert app.test_client().post("/", iter([b"ab", b"cd"])).content == b":AB:CD"


def test_handler_that_yields_nothing(app: Atila) -> None:
    @app.route("/<int:id>", coroutine=True)
    def handler(was: Was, id: int) -> Any:
        if id:
            return f"no task for {id}"
        task = yield was.Mask("task")
        return task.fetch()

    client = app.test_client()
    assert client.get("/7").text == "no task for 7"
    assert client.get("/0").text == "task"


def test_async_def(app: Atila) -> None:
    async def handler(was: Was) -> str:
        tasks = await was.Tasks(a=was.Thread(str, 1), b=was.Mask("2"))
        task = await was.Thread(str, 3)
        return "".join(tasks.fetch().values()) + task.fetch()

    app.route("/plain")(handler)
    app.route("/option", coroutine=True)(handler)
    # Nothing has to be driven there, so the handler starts on the loop without a thread.
    assert [compile_route(route, app) for route in app.routes] == [None, None]
    client = app.test_client()
    assert client.get("/plain").text == "123"
    assert client.get("/option").text == "123"


def test_option_is_unknown_without_the_layer() -> None:
    app = Atila(__name__, layers={"tasks": None})
    with pytest.raises(SetupError, match=r"atila-core\[tasks\]"):
        app.route("/", coroutine=True)(lambda was: "")


def test_a_task_yielded_without_the_option_says_so(
    app: Atila, caplog: pytest.LogCaptureFixture
) -> None:
    @app.route("/task")
    def task(was: Was) -> Any:
        found = yield was.Thread(int)
        return found.fetch()

    @app.route("/group")
    def group(was: Was) -> Any:
        yield was.Tasks(was.Mask(1), was.Mask(2))

    @app.route("/late")
    def late(was: Was) -> Any:
        yield "first"
        yield was.Mask(1)

    @app.route("/async")
    async def later(was: Was) -> Any:
        yield was.Mask(1)

    client = app.test_client()
    for path in ("/task", "/group", "/async"):
        assert client.get(path).status_code == 500
        assert "write @app.route(…, coroutine=True); `async def` awaits it" in caplog.text, path
        caplog.clear()
    assert client.get("/late").text == "first"
    wait_until(lambda: ": a handler that yields what it waits for" in caplog.text)
