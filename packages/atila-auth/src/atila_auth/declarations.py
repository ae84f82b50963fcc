"""The declarations of an app's decorators about access control."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.app.hooks import plain
from atila.errors import source_of
from atila.routing import notes
from atila.runtime.keeping import kept
from atila.typevars import Function

if TYPE_CHECKING:
    from atila import Atila
    from atila.layers import Before
    from atila.routing.router import Router
    from atila_auth.login.api_key import ApiKey


@dataclass(slots=True)
class State:
    """The handlers of an app, each called with the context of the request first.

    Attributes:
        permission: (was, permissions).
        authorization: (was, username); gives a password.
        bearer: (was, token).
        api_key: the step that checks API keys.
        permission_source: the permission handler as it was written.
        declared: functions with a declaration that is not known yet to be of any use, each with the
            decorator's name.
    """

    permission: Callable[..., Any] | None = None
    authorization: Callable[..., Any] | None = None
    bearer: Callable[..., Any] | None = None
    api_key: ApiKey | None = None
    permission_source: Callable[..., Any] | None = None
    declared: list[tuple[Callable[..., Any], str]] = field(default_factory=list)
    steps: tuple[Router, dict[str, Before]] | None = None
    """The steps that routes share, of one mount: that with this router."""

    def shared_step(self, router: Router, name: str, make: Callable[[], Before]) -> Before:
        """A step that all routes of a mount have in common, made for the first of them."""
        if self.steps is None or self.steps[0] is not router:
            self.steps = router, {}
        steps = self.steps[1]
        if name not in steps:
            steps[name] = make()
        return steps[name]


def state_of(app: Atila) -> State:
    """The state of an app."""
    return kept(app, State, State)


def permission_handler(app: Atila, function: Function) -> Function:
    """Ask a function whether the user has permissions: permission_handler(was, permissions).

    It sets `was.request.user`, and raises an error, 401 or 403, to refuse. `permissions` is the
    list of required permissions, all of which are needed; [] requires a login only. Its result:

    - None: accepted, if `was.request.user` is not None by now; else the answer is 401.
    - True: accepted, without a user too.
    - False: the answer is 403.
    - anything else is the answer.
    """
    state = state_of(app)
    state.permission = checked(app, function, "permission_handler(was, permissions)")
    state.permission_source = function
    return function


def authorization_handler(app: Atila, function: Function) -> Function:
    """Ask a function for the password of a user: authorization_handler(was, username).

    It returns the password, (password, encrypted), (password, encrypted, userinfo), or None for a
    user that there is not. See `atila_auth.login.users`.
    """
    state_of(app).authorization = checked(app, function, "authorization_handler(was, username)")
    return function


def bearer_handler(app: Atila, function: Function) -> Function:
    """Check bearer tokens by a function, in place of the JWT handling: handler(was, token).

    It sets `was.request.user` or raises an error; its result means the same as that of a permission
    handler.
    """
    state_of(app).bearer = checked(app, function, "bearer_handler(was, token)")
    return function


def checked(app: Atila, function: Callable[..., Any], form: str) -> Callable[..., Any]:
    """A handler as it is called; an `async def` is waited for. Further parameters are values of
    providers.

    Raises:
        SetupError: it cannot be called with two arguments.
    """
    try:
        inspect.signature(function).bind_partial(None, None)
    except TypeError:
        raise SetupError(f"write it as def {form}", source_of(function)) from None
    except ValueError:
        pass  # Of a function that Python cannot look into.
    return plain(app, function, 2)


def declare(app: Atila, function: Function, name: str, declaration: Any) -> Function:
    """Leave a decorator's declaration on a handler, for the mount to compile.

    Args:
        app: the app.
        function: the handler.
        name: the name of the decorator, for messages.
        declaration: the declaration.

    Raises:
        SetupError: it is no function, or its route has been compiled already.
    """
    if not callable(function):
        raise SetupError(f"@app.{name} decorates a handler, not {function!r}")
    notes.check_order(app, function, name)
    notes.add(function, declaration, name)
    state_of(app).declared.append((function, name))
    return function


def check_declared(app: Atila) -> None:
    """Find declarations that protect nothing, since no route has their function.

    Raises:
        SetupError: there is such a function: between its decorator and @app.route there is another
            one, say, which made a new function of it.
    """
    state = state_of(app)
    if not state.declared:
        return
    handlers = {id(route.handler) for route in app.routes}
    # Of the same function, imported anew after a mount that failed, only the last counts.
    latest = {_place(function): (function, name) for function, name in state.declared}
    state.declared = []
    for function, name in latest.values():
        if id(function) not in handlers:
            raise SetupError(
                f"@app.{name} protects nothing here, for no route has this function: write"
                f" @app.{name} right under @app.route",
                source_of(inspect.unwrap(function)),
            )


def _place(function: Callable[..., Any]) -> tuple[Any, ...]:
    name = getattr(function, "__qualname__", None)
    return getattr(function, "__module__", None), name or id(function)
