"""Decides which routes call the permission handler, and with which permissions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila import HTTPError, SetupError
from atila.routing import notes
from atila.routing.router import ALL_METHODS
from atila.routing.signature import Signature
from atila.typevars import Function
from atila_auth.declarations import declare, state_of
from atila_auth.login import challenges, login_page
from atila_auth.login.authentication import realm_of
from atila_auth.login.challenges import challenge_with
from atila_auth.login.verdict import asked, is_about_nobody

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.layers import Before
    from atila.routing.router import Route
    from atila_auth.login.login_page import LoginPage

MINE = "me"
"""The value of a parameter that stands for the authenticated user."""

log = logging.getLogger("atila.auth")


@dataclass(frozen=True, slots=True)
class _Declaration:
    always: Any = ()
    others: Mapping[str, Any] = field(default_factory=dict)
    is_required: bool = True


def permission_required(
    app: Atila, permissions: Iterable[str] = (), **others: Iterable[str]
) -> Callable[[Function], Function]:
    """Refuse users that the permission handler refuses.

        @app.permission_required(["user"], id=["staff"], DELETE=["admin"])

    The handler gets the particular list where one applies, and the general one only where none
    does: here ["staff", "admin"] for DELETE /animals/100, ["admin"] for DELETE /animals/me, and
    ["user"] for GET /animals. Each decorator of a route asks the handler by itself.

    Args:
        app: the app.
        permissions: the general list; an empty one asks for a login only.
        others: particular lists. By the name of a parameter: of requests that give it, unless it
            is "me"; by a method: of this method, GET for HEAD too. Those that apply together are
            one list. One that applies takes the general list's place even if it is empty.

    Raises:
        SetupError: it comes too late for the handler's route. Faults of the arguments are raised
            when the app is mounted.
    """
    if callable(permissions):
        raise SetupError('write @app.permission_required(["staff"]), with the permissions')
    name = "permission_required"
    return lambda function: declare(app, function, name, _Declaration(permissions, others))


def login_required(app: Atila, function: Function) -> Function:
    """Refuse clients that have not logged in: the same as @app.permission_required([])."""
    return declare(app, function, "login_required", _Declaration())


def identification_required(app: Atila, function: Function) -> Function:
    """Identify the user by the permission handler, but refuse nobody.

    If it raises an error or returns False, `was.request.user` stays unchanged.
    """
    name = "identification_required"
    return declare(app, function, name, _Declaration(is_required=False))


def compile_route(route: Route, app: Atila) -> Before | None:
    """The step that asks the permission handler; None for a route that asks for nothing.

    Raises:
        SetupError: there is no permission handler, or the declaration does not fit the route.
    """
    declared = notes.of(route.handler, _Declaration)
    if not declared or route.automatic:
        return None
    handler = state_of(app).permission
    if handler is None:
        raise SetupError(
            "no function checks permissions: write @app.permission_handler over"
            " def permission_handler(was, permissions)",
            route.source,
        )
    required = [each for each in declared if each.is_required]
    if not required:
        return Identification(handler)
    demands = [_Compiler(route).demand(each) for each in required]
    page = login_page.of(app, route)
    return Permission(handler, demands, challenges.bearer(realm_of(app)), page)


def of_method(route: Route) -> Callable[[str], list[str]]:
    """A function that gives the permissions that a method needs, without those that are for a
    parameter alone.
    """
    declared = notes.of(route.handler, _Declaration)
    demands = [_Compiler(route).demand(each) for each in declared if each.is_required]

    def needed(method: str) -> list[str]:
        lists = (demand.by_method.get(method, demand.general) for demand in demands)
        return list(dict.fromkeys(permission for each in lists for permission in each))

    return needed


def is_required(route: Route) -> bool:
    """Whether a route refuses clients by the permission handler."""
    declared = notes.of(route.handler, _Declaration)
    return not route.automatic and any(each.is_required for each in declared)


@dataclass(frozen=True, slots=True)
class Demand:
    """The permissions that one decorator requires.

    Attributes:
        general: required where no other list applies.
        by_parameter: required if the request gives a parameter.
        by_method: required for a method.
    """

    general: list[str]
    by_parameter: dict[str, list[str]]
    by_method: dict[str, list[str]]

    def lists(self, was: Was) -> list[list[str]]:
        """The lists of permissions for a request; the handler is asked for each by itself."""
        method = self.by_method.get(was.exchange.method)
        without = [self.general if method is None else method]
        if not self.by_parameter:
            return without
        if was.endpoint.error_writer is not None:
            # The parameters of a gRPC call are in its stream: both with them and without them.
            return [self._particular(self.by_parameter, method), *without]
        # Those that the handler will get, from wherever: a form wins over the path.
        args = was.args
        given = [name for name in self.by_parameter if args.get(name) not in (None, MINE)]
        return [self._particular(given, method)] if given else without

    def _particular(self, given: Iterable[str], method: list[str] | None) -> list[str]:
        lists = [*(self.by_parameter[name] for name in given), method or []]
        return [permission for each in lists for permission in each]


class Permission:
    """The step of routes that require permissions.

    Args:
        handler: (was, permissions).
        demands: the requirements of each decorator, the uppermost first.
        challenge: the headers of a 401.
        page: the page to which visitors are sent instead; None for none.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        demands: Sequence[Demand],
        challenge: str,
        page: LoginPage | None,
    ) -> None:
        self._page = page
        self._handler = handler
        self._demands = demands
        self._challenge = challenge

    def __call__(self, was: Was) -> Any:
        """See `verdict.asked`."""
        try:
            for permissions in self.wanted(was):
                answer = asked(was, self._handler, list(permissions))
                if answer is not None:
                    return answer
        except HTTPError as error:
            if error.code == 401 and self._page is not None:
                answer = self._page.sent_there(was)
                if answer is not None:
                    return answer
            challenge_with(error, self._challenge)
            raise
        return None

    def wanted(self, was: Was) -> Iterable[Iterable[str]]:
        """The lists that the handler is asked for, each once, without repetitions."""
        lists = (each for demand in self._demands for each in demand.lists(was))
        return dict.fromkeys(tuple(dict.fromkeys(each)) for each in lists)


class Identification:
    """The step of routes that identify the user, and refuse nobody.

    Args:
        handler: (was, permissions).
    """

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler

    def __call__(self, was: Was) -> None:
        """Have `was.request.user` set; never fails."""
        before = was.request.user
        try:
            if self._handler(was, []) in (None, True):
                return
        except HTTPError:
            pass
        except Exception as error:
            if not (isinstance(error, AttributeError) and is_about_nobody(was, error)):
                log.exception("request %s: nobody could be identified", was.request_id)
        # Whom the handler has refused in the end is nobody, whatever it had set by then.
        was.request.user = before


class _Compiler:
    """Checks the arguments of a route's decorator."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._signature = Signature(route)
        self.by_parameter: dict[str, list[str]] = {}
        self.by_method: dict[str, list[str]] = {}

    def demand(self, declared: _Declaration) -> Demand:
        """The permissions that one decorator requires."""
        general = self._strings(declared.always, "")
        for name, value in declared.others.items():
            permissions = self._strings(value, f"{name}=")
            if name in ALL_METHODS or name in self._route.methods:
                self._take_method(name, permissions)
            else:
                self._take_parameter(name, permissions)
        return Demand(general, self.by_parameter, self.by_method)

    def _take_method(self, name: str, permissions: list[str]) -> None:
        methods = self._route.methods
        if name not in methods and not (name == "HEAD" and "GET" in methods):
            raise self._error(f"asks for permissions for {name}, which the route does not answer")
        self.by_method.setdefault(name, []).extend(permissions)
        if name == "GET":
            self.by_method.setdefault("HEAD", []).extend(permissions)

    def _take_parameter(self, name: str, permissions: list[str]) -> None:
        known = self._signature.names
        if known and name not in known and not self._signature.takes_any:
            raise self._error(f"asks for permissions for {name!r}, which the handler does not take")
        self.by_parameter.setdefault(name, []).extend(permissions)

    def _strings(self, value: Any, keyword: str) -> list[str]:
        if not isinstance(value, list | tuple | set | frozenset) or not all(
            isinstance(item, str) for item in value
        ):
            raise self._error(f'wants lists of strings: {keyword}["staff"], not {keyword}{value!r}')
        return list(value)

    def _error(self, problem: str) -> SetupError:
        return SetupError(f"@app.permission_required {problem}", self._route.source)
