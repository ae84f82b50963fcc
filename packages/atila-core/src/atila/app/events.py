"""The event bus of an app: `@app.on("name")`, `app.emit("name", …)`, and the events of the core.

Handlers get (was, …) and run in threads of their own: the emitter does not wait, and errors of a
handler are logged and have no other effect. Only the handlers of life-cycle events are waited for,
since the next steps rely on them: `before_mount` has ended when the first `__mount__` is called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from pyee.executor import ExecutorEventEmitter

from atila.errors import SetupError, source_of
from atila.routing.signature import check_takes_context
from atila.runtime.context import current
from atila.runtime.pool import WorkerPool
from atila.serving import background_context, start_steps
from atila.serving.provision import called
from atila.typevars import Function

if TYPE_CHECKING:
    from atila import Atila, Was

Handler = Callable[..., Any]

REQUEST = ("before_request", "finish_request", "failed_request", "teardown_request")
START = ("before_mount", "mounted", "mounted_or_reloaded", "reloaded", "startup")
THREADS = 4
"""Handlers of one app that run at a time."""
QUEUE_SIZE = 10_000
"""Calls of handlers that may wait; further ones are dropped, and that is logged."""

log = logging.getLogger("atila.events")


class Bus:
    """The events of one app.

    Args:
        app: the app.

    Attributes:
        subscribers: the buses of other apps that get all events of this one.
    """

    def __init__(self, app: Atila) -> None:
        self._app = app
        self._threads = _Threads(app)
        self._emitter = ExecutorEventEmitter(self._threads)
        self.subscribers: list[Bus] = []

    def on(self, event: str, handler: Handler) -> None:
        """Have a handler called for each event of this name."""
        self._emitter.on(_key(event), handler)

    def handlers(self, event: str) -> list[Handler]:
        """The handlers of an event, in the order they were added."""
        return list(self._emitter.listeners(_key(event)))

    def emit(self, event: str, was: Was | None, args: Any, kwargs: Mapping[str, Any]) -> None:
        """Schedule calls of the handlers, those of the subscribers too.

        Args:
            event: its name.
            was: the context that handlers of this app get; None for one without a request.
            args: the handlers' arguments after the context.
            kwargs: their arguments by name.
        """
        self._emitter.emit(_key(event), was, *args, **kwargs)
        for bus in self.subscribers:
            bus._emitter.emit(_key(event), None, *args, **kwargs)

    def announce(self, event: str, first: int = 0) -> int:
        """Call the handlers of a life-cycle event, one after the other, and wait for them.

        Args:
            event: its name.
            first: how many of them have been called already.

        Returns:
            How many there are.

        Raises:
            Exception: an error of a handler of an event of the start, which keeps the process from
                serving. Errors at the end are logged, and the other handlers are called all the
                same.
        """
        handlers = self.handlers(event)
        for handler in handlers[first:]:
            # `before_mount` comes before the routes are compiled.
            self._app.providers.check_context(handler)
            run = copy_context().run
            if event in START:
                with start_steps.step(f"a function of @app.on({event!r})", source_of(handler)):
                    run(_call, self._app, handler, None, (), {})
            else:
                run(_run, self._app, event, handler, None, (), {})
        return len(handlers)

    def snapshot(self) -> dict[str, list[Handler]]:
        """The present handlers, for `restore`."""
        return {key: list(self._emitter.listeners(key)) for key in self._emitter.event_names()}

    def restore(self, state: Mapping[str, list[Handler]]) -> None:
        """Remove the handlers added since a snapshot."""
        self._emitter.remove_all_listeners()
        for key, handlers in state.items():
            for handler in handlers:
                self._emitter.on(key, handler)

    def close(self, timeout: float) -> None:
        """Wait for the handlers under way, at most `timeout` seconds."""
        self._threads.close(timeout)


def _key(event: str) -> str:
    # pyee gives "error" and "new_listener" a meaning of their own.
    return f"event {event}"


class _Threads(Executor):
    """Runs handlers in daemon threads, which never keep a process from ending."""

    def __init__(self, app: Atila) -> None:
        self._app = app
        self._pool: WorkerPool | None = None

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run fn(was, …) soon; the future has no result, as failures are dealt with here."""
        if self._pool is None:
            self._pool = WorkerPool(THREADS, QUEUE_SIZE, "atila-event", one_thread_per_job=True)
        was, *rest = args
        # With the context variables of whoever emits, in a copy.
        run = copy_context().run
        if not self._pool.submit(run, _run, self._app, "an event", fn, was, rest, kwargs):
            log.error("too many events: the call of %s was dropped", source_of(fn) or fn)
        future: Future[Any] = Future()
        future.set_result(None)
        return future

    def close(self, timeout: float) -> None:
        if self._pool is not None:
            self._pool.close(timeout)
            self._pool = None


def _run(
    app: Atila, event: str, handler: Handler, was: Was | None, args: Any, kwargs: Mapping[str, Any]
) -> None:
    try:
        _call(app, handler, was, args, kwargs)
    except BaseException:
        # Even SystemExit: it is the event of the other handlers, too.
        log.exception("the handler %s of %s failed", source_of(handler) or handler, event)


def _call(
    app: Atila, handler: Handler, was: Was | None, args: Any, kwargs: Mapping[str, Any]
) -> None:
    context = was or background_context.context(app)
    current.set(context)
    called(context, handler, *args, **kwargs)


# What an app has of it --------------------------------------------------------------------------


def on(app: Atila, event: str) -> Callable[[Function], Function]:
    """Call a function for each event of a name: @app.on("tfserver:model-reloaded").

    Args:
        app: the app.
        event: the name. Functions get (was, …): the context, then the arguments of `emit`.

    Raises:
        SetupError: it is used without a name, the function takes no context, or has a provider in
            its place, or the event is one of a request while the app is serving already.
    """
    if not isinstance(event, str):
        raise SetupError('write @app.on("name-of-the-event")', source_of(event))

    def decorate(function: Function) -> Function:
        check_takes_context(function)
        # Once more at the mount, for providers that are declared below it.
        app.providers.check_context(function)
        if late := _too_late(app, event):
            raise SetupError(f"{late}; write @app.on({event!r}) earlier", source_of(function))
        app.bus.on(event, function)
        return function

    return decorate


def _too_late(app: Atila, event: str) -> str:
    """Why the handlers of an event cannot be added any more; "" if they can."""
    late = event in REQUEST or event == "before_mount"
    return "the app serves already" if late and app.mounting.is_done else ""


def emit(app: Atila, event: str, *args: Any, **kwargs: Any) -> None:
    """Have the handlers of an event called soon: app.emit("custom-event", detail).

    Handlers of this app are called, and of the apps that subscribe to it.
    """
    app.bus.emit(event, None, args, kwargs)


def life_cycle(event: str) -> Callable[[Atila, Function], Function]:
    """The decorator of an app for one of its life-cycle events: @app.before_mount."""

    def decorate(app: Atila, function: Function) -> Function:
        return on(app, event)(function)

    decorate.__name__ = event
    decorate.__doc__ = f'Call function(was) at the event: the same as @app.on("{event}").'
    return decorate


def watch_requests(app: Atila) -> None:
    """Add hooks that emit the events of requests; only for events that have handlers.

    To be called after all handlers were added, and before the routes are compiled.
    """
    hooks, bus = app.hooks, app.bus
    if bus.handlers("before_request"):
        hooks.before.insert(0, lambda was: _tell(bus, "before_request", was))
    if bus.handlers("finish_request"):
        hooks.finish.append(lambda was, response: _tell(bus, "finish_request", was, response))
    if bus.handlers("failed_request"):
        hooks.failed.append(lambda was, expt: _tell(bus, "failed_request", was, expt))
    if bus.handlers("teardown_request"):
        hooks.teardown.append(lambda was: _tell(bus, "teardown_request", was))


def _tell(bus: Bus, event: str, was: Was, *args: Any) -> None:
    # Subscribers get no word of it: requests are the business of the app that answers them.
    bus._emitter.emit(_key(event), background_context.observer(was), *args)
