"""Work after the answer: `was.after(send_mail, address)`."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec

from atila.errors import source_of
from atila.runtime.keeping import found, kept
from atila.runtime.offload import contained, in_context, is_async
from atila.runtime.pool import WorkerPool

if TYPE_CHECKING:
    from atila import Site, Was

Params = ParamSpec("Params")

QUEUE_SIZE = 1024
"""Functions that may wait for a thread of their own; further ones take those of the handlers, so
that a server with too much to do afterwards takes fewer requests."""

_KEY = "work_after"
"""Where the context of a request keeps it."""

log = logging.getLogger("atila.after")


def after(
    was: Was,
    function: Callable[Params, object],
    /,
    *args: Params.args,
    **kwargs: Params.kwargs,
) -> None:
    """Have function(*args, **kwargs) called when the request has been answered.

    A function is called in a worker thread, one that is `async def` runs on the task loop; both
    with the context variables as they are now. Functions of one request run one after the other, in
    this order, also when one of them fails, which is logged. For a request that fails none is
    called but those that error handlers and hooks add from then on. Over a WebSocket it runs when
    the handler takes the next message, or ends.

    Parameters that are not given and have the name of a provider get a value of their own, which
    ends with the function. For type checkers these have a default: `db: Session = PROVIDED`.

    Where no answer is to come (an event, a maintenance job, a request that is over) it runs at
    once. A server that stops waits for it, within the setting SHUTDOWN_TIMEOUT; work that has not
    ended by then is lost.

    Args:
        was: the request.
        function: def or async def.
        args: its arguments.
        kwargs: its arguments by name.

    Raises:
        TypeError: it is no function, or one whose call would run nothing.
    """
    _check(function)
    work = _work(was, function, args, kwargs)
    if was.variables is None:
        _begin(_Batch(was, [work]))
        return
    batch: _Batch | None = was.__dict__.get(_KEY)
    if batch is None:
        batch = was.__dict__[_KEY] = _Batch(was, [])
        _of(was.site).expected[was.exchange] = batch
    batch.works.append(work)
    if was.cancels is None:
        # The mark of a request that something is left to be done for at its end.
        was.cancels = {}


def at_once(
    was: Was,
    function: Callable[Params, object],
    /,
    *args: Params.args,
    **kwargs: Params.kwargs,
) -> None:
    """`after`, for a context that answers no request."""
    _check(function)
    _begin(_Batch(was, [_work(was, function, args, kwargs)]))


def _check(function: object) -> None:
    if not callable(function):
        hint = ""
        if inspect.iscoroutine(function):
            function.close()
            hint = ": write was.after(function, argument), not was.after(function(argument))"
        raise TypeError(f"was.after takes a function, not a {type(function).__name__}{hint}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        name = getattr(function, "__name__", "it")
        raise TypeError(f"was.after: {name} is a generator function, whose call runs nothing")


def _work(
    was: Was, function: Callable[..., object], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Work:
    function = was.app.providers.supplied_alone(was, function, len(args), kwargs)
    return Work(partial(function, *args, **kwargs), copy_context())


@dataclass(slots=True)
class Work:
    """One function to be called.

    Attributes:
        call: the function with its arguments.
        context: the context variables that it runs with.
    """

    call: partial[Any]
    context: Context

    def __str__(self) -> str:
        function = self.call.func
        name = getattr(function, "__qualname__", None) or repr(function)
        source = source_of(function)
        return f"{name} ({source})" if source else name


class _Batch:
    """The work that one request has added, so far.

    Attributes:
        was: the request.
        works: the functions that are still to be called.
        ended: done when all of it has ended, or was dropped.
    """

    __slots__ = ("ended", "was", "works")

    def __init__(self, was: Was, works: list[Work]) -> None:
        self.was = was
        self.works = works
        self.ended: Future[None] = Future()

    @property
    def title(self) -> str:
        """The request and its route, for the log."""
        return f"request {self.was.request_id}, {self.was.endpoint.route.name or 'without a route'}"


class _Afterwards:
    """The work of a site.

    Attributes:
        expected: by the exchange of a request, the work that it has added, until that has ended.
        running: the work that has begun.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._making = threading.Lock()
        self._pool: WorkerPool | None = None
        self.expected: dict[object, _Batch] = {}
        self.running: set[_Batch] = set()

    @property
    def pool(self) -> WorkerPool:
        """Threads of its own, so that slow work holds up no request."""
        with self._making:
            if self._pool is None:
                threads = self._site.mounts[0].app.config.AFTER_THREADS
                self._pool = WorkerPool(threads, QUEUE_SIZE, "atila-after", one_thread_per_job=True)
        return self._pool

    async def run(self, batch: _Batch) -> None:
        """Call its functions, one after the other."""
        try:
            while batch.works:
                work = batch.works.pop(0)
                try:
                    await self._do(batch.was, work)
                except asyncio.CancelledError:
                    batch.works.insert(0, work)
                    raise
                except BaseException:
                    # Even SystemExit: it is nobody's end but its own.
                    log.exception("%s: work after the answer failed: %s", batch.title, work)
        except asyncio.CancelledError:
            for work in batch.works:
                text = "%s: work after the answer was not finished, as the server stops: %s"
                log.error(text, batch.title, work)
        finally:
            self.end(batch)

    async def _do(self, was: Was, work: Work) -> None:
        if is_async(work.call.func):
            await asyncio.create_task(contained(work.call()), context=work.context)
            return
        pool = self.pool
        # A full one has the threads of the handlers help.
        chosen = None if pool.is_full else pool
        value = await asyncio.shield(in_context(was, work.context, work.call, pool=chosen))
        if inspect.isawaitable(value):
            # It only looked like a plain function: lambda: send(address).
            await asyncio.create_task(contained(_awaited(value)), context=work.context)

    def end(self, batch: _Batch) -> None:
        """A batch has ended, or will never begin."""
        self.running.discard(batch)
        if self.expected.get(batch.was.exchange) is batch:
            del self.expected[batch.was.exchange]
        if not batch.ended.done():
            batch.ended.set_result(None)

    async def all_ended(self) -> None:
        """Return when nothing runs any more."""
        while running := tuple(self.running):
            await asyncio.wait([asyncio.wrap_future(batch.ended) for batch in running])


async def _awaited(awaitable: Any) -> None:
    await awaitable


def _of(site: Site) -> _Afterwards:
    return kept(site, _Afterwards, lambda: _Afterwards(site))


def _begin(batch: _Batch) -> None:
    site = batch.was.site
    afterwards = _of(site)
    afterwards.running.add(batch)
    site.loop.spawn(afterwards.run(batch), Context())


# For the end of requests --------------------------------------------------------------------------


def start(was: Was) -> None:
    """The request was answered: begin with the work that it has added. From any thread."""
    batch: _Batch | None = was.__dict__.pop(_KEY, None)
    if batch is not None:
        _begin(batch)


def drop(was: Was, kept_works: int = 0) -> None:
    """The request, or a call of it, has failed: forget what was added.

    Args:
        was: the request.
        kept_works: how many of the first are kept; see `count`.
    """
    batch: _Batch | None = was.__dict__.get(_KEY)
    if batch is None:
        return
    del batch.works[kept_works:]
    if not batch.works:
        del was.__dict__[_KEY]
        _of(was.site).end(batch)


def count(was: Was) -> int:
    """How many functions were added so far."""
    batch: _Batch | None = was.__dict__.get(_KEY)
    return 0 if batch is None else len(batch.works)


# For the site and the test clients ----------------------------------------------------------------


def drain(site: Site, seconds: float) -> None:
    """Wait for all work; blocks. Not on the running task loop.

    Args:
        site: the site, which takes no more requests.
        seconds: how long it may take.
    """
    afterwards: _Afterwards | None = found(site, _Afterwards)
    if afterwards is None or not afterwards.running:
        return
    site.loop.run(_within(afterwards, seconds), seconds + 1.0)


async def _within(afterwards: _Afterwards, seconds: float) -> None:
    waiting = asyncio.ensure_future(afterwards.all_ended())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()


def expected(site: Site, exchange: object) -> Iterator[Future[None]]:
    """The ends of the work that a request has added, for a caller that waits for them."""
    afterwards: _Afterwards | None = found(site, _Afterwards)
    if afterwards is not None and (batch := afterwards.expected.get(exchange)) is not None:
        yield batch.ended


__all__ = ["after", "at_once", "count", "drain", "drop", "expected", "start"]
