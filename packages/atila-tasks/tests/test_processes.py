"""`was.Process`, and the processes that it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from atila import Atila, HTTPError, SetupError, Was, current
from atila.testing.waits import PATIENCE, patience, wait_until
from atila_tasks import STA_REQFAIL, STA_TIMEOUT, STA_UNSENT, ProcessDied, ProcessFailed
from atila_tasks.local.children import Child
from atila_tasks.local.processes import Processes

Run = Callable[..., Any]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module process_work, importable in other processes as well."""
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    return importlib.import_module("process_work")


@pytest.fixture
def app(app: Atila) -> Iterator[Atila]:
    app.config.TASK_PROCESSES = 1
    yield app
    with contextlib.suppress(SetupError):
        app.site.shutdown()


def until(path: Path) -> None:
    wait_until(path.exists, f"{path} is there")


def test_arguments_and_options(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(
            was.Process(math.pow, 2, 3),
            was.Process(math.sqrt, args=(4.0,)),
            was.Process(int, "ff", kwargs={"base": 16}),
            was.Process(sorted, [2, 1], filter=lambda data: (data, current.get() is was)),
            was.Process(os.getpid, timeout=30, meta={"a": 1}),
        )

    tasks = run(use)
    *data, pid = tasks.fetch()
    assert data == [8.0, 2.0, 255, ([1, 2], True)]
    assert pid != os.getpid()
    assert tasks[4].meta == {"a": 1}


def test_process_is_kept_and_knows_nothing_but_what_it_needs(run: Run, work: Any) -> None:
    first, second = run(lambda was: [was.Process(os.getpid), was.Process(os.getpid)])
    assert first.fetch() == second.fetch()
    modules = run(lambda was: was.Process(work.modules)).fetch()
    assert "process_work" in modules
    assert not {"atila", "atila_tasks", "pytest"} & set(modules)


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("odd", ProcessFailed, "Odd: odd"),
        ("lock", TypeError, "the result of lock, a .*, cannot be sent from its process"),
        ("leave", RuntimeError, "a task ended with SystemExit"),
        ("die", ProcessDied, "killed by SIGKILL"),
        ("die_with_heir", ProcessDied, "killed by SIGKILL"),
    ],
)
def test_failures(run: Run, work: Any, name: str, kind: type[Exception], text: str) -> None:
    task = run(lambda was: was.Process(getattr(work, name)))
    assert task.dispatch().status == STA_REQFAIL
    with pytest.raises(kind, match=text):
        task.fetch()
    assert run(lambda was: was.Process(math.sqrt, 4)).fetch() == 2.0


def test_error_has_the_traceback_of_the_other_process(run: Run) -> None:
    error = run(lambda was: was.Process(int, "x")).dispatch().error
    assert isinstance(error, ValueError)
    assert "in answer" in str(error.__cause__)


def test_crash_is_told(run: Run, work: Any) -> None:
    error = run(lambda was: was.Process(work.die, signal.SIGSEGV)).dispatch().error
    assert error.status == -signal.SIGSEGV
    error = run(lambda was: was.Process(os._exit, 7)).dispatch().error
    assert str(error).endswith("exit status 7")


def test_process_that_died_while_it_was_idle_is_replaced(run: Run) -> None:
    first = run(lambda was: was.Process(os.getpid)).fetch()
    os.kill(first, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert run(lambda was: was.Process(os.getpid)).fetch() != first
    # Nobody else has waited for it.
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_signals_to_all_do_not_end_it(run: Run, work: Any) -> None:
    task = run(lambda was: was.Process(work.signals))
    assert task.fetch() == run(lambda was: was.Process(os.getpid)).fetch()


@pytest.mark.parametrize("call", [lambda: 1, [threading.Lock()], "nested"])
def test_what_cannot_be_sent_is_told_at_once(run: Run, call: Any) -> None:
    def nested() -> None: ...

    func, args = (len, call) if isinstance(call, list) else (nested, [])
    func = call if callable(call) else func

    def use(was: Was) -> None:
        with pytest.raises(TypeError, match="at the top of a module"):
            was.Process(func, args=args and [args])

    run(use)


def test_what_is_no_function(run: Run) -> None:
    async def asynchronous() -> None: ...

    def use(was: Was) -> None:
        with pytest.raises(TypeError, match="asynchronous is async def"):
            was.Process(asynchronous)
        with pytest.raises(TypeError, match="int"):
            was.Process(1)

    run(use)


def test_out_of_time_means_killed(run: Run, work: Any, tmp_path: Path) -> None:
    task = run(lambda was: was.Process(work.meet, str(tmp_path), "late", timeout=0.4))
    assert task.dispatch().status == STA_TIMEOUT
    # There is only one place, so of the other nothing can be running any more.
    run(lambda was: was.Process(os.getpid)).fetch()
    (tmp_path / "go").touch()
    run(lambda was: was.Process(os.getpid)).fetch()
    assert not (tmp_path / "late-ended").exists()


def test_cancelling(run: Run, work: Any, tmp_path: Path) -> None:
    def use(was: Was) -> Any:
        running = was.Process(work.meet, str(tmp_path), "running")
        queued = was.Process(work.meet, str(tmp_path), "queued")
        late = was.Process(work.meet, str(tmp_path), "late", timeout=0.01)
        until(tmp_path / "running")
        for task in (queued, running):
            task.cancel()
        return running, queued, late

    running, queued, late = run(use)
    assert running.dispatch().status == STA_REQFAIL
    assert queued.dispatch().status == STA_UNSENT
    assert late.dispatch().status == STA_TIMEOUT
    (tmp_path / "go").touch()
    run(lambda was: was.Process(os.getpid)).fetch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go", "running"]


def test_cancelled_while_it_begins(
    run: Run,
    work: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_cancelled: threading.Event,
) -> None:
    take = Processes._take

    def take_then(processes: Processes) -> Child:
        child = take(processes)
        is_cancelled.wait(PATIENCE)
        return child

    monkeypatch.setattr(Processes, "_take", take_then)

    def use(was: Was) -> Any:
        running = was.Process(work.meet, str(tmp_path), "running")
        wait_until(lambda: running.is_begun)
        running.cancel()
        return running.dispatch(), was.Process(math.sqrt, 9, timeout=patience(5)).fetch()

    running, after = run(use)
    assert (running.status, after) == (STA_REQFAIL, 3.0)


def test_cancelled_at_the_last_moment_takes_nobody_else_along(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    answer = Child.call

    def call(child: Child, request: bytes, timeout: float | None) -> bytes:
        answered = answer(child, request, timeout)
        # Its process is done, and is killed for it all the same.
        while made:
            made.pop().cancel()
        return answered

    monkeypatch.setattr(Child, "call", call)

    def use(was: Was) -> Any:
        for _ in range(5):
            task = was.Process(math.sqrt, 4)
            made.append(task)
            task.wait()
            assert was.Process(math.sqrt, 9).fetch() == 3.0

    run(use)


def test_are_bounded(app: Atila, run: Run, work: Any, tmp_path: Path) -> None:
    app.config.TASK_QUEUE_SIZE = 2

    def use(was: Was) -> Any:
        first = was.Process(work.meet, str(tmp_path), "first")
        until(tmp_path / "first")
        queued = [was.Process(os.getpid) for _ in range(3)]
        refused = queued[2].dispatch()
        (tmp_path / "go").touch()
        return refused, was.Tasks(first, queued[:2]).fetch()

    refused, (first, queued) = run(use)
    assert refused.status == STA_UNSENT
    assert isinstance(refused.error, HTTPError)
    assert list(refused.error.headers) == [("retry-after", "1")]
    assert queued == [first, first]


@pytest.mark.parametrize("in_time", [True, False])
def test_end_of_a_site(app: Atila, run: Run, work: Any, tmp_path: Path, in_time: bool) -> None:
    def use(was: Was) -> Any:
        task = was.Process(work.meet, str(tmp_path), "running")
        until(tmp_path / "running")
        return task

    others = _children()
    task = run(use)
    assert _children() > others
    if in_time:
        threading.Timer(0.1, (tmp_path / "go").touch).start()
    site = app.site
    began = time.monotonic()
    site.shutdown(10.0 if in_time else 0.2)
    assert time.monotonic() - began < patience(5)
    assert (task.dispatch().error is None) is in_time
    wait_until(lambda: not _children() - others, "no process is left")


def _children() -> set[psutil.Process]:
    """The processes that carry out tasks of this one; those of other tests may be there still."""
    children = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "worker_process" in " ".join(child.cmdline()):
                children.add(child)
    return children


def test_script_without_a_guard_is_not_served_again(tmp_path: Path) -> None:
    # What the child must not do is what this script does at its end.
    script = tmp_path / "serve.py"
    script.write_text(
        """
import skitai
from atila import Atila

app = Atila(__name__)
skitai.mount("/", app)

class Value:
    pass

def give(number):
    value = Value()
    value.text = f"{number} {__name__}"
    return value

@app.route("/")
def index(was):
    value = was.Process(give, 7).fetch()
    return f"{value.text} {isinstance(value, Value)}"

if __name__ == "__main__":
    print(app.test_client().get("/").text)
    app.site.shutdown()
else:
    skitai.run(port=1)
"""
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
    )
    assert done.stdout == "7 __mp_main__ True\n", done.stderr


def test_setting_that_cannot_be(app: Atila) -> None:
    app.config.TASK_PROCESSES = 0
    app.route("/")(lambda was: "")
    with pytest.raises(SetupError, match="TASK_PROCESSES is 0"):
        app.test_client().get("/")


def test_yielded(co_run: Run) -> None:
    def use(was: Was) -> Any:
        task = yield was.Process(math.sqrt, 4)
        return task.fetch()

    assert co_run(use) == 2.0


def test_awaited_elsewhere(run: Run) -> None:
    task = run(lambda was: was.Process(math.sqrt, 4))

    async def use() -> Any:
        return (await task).fetch()

    assert asyncio.run(use()) == 2.0
