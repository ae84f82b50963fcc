"""Calls of the project's code in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from atila.errors import SetupError
from atila.launch.apart import call_apart
from atila.testing.waits import wait_until


def wait_for(path: Path) -> int:
    wait_until(path.exists, f"{path} is there")
    return os.getpid()


def end_at_once() -> None:
    os._exit(3)


def fail() -> None:
    raise LookupError("not here")


def test_both_processes_work_at_once(tmp_path: Path) -> None:
    path = tmp_path / "made by the caller"
    assert call_apart(wait_for, path, meanwhile=path.touch) != os.getpid()


def test_errors_are_those_of_the_function() -> None:
    with pytest.raises(LookupError, match="not here"):
        call_apart(fail)
    with pytest.raises(SetupError, match="ended with status 3"):
        call_apart(end_at_once)


def test_an_error_of_the_caller_ends_both(tmp_path: Path) -> None:
    def refuse() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_apart(wait_for, tmp_path / "never made", meanwhile=refuse)
