"""`was.Subprocess`, and how programs end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila, Was, current
from atila.testing.waits import PATIENCE, patience, wait_until
from atila_tasks import STA_REQFAIL, STA_TIMEOUT, STA_UNSENT, OutputTooLong, ProgramFailed
from atila_tasks.local.child_process import SupervisedProcess
from atila_tasks.local.programs import Program, argv_of

Run = Callable[..., Any]


@pytest.fixture
def line() -> Iterator[str]:
    """A line that runs for long, and is no other test's; nothing of it may be left."""
    line = f"sleep 99.{time.time_ns() % 1_000_000_000}"
    yield line
    wait_until(lambda: not is_running(line), "the program has ended")


def is_running(line: str) -> bool:
    # What has ended has no command line any more.
    running = psutil.process_iter(["cmdline"])
    return any(line in " ".join(each.info["cmdline"] or ()) for each in running)


def test_forms(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a b").touch()

    def use(was: Was) -> Any:
        return was.Tasks(
            was.Subprocess("echo 'a b'  c"),
            was.Subprocess(["echo", "a b", "|", "c"]),
            was.Subprocess(["ls", tmp_path]),
            was.Subprocess("echo $NAME | tr a-z A-Z", shell=True, env={"NAME": "hans"}),
            was.Subprocess("ls", cwd=tmp_path, filter=lambda text: (text, current.get() is was)),
            was.Subprocess("cat", input="häl" * 100_000, filter=len),
            was.Subprocess("printf '\\377'"),
            was.Subprocess("printf '\\377'", text=False, meta={"a": 1}),
            was.Subprocess("true", input=b"x" * 1_000_000),
        )

    tasks = run(use)
    assert tasks.fetch() == [
        "a b c\n",
        "a b | c\n",
        "a b\n",
        "HANS\n",
        ("a b\n", True),
        300_000,
        "�",
        b"\xff",
        "",
    ]
    assert tasks[7].meta == {"a": 1}


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_words_of_a_list_stay_as_they_are(words: list[str]) -> None:
    assert argv_of(["echo", *words], shell=False) == ["echo", *words]


@pytest.mark.parametrize(
    ("command", "kind", "text"),
    [
        ("", ValueError, "no program"),
        ([], ValueError, "no program"),
        ("ls | wc", ValueError, "shell=True"),
        ("ls > /tmp/x", ValueError, "shell=True"),
        ("echo 'a", ValueError, "quotation"),
        (["ls", 1], TypeError, "int"),
        (7, TypeError, "a line or a list, not int"),
        (b"ls", TypeError, "a line or a list, not bytes"),
    ],
)
def test_what_is_no_command(run: Run, command: Any, kind: type[Exception], text: str) -> None:
    def use(was: Was) -> None:
        with pytest.raises(kind, match=text):
            was.Subprocess(command)

    run(use)


def test_shell_takes_no_list(run: Run) -> None:
    def use(was: Was) -> None:
        with pytest.raises(TypeError, match="a shell takes a line"):
            was.Subprocess(["ls"], shell=True)

    run(use)


def test_failures(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(
            was.Subprocess("sh -c 'echo some; echo $0 >&2; exit 7' reason"),
            was.Subprocess("sh -c 'kill -9 $$'"),
            was.Subprocess("no-such-program secret"),
            was.Subprocess(["echo", "\0"]),
            was.Subprocess("ls", cwd="/no/such/place"),
        ).dispatch()

    failed, killed, absent, zero, nowhere = run(use)
    assert isinstance(failed.error, ProgramFailed)
    assert (failed.error.status, failed.error.stderr) == (7, "reason\n")
    assert str(failed.error) == "sh: exit status 7: reason"
    assert str(killed.error) == "sh: killed by signal 9"
    assert isinstance(absent.error, FileNotFoundError)
    assert "secret" not in str(absent.error)
    assert isinstance(zero.error, ValueError)
    assert isinstance(nowhere.error, FileNotFoundError)
    assert {r.status for r in (failed, killed, absent, zero, nowhere)} == {STA_REQFAIL}


def test_out_of_time_ends_the_whole_group(run: Run, line: str) -> None:
    task = run(lambda was: was.Subprocess(f"{line} & {line}", shell=True, timeout=0.3))
    assert task.dispatch().status == STA_TIMEOUT


def test_what_is_left_behind_ends_with_the_program(run: Run, line: str) -> None:
    task = run(lambda was: was.Subprocess(f"{line} & echo left", shell=True, timeout=PATIENCE))
    assert task.fetch() == "left\n"


def test_program_that_closes_its_output_goes_on(run: Run) -> None:
    task = run(lambda was: was.Subprocess("exec >&- 2>&-; sleep 0.2; exit 3", shell=True))
    assert task.dispatch().error.status == 3


@pytest.mark.parametrize("name", ["pidfd_open", "waitid"])
def test_systems_that_tell_less(
    run: Run, monkeypatch: pytest.MonkeyPatch, line: str, name: str
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    if name != "pidfd_open":
        monkeypatch.delattr(os, name)

    def use(was: Was) -> Any:
        return was.Tasks(
            was.Subprocess("echo a; exec >&- 2>&-; sleep 0.1; exit 3", shell=True),
            was.Subprocess("cat", input="b"),
            was.Subprocess(line, timeout=0.3),
            was.Process(int, "7"),
            was.Process(os._exit, 7),
        ).dispatch()

    failed, read, late, seven, died = run(use)
    assert failed.error.status == 3
    assert (read.data, seven.data, late.status) == ("b", 7, STA_TIMEOUT)
    assert died.error.status == 7


def test_floods(app: Atila, run: Run) -> None:
    app.config.SUBPROCESS_MAX_OUTPUT = 1_000_000

    def use(was: Was) -> Any:
        return was.Tasks(
            was.Subprocess("yes"),
            was.Subprocess("yes", limit=10),
            was.Subprocess("head -c 3000000 /dev/zero", limit=3_000_000, text=False, filter=len),
            was.Subprocess("head -c 30000000 /dev/zero >&2; echo end >&2; exit 1", shell=True),
        ).dispatch()

    first, second, third, errors = run(use)
    assert isinstance(first.error, OutputTooLong)
    assert "1000000 bytes" in str(first.error)
    assert isinstance(second.error, OutputTooLong)
    assert third.data == 3_000_000
    assert len(errors.error.stderr) == 4096
    assert errors.error.stderr.endswith("end\n")


def test_cancelling(app: Atila, run: Run, line: str, tmp_path: Path) -> None:
    app.config.TASK_SUBPROCESSES = 1
    mark = tmp_path / "mark"

    def use(was: Was) -> Any:
        running = was.Subprocess(f"touch {mark}; {line}", shell=True)
        queued = was.Subprocess(["touch", tmp_path / "queued"])
        wait_until(mark.exists)
        for task in (queued, running):
            task.cancel()
        return running.dispatch(), queued.dispatch(), was.Subprocess("echo on").fetch()

    running, queued, after = run(use)
    assert (running.status, queued.status, after) == (STA_REQFAIL, STA_UNSENT, "on\n")
    assert not (tmp_path / "queued").exists()


def test_cancelled_while_it_starts(
    app: Atila,
    run: Run,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    is_cancelled: threading.Event,
) -> None:
    app.config.TASK_SUBPROCESSES = 1
    start = Program.start

    def start_then(program: Program) -> SupervisedProcess:
        if line.split()[1] in program.argv:
            is_cancelled.wait(PATIENCE)
        return start(program)

    monkeypatch.setattr(Program, "start", start_then)

    def use(was: Was) -> Any:
        running = was.Subprocess(line)
        wait_until(lambda: running.is_begun)
        running.cancel()
        return running.dispatch(), was.Subprocess("echo on", timeout=patience(5)).fetch()

    running, after = run(use)
    assert (running.status, after) == (STA_REQFAIL, "on\n")


def test_are_bounded(app: Atila, run: Run, line: str) -> None:
    app.config.TASK_SUBPROCESSES = app.config.TASK_QUEUE_SIZE = 1

    def use(was: Was) -> Any:
        running = was.Subprocess(line)
        wait_until(lambda: is_running(line))
        queued = was.Subprocess("echo queued")
        refused = was.Subprocess("echo refused").dispatch()
        running.cancel()
        return refused, queued.fetch()

    refused, queued = run(use)
    assert (refused.status, refused.error.code, queued) == (STA_UNSENT, 503, "queued\n")


def test_end_of_a_site(app: Atila, run: Run, line: str) -> None:
    def use(was: Was) -> Any:
        tasks = [was.Subprocess(line), was.Subprocess("sh -c 'sleep 0.2; echo ended'")]
        wait_until(lambda: is_running(line))
        return tasks

    endless, short = run(use)
    began = time.monotonic()
    app.site.shutdown(0.6)
    assert time.monotonic() - began < patience(5)
    assert (endless.dispatch().status, short.fetch()) == (STA_REQFAIL, "ended\n")


def test_handles_and_threads_stay_the_same(app: Atila, run: Run) -> None:
    app.config.TASK_SUBPROCESSES = 4

    def many(was: Was) -> Any:
        return was.Tasks([was.Subprocess("true") for _ in range(60)]).fetch()

    run(many)
    handles, threads = psutil.Process().num_fds(), threading.active_count()
    run(many)
    assert psutil.Process().num_fds() <= handles + 1
    assert threading.active_count() <= threads + 1


def test_ends_with_a_process_that_is_killed(line: str) -> None:
    # Even a program that takes no notice of signals.
    source = f"""
import sys, time
from atila_tasks.local.child_process import SupervisedProcess
SupervisedProcess(["sh", "-c", "trap '' TERM HUP INT IO; {line} & {line}"])
print("started", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        wait_until(lambda: is_running(line))
        process.kill()


def test_end_of_one_that_has_ended() -> None:
    supervised = SupervisedProcess(["sh", "-c", "exit 5"])
    os.waitid(os.P_PID, supervised.process.pid, os.WEXITED | os.WNOWAIT)
    assert supervised.end() == 5
    # Its number may be somebody else's by now.
    supervised.kill()
