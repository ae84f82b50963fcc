"""The tasks that a server makes for requests, begun as soon as they are made.

asyncio begins a task at the next turn of its loop, by a call that it keeps until then, and holds it
weakly in a set from its first moment. A request that is answered without a wait needs neither.
"""

from __future__ import annotations

import asyncio
import sys
from contextvars import Context
from types import CoroutineType
from typing import Any


def begin_at_once(task: asyncio.Task[Any]) -> None:
    """Have the loop of a task begin those like it at once, where Python can (3.12); all others,
    those of handlers too, begin as ever.

    A loop that has a task factory keeps it.

    Args:
        task: one that a server has made for a request; those of the same code are meant.
    """
    loop, code = task.get_loop(), getattr(task.get_coro(), "cr_code", None)
    if sys.version_info < (3, 12) or code is None or loop.get_task_factory() is not None:
        return
    # Looked for once, not by each request.
    new_task, coroutine_type = asyncio.Task, CoroutineType

    def make(
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,
        *,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        if type(coroutine) is coroutine_type and coroutine.cr_code is code:
            return new_task(coroutine, loop=loop, context=context, eager_start=True)
        return new_task(coroutine, loop=loop, context=context, **options)

    loop.set_task_factory(make)
