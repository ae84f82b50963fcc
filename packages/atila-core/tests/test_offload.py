"""Coroutines that a thread waits for."""

from __future__ import annotations

import inspect

import pytest

from atila import Atila
from atila.runtime.offload import wait_for


async def _seven() -> int:
    return 7


def test_a_coroutine_runs_until_the_task_loop_has_ended() -> None:
    app = Atila(__name__)
    app.route("/")(lambda was: "")
    site = app.site
    assert wait_for(site, _seven()) == 7
    site.loop.stop()
    late = _seven()
    with pytest.raises(RuntimeError, match="task loop has ended"):
        wait_for(site, late)
    # Python warns of one that is thrown away before it is awaited.
    assert inspect.getcoroutinestate(late) == inspect.CORO_CLOSED
