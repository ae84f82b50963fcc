from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from atila import Atila, HTTPError, Mount, Site, Was, current
from atila.testing.waits import PATIENCE
from atila_tasks import STA_REQFAIL, STA_TIMEOUT, STA_UNSENT

Run = Callable[..., Any]


def collect(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def test_arguments(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(
            was.Thread(collect, 1, 2),
            was.Thread(collect, args=(1,), kwargs={"timeout": 3}),
            was.Thread(collect, 1, args=[2]),
        ).fetch()

    assert run(use) == [((1, 2), {}), ((1,), {"timeout": 3}), ((1, 2), {})]


def test_runs_in_a_thread_of_its_own(run: Run) -> None:
    def use(was: Was) -> Any:
        return threading.current_thread().name, was.Thread(threading.current_thread).fetch().name

    handler, task = run(use)
    assert task.startswith("atila-task")
    assert not handler.startswith("atila-task")


def test_options(run: Run) -> None:
    def use(was: Was) -> Any:
        task = was.Thread(lambda: [2, 1], filter=sorted, meta={"a": 1}, timeout=30)
        return task.fetch(), task.meta

    assert run(use) == ([1, 2], {"a": 1})


def test_context_variables(run: Run) -> None:
    variable = contextvars.ContextVar("variable", default="")

    def use(was: Was) -> Any:
        variable.set("set")
        seen = was.Thread(lambda: (current.get() is was, variable.get())).fetch()
        filtered = was.Thread(str, filter=lambda _: current.get() is was).fetch()
        return seen, filtered

    assert run(use) == ((True, "set"), True)


def test_error(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Thread(int, "x")

    task = run(use)
    assert task.dispatch().status == STA_REQFAIL
    with pytest.raises(ValueError, match="invalid literal"):
        task.fetch()


def test_timeout(run: Run, gate: threading.Event) -> None:
    task = run(lambda was: was.Thread(gate.wait, timeout=0.01))
    assert task.dispatch().status == STA_TIMEOUT


def test_coroutine_function_is_refused(run: Run) -> None:
    async def asynchronous() -> None: ...

    def use(was: Was) -> None:
        with pytest.raises(TypeError, match="asynchronous is async def"):
            was.Thread(asynchronous)
        with pytest.raises(TypeError):
            was.Thread(1)

    run(use)


def test_are_bounded(app: Atila, run: Run, gate: threading.Event) -> None:
    app.config.TASK_THREADS = 1
    app.config.TASK_QUEUE_SIZE = 2

    def use(was: Was) -> Any:
        begun = threading.Event()
        first = was.Thread(lambda: begun.set() or gate.wait())
        assert begun.wait(PATIENCE)
        queued = [was.Thread(str), was.Thread(str)]
        refused = was.Thread(str)
        result = refused.dispatch()
        gate.set()
        return result, was.Tasks(first, queued).fetch()

    result, data = run(use)
    assert result.status == STA_UNSENT
    assert isinstance(result.error, HTTPError)
    assert result.error.code == 503
    assert list(result.error.headers) == [("retry-after", "1")]
    assert data == [True, ["", ""]]


def test_tasks_that_wait_for_tasks_do_not_use_up_the_threads(app: Atila, run: Run) -> None:
    app.config.TASK_THREADS = 2

    def depth(was: Was, levels: int) -> int:
        if levels == 0:
            return 0
        return 1 + max(was.Tasks([was.Thread(depth, was, levels - 1) for _ in range(2)]).fetch())

    assert run(lambda was: was.Thread(depth, was, 5).fetch()) == 5


def test_handlers_that_wait_do_not_keep_tasks_from_running(app: Atila) -> None:
    app.config.THREADS = 2
    barrier = threading.Barrier(2)

    @app.route("/")
    def handler(was: Was) -> str:
        barrier.wait(PATIENCE)
        return was.Thread(lambda: "done").fetch()

    client = app.test_client()
    responses = []
    threads = [threading.Thread(target=lambda: responses.append(client.get("/"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [response.text for response in responses] == ["done", "done"]


def test_queued_task_is_not_begun_after_its_time(
    app: Atila, run: Run, gate: threading.Event
) -> None:
    app.config.TASK_THREADS = 1

    def use(was: Was) -> Any:
        ran: list[int] = []
        first = was.Thread(gate.wait)
        late = was.Thread(ran.append, 1, timeout=0.01)
        late.wait()
        gate.set()
        was.Tasks(first, was.Thread(str)).commit()
        return late.dispatch().status, ran

    assert run(use) == (STA_TIMEOUT, [])


def test_running_task_cannot_be_cancelled(run: Run, gate: threading.Event) -> None:
    def use(was: Was) -> Any:
        begun = threading.Event()
        task = was.Thread(lambda: begun.set() or gate.wait())
        assert begun.wait(PATIENCE)
        task.cancel()
        gate.set()
        return task.fetch()

    assert run(use) is True


def test_site_whose_apps_have_not_all_the_layer(app: Atila) -> None:
    without = Atila(__name__, layers={"tasks": None})
    app.config.TASK_THREADS = 1
    app.route("/")(lambda was: was.Thread(str, "done"))
    site = Site([Mount("/", without), Mount("/deep/shop", app)])
    assert app.site is site
    assert app.test_client().get("/deep/shop/").text == "done"
