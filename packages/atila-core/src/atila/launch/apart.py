"""Calls of code of the project in a process of its own, so that this one stays without the app."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from atila.errors import SetupError
from atila.runtime import server_run
from atila.typevars import Value

LOOK_SECONDS = 0.2
"""Pause between two looks whether this process still has its parent."""


def call_apart(
    function: Callable[..., Value], *args: Any, meanwhile: Callable[[], object] | None = None
) -> Value:
    """The result of a function, which is called in a process that ends with this one.

    Args:
        function: a function of a module.
        args: its arguments; they and the result must be such that pickle can send.
        meanwhile: called here while it runs.

    Raises:
        SetupError: the process ended without a result.
        BaseException: any error of the function.
    """
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, function, args))
    process.start()
    sending.close()
    try:
        if meanwhile is not None:
            meanwhile()
        error, result = receiving.recv()
    except EOFError:
        process.join()
        raise SetupError(
            f"the process that read the app ended with status {process.exitcode}"
        ) from None
    except BaseException:
        # Such as KeyboardInterrupt: code that imports for ever is not waited for.
        process.kill()
        raise
    finally:
        receiving.close()
        process.join()
    if error is not None:
        raise error
    found: Value = result
    return found


def _answer(sending: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    server_run.watch_parent(os.getppid(), LOOK_SECONDS, _leave)
    try:
        answer: tuple[BaseException | None, Any] = None, function(*args)
    except BaseException as error:
        answer = error, None
    sending.send(answer)
    sending.close()


def _leave() -> None:
    sys.stderr.flush()
    os._exit(1)
