"""An endpoint: one route compiled to the steps that it needs, and the run of a request through
them.

This is the hot path; `run` is all that happens between engine and engine for a plain handler.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from atila.errors import CLIENT_LEFT, HTTPError, SetupError
from atila.http import uploads
from atila.http.bodies import IN_MEMORY
from atila.http.close_codes import GOING_AWAY
from atila.http.response import ANSWERED
from atila.routing.router import Route, names_of, parse_rule
from atila.routing.signature import Binder, Signature, binder, positional_names
from atila.runtime import forks
from atila.runtime.awaitables import Rest
from atila.runtime.context import HERE, run_in, set_current
from atila.runtime.coroutines import generator_handler
from atila.runtime.offload import in_worker
from atila.serving import compression, endings, placement, provision, responders
from atila.serving.departures import TaskWatch, Unwatched
from atila.serving.responders import send
from atila.validation import answers, binding, declaration

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Header
    from atila.layers import After, Before, Steps

_IN_TASK = True

log = logging.getLogger("atila.app")


class Endpoint:
    """A compiled route.

    Args:
        app: the app it belongs to.
        route: the route.
        steps: the steps of the app's hooks and layers, outermost first.

    Attributes:
        headers: functions that give headers for each answer.
        has_headers: whether there are any.
        answer: the declared type of the handler's answer, if any.
        binding: converts parameters to the types that the handler declares; None if it declares
            none.
        inspector: checks the parameters before the handler is called; None for one without rules.
        streams_body: the handler reads the body itself, so the engine does not collect it.
        max_body: bytes that a collected body may have, or a message of a WebSocket.
        max_upload: bytes that it may have if it is multipart/form-data.
        small_body: bytes of a body that needs no closer look before it is collected at once; -1 for
            a handler that reads the body itself, or takes certain types alone.
        compress: its answers are compressed, where the client takes that.
        blocking: `run` may block, so it belongs into a worker thread.
        websocket: answers WebSocket handshakes, and nothing else.
        error_writer: error_writer(was, error) answers with an error in the way of a protocol of its
            own; None for error handlers and error pages.
        is_unlogged: its requests are not written to the access log.
        loop_safe: none of its steps may block.
        stays_in_task: neither handler nor hooks leave the task that an engine has for a request;
            error handlers may.
        teardown: the hooks that clean up after each request.
        has_teardown: whether there are any.
        was_class: the class of the app's contexts.
        params: the names of the parameters in the rule.
        security: how a client authenticates: "basic", "bearer" or "digest"; "" for not at all.
        schemes: the same and more for the API's document; see `Steps`.
        scopes: those of OAuth 2, by method; see `Steps`.
        form_token: the token that forms need; see `Steps`.
        of_layers: parameters of layers, for the API's document; see `Steps`.
    """

    __slots__ = (
        "_after",
        "_before",
        "_bind",
        "_handler",
        "_never_awaited",
        "_reads_any",
        "_required",
        "_with_uploads",
        "answer",
        "app",
        "binding",
        "blocking",
        "compress",
        "defaults",
        "error_writer",
        "form_token",
        "has_headers",
        "has_teardown",
        "headers",
        "inspector",
        "is_unlogged",
        "loop_safe",
        "max_body",
        "max_upload",
        "of_layers",
        "optional",
        "params",
        "route",
        "schemes",
        "scopes",
        "security",
        "small_body",
        "stays_in_task",
        "streams_body",
        "teardown",
        "was_class",
        "websocket",
    )

    def __init__(self, app: Atila, route: Route, steps: Sequence[Steps]) -> None:
        signature = Signature(route)
        self.app = app
        self.was_class = app.was_class
        self.route = route
        self.optional = signature.optional_tail(route)
        self.defaults = signature.defaults
        self.params = names_of(parse_rule(route.rule))
        self.security = next((step.security for step in steps if step.security), "")
        self.schemes = next((step.schemes for step in steps if step.schemes), {})
        self.scopes = next((step.scopes for step in steps if step.scopes is not None), None)
        self.form_token = next((s.form_token for s in steps if s.form_token is not None), None)
        self.of_layers = tuple(each for step in steps for each in step.parameters)
        if self.security and not self.schemes:
            self.schemes = {self.security: {"type": "http", "scheme": self.security}}
        self._required = frozenset(signature.required)
        # A route that names the types of its body has a handler that reads it.
        self._reads_any = signature.reads_any and not route.content_types
        fields = frozenset[str]().union(*(step.fields for step in steps))
        self.binding = binding.of(route, fields)
        before: tuple[Before, ...] = tuple(b for step in steps for b in step.before)
        model = self.binding.model if self.binding is not None else None
        self.inspector = declaration.compiled(route, model)
        if self.inspector is not None:
            # Innermost: who may not call the handler need not learn its parameters.
            before = (*before, self.inspector)
        after: tuple[After, ...] = tuple(a for step in reversed(steps) for a in step.after)
        if after:
            # Hooks and layers are shown one kind of answer, whichever way it was written.
            after = (responders.with_status, *after)
        self.answer = answers.of(route)
        if self.answer is not None and app.debug:
            # Innermost again: what the handler itself has returned.
            after = (_checked_answer(self.answer), *after)
        # None for none: of all ways to ask whether there are any, this is the shortest.
        self._before = before or None
        self._after = after or None
        self.streams_body = bool(route.options.get("input_stream"))
        self._handler = route.handler
        if self.streams_body and inspect.isgeneratorfunction(route.handler):
            # It yields was.Input(…), so it is no plain iterator of an answer.
            self._handler = generator_handler(route.handler)
        for step in reversed(steps):
            if step.wrap is not None:
                self._handler = step.wrap(self._handler)
        if route.provided:
            self._handler = provision.provided(app, self._handler, route.provided)
        bind = binder(route, signature, fields, self._handler)
        self._bind: Binder | None = bind
        if self.binding is not None:
            self._bind = self.binding.bind
            self.binding.by_position = (
                positional_names(route.handler)
                | positional_names(self._handler)
                | frozenset(route.provided)
            )
            self._check_fields()
        self.headers: tuple[Callable[[Was], Sequence[Header]], ...] = tuple(
            step.headers for step in steps if step.headers is not None
        )
        self.has_headers = bool(self.headers)
        self.teardown = tuple(app.hooks.teardown)
        self.loop_safe = all(s.loop_safe for s in steps if s.before or s.after)
        self.blocking = True
        if self.loop_safe:
            self._handler, self.blocking = placement.of(app, route, self._handler)
        self.max_upload: int = app.config.MAX_UPLOAD_SIZE
        messages = [step.max_message for step in steps if step.max_message is not None]
        self.max_body: int = min(messages or (app.config.MAX_BODY_SIZE, self.max_upload))
        is_picky = self.streams_body or route.content_types
        self.small_body = -1 if is_picky else min(self.max_body, IN_MEMORY)
        self._never_awaited = app.never_awaited
        self._with_uploads: Endpoint | None = None
        self.compress = compression.is_on(app, route)
        self.websocket = any(step.websocket for step in steps)
        self.error_writer: Callable[[Was, HTTPError], object] | None = None
        self.is_unlogged = False
        self._sum_up()

    def _sum_up(self) -> None:
        """Set the attributes that follow from others."""
        self.has_teardown = bool(self.teardown)
        may_leave = self.blocking or self.websocket or self.has_teardown or self.app.hooks.failed
        self.stays_in_task = self.loop_safe and not may_leave

    def _check_fields(self) -> None:
        """Raise a SetupError for a model with a field that is provided: a client would give it."""
        model = self.binding.model if self.binding is not None else None
        if model is not None and (clashing := model[1] & frozenset(self.route.provided)):
            raise SetupError(
                f"{self.route.name} takes {min(clashing)!r}, which is provided, and the model of"
                f" {model[0]!r} has a field of that name: rename one of the two",
                self.route.source,
            )

    def derived(self, **changes: Any) -> Endpoint:
        """The same endpoint, but for some of its attributes.

        Args:
            changes: their values, by name.
        """
        derived = copy.copy(self)
        derived._with_uploads = None
        for name, value in changes.items():
            setattr(derived, name, value)
        derived._sum_up()
        return derived

    def unlogged(self) -> Endpoint:
        """The same endpoint for probes and scrapers: its requests are not in the access log."""
        return self.derived(is_unlogged=True)

    def without_hooks(self) -> Endpoint:
        """The same endpoint; not even hooks that clean up run."""
        return self.derived(teardown=())

    def with_uploads(self) -> Endpoint:
        """The same endpoint for requests that leave something on the disk, to be deleted at last.

        So that all other requests need not even ask.
        """
        if self._with_uploads is None:
            self._with_uploads = self.derived(
                teardown=(*self.teardown, uploads.discard), loop_safe=False
            )
        return self._with_uploads

    def for_calls(
        self,
        handler: Callable[[Was], Any],
        error_writer: Callable[[Was, HTTPError], object],
        *,
        streams_body: bool = False,
    ) -> Endpoint:
        """An endpoint with the same steps, but for the inspection of parameters, that answers
        calls of a protocol of its own. A step that answers in the handler's place refuses the call.

        Args:
            handler: called with the context alone, in place of the route's.
            error_writer: answers with an error, in place of error handlers and error pages.
            streams_body: the handler reads the body itself.
        """
        before = tuple(_refusing(s) for s in self._before or () if s is not self.inspector)
        after = tuple(s for s in self._after or () if s is not responders.with_status)
        return self.derived(
            _handler=handler,
            _bind=None,
            binding=None,
            _before=before or None,
            _after=after or None,
            blocking=not (self.loop_safe and inspect.iscoroutinefunction(handler)),
            error_writer=error_writer,
            inspector=None,
            streams_body=streams_body,
            small_body=-1 if streams_body else self.small_body,
        )

    async def finished(self, was: Was, value: Any) -> Any:
        """Pass a value through hooks and layers, for a handler that answers by itself.

        To be called by the handler, on the task loop.
        """
        is_safe = self.loop_safe and self.app.loop_safe
        for step in self._after or ():
            replaced = step(was, value) if is_safe else await in_worker(was, step, was, value)
            if replaced is not None:
                value = replaced
        return value

    def needs_more(self, args: Mapping[str, Any], content_type: str | None) -> bool:
        """Whether the handler lacks parameters that a body without fields should have given.

        One that takes all parameters by ** may well read the body itself, which then has a type;
        one that calls them `**_` wants none of them.

        Args:
            args: the parameters that are given.
            content_type: the media type of the body; None without the header.
        """
        if self._reads_any and not content_type:
            return True
        return not self._required <= args.keys()

    @property
    def handler(self) -> Callable[..., Any]:
        """The handler, within the wrappers of layers."""
        return self._handler

    def run(self, was: Was) -> None:
        """Process a request and see to its answer, in a context of its own; never raises."""
        # As `Was.detach` has it, here and below: one function less to be entered by each request.
        if was.variables is HERE:
            was.variables = copy_context()
        rest = was.variables.run(Endpoint.process, self, was)
        if rest is not None:
            was.site.loop.begin(rest)

    def start_in_task(self, was: Was) -> Coroutine[Any, Any, None] | None:
        """The same from a task of the task loop: there, or in a worker thread if it may block.

        Args:
            was: the request; where its `variables` are `HERE`, it has that task, and with it a
                context, to itself.

        Returns:
            The rest of the work, to be awaited in that task, which `TaskLoop.hold` is to know; None
            for none.
        """
        if self.stays_in_task and was.variables is HERE:
            return self.process(was, _IN_TASK)
        if not self.blocking:
            return self._start_apart(was, _IN_TASK)
        if was.variables is HERE:
            was.variables = copy_context()
        if not was.site.pool.submit(self.run, was):
            was.site.refuse_busy(was)
        return None

    def start_websocket(self, was: Was) -> Coroutine[Any, Any, None] | None:
        """The same for a handshake. The rest may be awaited in any task."""
        return self.start_in_task(was) if self.blocking else self._start_apart(was)

    def _start_apart(self, was: Was, in_task: bool = False) -> Coroutine[Any, Any, None] | None:
        was.detach()
        rest: Coroutine[Any, Any, None] | None
        rest = was.variables.run(Endpoint.process, self, was, in_task)
        return rest

    def process(self, was: Was, in_task: bool = False) -> Coroutine[Any, Any, None] | None:
        """Call steps and handler, and answer; gives the rest of the work, for the task loop.

        Only where the running code is in the context of the request; `run` and `start_in_task` see
        to that.
        """
        set_current(was)
        try:
            if was.refusal is not None:
                raise was.refusal
            value: Any = None
            if self._before is not None:
                for step in self._before:
                    value = step(was)
                    if value is not None:
                        break
            if value is None:
                bind = self._bind
                value = self._handler(was) if bind is None else self._handler(was, **bind(was))
            if forks.is_child:
                forks.end(was)
            kind = type(value)
            if kind is not str:
                if kind is CoroutineType and in_task and self._after is None:
                    return self._begin(was, value)
                if kind not in self._never_awaited and hasattr(kind, "__await__"):
                    return self._await_and_send(was, value, self._after)
            if self._after is not None:
                for replace in self._after:
                    replaced = replace(was, value)
                    if replaced is not None:
                        value = replaced
            pending = send(was, value)
            if pending is not None:
                return self._await_and_send(was, pending, None)
            if self.has_teardown or was.cancels is not None:
                endings.finish(self, was)
        except Exception as error:
            return self._fail(was, error)
        except BaseException as error:
            # SystemExit, say. Its client is answered; in a worker thread it can end nothing else.
            rest = self._fail(was, error)
            if threading.current_thread() is not threading.main_thread():
                return rest
            if rest is not None:
                was.site.loop.spawn(rest)
            raise
        # They know the request, as it knows them: kept longer, the two would keep each other.
        was.variables = None
        return None

    def _begin(
        self, was: Was, coroutine: Coroutine[Any, Any, Any]
    ) -> Coroutine[Any, Any, None] | None:
        """Run the coroutine of a handler up to where it waits, in the task of the request, and
        answer if it never does, as most; gives the rest of the work.
        """
        pending: Awaitable[Any]
        steps = _answered(was, coroutine)
        try:
            for step in steps:
                pending = Rest(steps, step)
                break
            else:
                if not self.has_teardown and was.cancels is None:
                    was.variables = None
                    return None
                pending = _nothing()
        except BaseException as error:
            pending = _raising(error)
        return self._await_and_send(was, pending, None, is_answer=False)

    def _fail(self, was: Was, error: BaseException) -> Coroutine[Any, Any, None] | None:
        rest = endings.fail(self, was, error)
        if rest is not None:
            return _await_last(was, rest)
        was.variables = None
        return None

    def call(
        self, was: Was, *, by_program: bool = False, is_text: bool = True
    ) -> tuple[Any, list[After]]:
        """Call the handler within a request that has another endpoint, with `was.args`.

        All steps run but the hooks of the app, which run for the request as a whole.

        Args:
            was: the request, or the call that it carries, with the parameters of the call.
            by_program: the parameters are the program's, not a client's: they are not inspected.
            is_text: numbers and the like may be text among the arguments, where they have types.

        Returns:
            The handler's result, and the steps that are to follow.

        Raises:
            TypeError: the program gives other parameters than the handler takes.
            Exception: any error of a step or of the handler; a client's mistake is HTTPError 400.
        """
        hooks = self.app.hooks
        # A call has no status: a pair with a number is a value like any other.
        apart = (responders.with_status, *hooks.finish)
        after = [step for step in self._after or () if step not in apart]
        for step in self._before or ():
            if step in hooks.before or (by_program and step is self.inspector):
                continue
            if (value := step(was)) is not None:
                return value, after
        try:
            if self.binding is not None:
                params = self.binding.of_call(was.args, was, is_text=is_text)
            else:
                params = self._bind(was) if self._bind is not None else {}
        except HTTPError as error:
            if not by_program:
                raise
            raise TypeError(f"{self.route.name} is called wrongly: {error.detail}") from None
        return self._handler(was, **params), after

    async def _await_and_send(
        self,
        was: Was,
        pending: Awaitable[Any],
        after: Sequence[After] | None,
        is_answer: bool = True,
    ) -> None:
        """Wait for a value on the task loop, and answer with it, unless what is waited for does.

        Code of the app runs in the context of the request, all else out of it, so that a worker
        thread can be in it meanwhile.
        """
        context = was.variables
        watch: TaskWatch | type[Unwatched] = Unwatched
        if not self.websocket:
            watch = TaskWatch(was.exchange, was.site.departures)
        try:
            while True:
                value = await run_in(context, pending, watch)
                if not is_answer:
                    break
                if forks.is_child:
                    forks.end(was)
                if after is not None:
                    value = await run_in(context, responders.resolved(was, value), watch)
                    if value is not ANSWERED:
                        value = await self._replaced(was, after, value)
                after = None
                following = context.run(send, was, value)
                if following is None:
                    break
                pending = following
        except asyncio.CancelledError:
            # The client left, or the server stops: a handler has no part in either.
            was.cancel()
            if self.websocket:
                endings.hang_up(was, GOING_AWAY)
            code = CLIENT_LEFT if watch.has_left else 503
            await endings.fail_later(self, was, HTTPError(code, "the request was cancelled"))
        except GeneratorExit as error:
            if asyncio.current_task() is None:
                raise  # Nobody waits any more: the loop is closed.
            await endings.fail_later(self, was, error)
        except BaseException as error:
            # SystemExit, say, by which a handler can end nothing but itself.
            await endings.fail_later(self, was, error)
        else:
            if self.has_teardown or self.websocket or was.cancels is not None:
                await endings.finish_later(self, was, watch)
        finally:
            was.cancels = None
            was.variables = None
            watch.stop()

    async def _replaced(self, was: Was, after: Sequence[After], value: Any) -> Any:
        for step in after:
            replaced = await endings.call(self, was, step, was, value)
            if replaced is not None:
                value = replaced
        return value


@types.coroutine
def _answered(was: Was, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, None]:
    """Wait for a handler, and answer with its value.

    A generator for `Endpoint._begin` to loop over: where that is at its end, it is so without the
    StopIteration by which a coroutine ends, and which takes as long as all of a short handler. It
    gives no value, for which CPython 3.11 would make one.
    """
    value = yield from coroutine
    if forks.is_child:
        forks.end(was)
    while (pending := send(was, value)) is not None:
        value = yield from pending.__await__()


async def _nothing() -> None:
    pass


async def _raising(error: BaseException) -> Any:
    raise error


async def _await_last(was: Was, rest: Coroutine[Any, Any, None]) -> None:
    try:
        await rest
    finally:
        was.variables = None


def _checked_answer(answer: answers.Answer) -> After:
    def check(was: Was, value: Any) -> None:
        answer.check(value)

    return check


def path_of(endpoint: Endpoint) -> str:
    """The rule of an endpoint with the mount point of its app: "/shop/orders/<int:id>"."""
    return (endpoint.app.mount_prefix + endpoint.route.rule) or "/"


def _refusing(step: Before) -> Before:
    def run(was: Was) -> None:
        value = step(was)
        if value is not None:
            responders.with_status(was, value)
            code = was.response.status_code
            raise HTTPError(code if code >= 400 else 403, "refused before the call was made")

    return run
