"""The tasks that a server makes for requests begin as soon as they are made, and no others do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from atila.runtime import server_tasks

CAN_BEGIN = sys.version_info >= (3, 12)
NAMED: ContextVar[str] = ContextVar("named")


async def request(seen: list[Any], waits: asyncio.Future[None] | None = None) -> str:
    seen.append(asyncio.current_task())
    NAMED.set("of the request")
    if waits is not None:
        await waits
    return "answered"


async def other(seen: list[Any]) -> None:
    seen.append(asyncio.current_task())


async def prepare() -> asyncio.AbstractEventLoop:
    """The running loop, which has seen a task of a request."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(request([]))
    server_tasks.begin_at_once(task)
    await task
    return loop


def test_a_request_that_does_not_wait_is_over_at_once() -> None:
    async def ask() -> None:
        loop = await prepare()
        seen: list[Any] = []
        task = loop.create_task(request(seen))
        assert task.done() is CAN_BEGIN
        assert await task == "answered"
        assert seen == [task]

    asyncio.run(ask())


def test_a_request_that_waits_goes_on_in_its_task() -> None:
    async def ask() -> None:
        loop = await prepare()
        seen: list[Any] = []
        waits = loop.create_future()
        task = loop.create_task(request(seen, waits))
        assert (seen == [task]) is CAN_BEGIN
        assert task in asyncio.all_tasks()
        waits.set_result(None)
        assert await task == "answered"
        with pytest.raises(LookupError):
            NAMED.get()

        task = loop.create_task(request(seen, loop.create_future()))
        await asyncio.sleep(0)
        assert task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())


def test_no_other_task_begins_at_once() -> None:
    async def ask() -> None:
        loop = await prepare()
        seen: list[Any] = []
        tasks: list[asyncio.Task[Any]] = [loop.create_task(other(seen), name="other")]
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(other(seen)))
            assert not seen
        await asyncio.gather(*tasks)
        assert seen == tasks
        assert tasks[0].get_name() == "other"

    asyncio.run(ask())


def test_a_task_keeps_what_it_is_made_with() -> None:
    async def ask() -> None:
        loop = await prepare()
        context = copy_context()
        await loop.create_task(request([]), context=context)
        assert context[NAMED] == "of the request"

    asyncio.run(ask())


def test_the_factory_of_another_stays() -> None:
    made: list[Coroutine[Any, Any, Any]] = []

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(make)
        await prepare()
        assert loop.get_task_factory() is make
        assert len(made) == 1

    asyncio.run(ask())
