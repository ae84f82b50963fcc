"""The health page: whether a process lives, and whether it accepts requests.

`/health/live` is answered by the task loop alone, `/health/ready` by the readiness checks of the
app, in threads of their own. So both are answered when all worker threads and their queue are
taken. Hooks and layers of the app do not run: the client is a machine without credentials.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import orjson

from atila.errors import SetupError, SharedUnavailable, source_of
from atila.http.loopback import is_local
from atila.routing.router import Route
from atila.routing.signature import check_takes_context
from atila.runtime.offload import in_pool
from atila.runtime.pool import WorkerPool
from atila.typevars import Function

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.response import Response


SHARED = "shared-state"
"""The name of the check that every site with a shared state has; no function can be called so."""

_HEADERS = {"content-type": "application/json", "cache-control": "no-store"}

log = logging.getLogger("atila.health")


def readiness_check(app: Atila, function: Function) -> Function:
    """Have a function say whether this process is ready: `def database(was)`, or `async def`.

    It fails by raising, by returning False, or by taking longer than HEALTH_TIMEOUT. Its name is
    shown in the answer of /health/ready.

    Raises:
        SetupError: there is a check of this name already, it takes no context, or it yields.
    """
    check_takes_context(function)
    name, source = function.__name__, source_of(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SetupError(f"the check {name} must not yield; write async def and await", source)
    other = app.readiness.get(name)
    if other is not None:
        raise SetupError(
            f"there is a readiness check {name} already, at {source_of(other)}; give one of them"
            " another name",
            source,
        )
    app.readiness[name] = function
    return function


def _check_shared(was: Was) -> None:
    was.site.check_shared()


def routes(app: Atila) -> Iterator[Route]:
    """The routes below the path of the setting HEALTH_PATH; none if it has no path."""
    path, seconds = app.config.HEALTH_PATH, app.config.HEALTH_TIMEOUT
    if path is None:
        return
    handlers = {"live": live, "ready": Readiness(app, seconds).answer}
    for name, handler in handlers.items():
        yield Route(f"{path}/{name}", handler, ("GET",), automatic=True)


async def live(was: Was) -> Response:
    """200; it shows the client that the task loop runs."""
    return _answer(was, 200, {"status": "ok"})


class Readiness:
    """All readiness checks of an app, and that of the state that workers share, if they do.

    Args:
        app: the app.
        seconds: the time that each check has.
    """

    def __init__(self, app: Atila, seconds: float) -> None:
        functions = dict(app.readiness)
        functions[SHARED] = _check_shared
        # A check that hangs has its thread; it must not have that of another.
        pool = WorkerPool(max(1, len(functions)), name="atila-health", one_thread_per_job=True)
        self._checks = [Check(name, func, seconds, pool) for name, func in functions.items()]
        self._shared = self._checks[-1]

    async def answer(self, was: Was) -> Response:
        """200 if all checks pass, else 503; also while the process shuts down."""
        if was.site.is_draining:
            return _answer(was, 503, {"status": "draining", "checks": {}})
        checks = [each for each in self._checks if each is not self._shared or was.site.is_sharing]
        outcomes = await asyncio.gather(*(check.outcome(was) for check in checks))
        errors = {
            check.name: error
            for check, error in zip(checks, outcomes, strict=True)
            if error is not None
        }
        report: dict[str, Any] = {
            "status": "failed" if errors else "ok",
            "checks": {check.name: _word(errors.get(check.name)) for check in checks},
        }
        if errors and was.app.debug and is_local(was.exchange):
            report["errors"] = {name: _text(error) for name, error in errors.items()}
        return _answer(was, 503 if errors else 200, report)


class Check:
    """One readiness check; it runs once at a time, and all requests that come meanwhile share the
    run.

    Args:
        name: the name of the function.
        function: (was), `def` or `async def`.
        seconds: the time that it has.
        pool: the threads that run it, if it is a `def`.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], seconds: float, pool: WorkerPool
    ) -> None:
        self.name = name
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function)
        self._seconds = seconds
        self._pool = pool
        self._run: asyncio.Task[Exception | None] | None = None
        self._until = 0.0
        self._has_failed = False

    async def outcome(self, was: Was) -> Exception | None:
        """Why it fails; None if it does not. On the task loop."""
        now = asyncio.get_running_loop().time()
        if self._run is None or self._run.done():
            self._run = was.site.loop.start(self._perform(was))
            self._until = now + self._seconds
        run = self._run
        await asyncio.wait([run], timeout=max(0.0, self._until - now))
        error: Exception | None = TimeoutError(f"not within {self._seconds:g} s")
        if run.done():
            error = error if run.cancelled() else run.result()
        elif self._is_async:
            # A thread cannot be stopped; as long as it is at it, the check is not run again.
            run.cancel()
        self._note(error)
        return error

    async def _perform(self, was: Was) -> Exception | None:
        try:
            if self._is_async:
                value = await self._function(was)
            else:
                value = await in_pool(self._pool, was, self._function, was)
            if hasattr(type(value), "__await__"):
                value = await value
        except Exception as error:
            return error
        return AssertionError("it returned False") if value is False else None

    def _note(self, error: Exception | None) -> None:
        """Log that it has begun to fail, or ceased; not each run, since probes may come each
        second.
        """
        if error is not None and not self._has_failed:
            if isinstance(error, SharedUnavailable):
                log.warning("the readiness check %s failed: %s", self.name, error.report)
            else:
                log.warning("the readiness check %s failed", self.name, exc_info=error)
        elif error is None and self._has_failed:
            log.info("the readiness check %s passes again", self.name)
        self._has_failed = error is not None


def _word(error: Exception | None) -> str:
    if error is None:
        return "ok"
    return "timeout" if isinstance(error, TimeoutError) else "failed"


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()


def _answer(was: Was, status: int, value: dict[str, Any]) -> Response:
    return was.response(status, orjson.dumps(value), _HEADERS)
