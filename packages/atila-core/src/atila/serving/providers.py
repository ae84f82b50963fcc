"""Providers of an app: functions that make what handlers take by name (`@app.provide`)."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from atila.errors import SetupError, nearest, source_of
from atila.routing.router import Route, names_of, parse_rule
from atila.serving import provided_types, start_steps
from atila.serving.made_values import AsyncValue, Made, SyncValue

if TYPE_CHECKING:
    from atila import Atila, Was

REQUEST, APP = "request", "app"
CONTEXT = "was"
"""The name by which a provider takes the context of the request."""
PROVIDED: Any = type("PROVIDED", (), {"__repr__": lambda self: "PROVIDED"})()
"""A default for parameters that a provider gives, where a type checker wants an argument for each:
`was.after(send, address)` of `def send(address: str, db: Session = PROVIDED)`."""

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A function that makes a value.

    Attributes:
        name: the parameter of handlers that gets the value.
        function: makes it; a generator yields it, and cleans up after that.
        scope: how long the value lives: "request" or "app".
        needs: the names of other providers that it takes.
        takes_context: it takes `was`, too.
        is_async: it is `async def`, so runs on the task loop; else in a worker thread.
        source: "file:line" of the function.
    """

    name: str
    function: Callable[..., Any]
    scope: str
    needs: tuple[str, ...]
    takes_context: bool
    is_async: bool
    source: str

    def made(self, was: Was, given: dict[str, Any]) -> Made:
        """The value that the function makes of its arguments; nothing has been called yet."""
        if self.takes_context:
            given = {CONTEXT: was, **given}
        made = AsyncValue if self.is_async else SyncValue
        return made(self.function, given, was.site)


def provider_of(name: str, function: Any, scope: str) -> Provider:
    """A provider that calls a function.

    Raises:
        SetupError: a parameter of the function is given by position.
    """
    source = source_of(function)
    needs = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise SetupError(
                f"the provider {name!r} has the parameter {parameter.name!r}, which is given by"
                " position: providers take names alone",
                source,
            )
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            needs.append(parameter)
    return Provider(
        name,
        function,
        scope,
        tuple(p.name for p in needs if p.name != CONTEXT and is_needed(p)),
        any(p.name == CONTEXT for p in needs),
        inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
        source,
    )


def is_needed(parameter: inspect.Parameter) -> bool:
    """Whether a parameter that can be given by name has no default of its own."""
    has_none = parameter.default is parameter.empty or parameter.default is PROVIDED
    return has_none and parameter.kind in _BY_NAME


class Taker(NamedTuple):
    """A function other than a handler that takes provided names.

    Attributes:
        function: it.
        names: the names, without that of the context, which it gets first.
    """

    function: Callable[..., Any]
    names: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Providers:
    """All providers of an app.

    Args:
        app: the app.
        context: context(app) makes a context without a request.
        supplied_alone: see `provision.supplied_alone`.

    Attributes:
        declared: by name, those that the app has declared.
        active: the same, but for those that are overridden.
        takers: functions other than handlers that may take provided names.
    """

    app: Atila
    context: Callable[[Atila], Was]
    supplied_alone: Callable[..., Any]
    declared: dict[str, Provider] = field(default_factory=dict)
    active: dict[str, Provider] = field(default_factory=dict)
    takers: list[Taker] = field(default_factory=list)
    _opened: dict[Provider, Made] = field(default_factory=dict)
    _opening: threading.RLock = field(default_factory=threading.RLock)

    def snapshot(self) -> tuple[dict[str, Provider], list[Taker]]:
        """The present declarations, for `restore`."""
        return dict(self.declared), self.takers[:]

    def restore(self, state: tuple[dict[str, Provider], list[Taker]]) -> None:
        """Forget what was declared since a snapshot."""
        declared, self.takers = state
        for name in self.declared.keys() - declared.keys():
            self.active.pop(name, None)
        self.declared = declared

    def add(self, provider: Provider) -> None:
        """Declare a provider.

        Raises:
            SetupError: there is one of this name, or the name cannot be one of a parameter.
        """
        name = provider.name
        if not name.isidentifier() or name == CONTEXT:
            raise SetupError(
                f"{name!r} cannot be the name of a provider: handlers take it as a parameter",
                provider.source,
            )
        if (other := self.declared.get(name)) is not None:
            raise SetupError(
                f"there is a provider {name!r} already, at {other.source}; give one of them"
                ' another name: @app.provide(name="…")',
                provider.source,
            )
        self.declared[name] = self.active[name] = provider

    @contextmanager
    def overridden(self, fakes: Mapping[str, Any], source: str) -> Iterator[None]:
        """Have other values provided for a while; see `app.override`."""
        before = dict(self.active)
        for name in fakes:
            if name not in self.declared:
                raise SetupError(f"app.override({name}=…): {self._unknown(name)}", source)
        made = {name: self._fake(name, fake) for name, fake in fakes.items()}
        self.active = {**before, **made}
        try:
            for name in made:
                self._check(self.active[name], ())
            yield
        finally:
            self.active = before
            for provider in made.values():
                self._close(provider)

    def _fake(self, name: str, fake: Any) -> Provider:
        function = fake if inspect.isroutine(fake) else lambda: fake
        return provider_of(name, function, self.declared[name].scope)

    # Checks, when the app is mounted --------------------------------------------------------------

    def check(self) -> None:
        """Raise a SetupError for names that providers take and nothing provides."""
        for provider in self.active.values():
            self._check(provider, ())

    def check_takers(self) -> None:
        """The same for hooks and other functions; when all layers have theirs."""
        for function, names in self.takers:
            self.check_context(function)
            for name in names:
                if name not in self.active:
                    problem = f"{_name_of(function)} takes {self._nothing(name)}"
                    raise SetupError(problem, source_of(function))

    def check_context(self, function: Callable[..., Any]) -> None:
        """Raise a SetupError if the first parameter of a function, which gets the context, has the
        name of a provider.
        """
        if not self.declared:
            return
        try:
            first = next(iter(inspect.signature(function).parameters), "")
        except (TypeError, ValueError):
            return
        if (provider := self.declared.get(first)) is not None:
            name = _name_of(function)
            raise SetupError(
                f"{name}({first}) gets the context first, not {first!r}, which is provided by"
                f" {provider.source}: write def {name}(was, {first})",
                source_of(function),
            )

    def _check(self, provider: Provider, above: tuple[Provider, ...]) -> None:
        if provider in above:
            circle = [each.name for each in above[above.index(provider) :]] + [provider.name]
            raise SetupError(
                f"providers need each other in a circle: {' → '.join(circle)}", provider.source
            )
        for name in provider.needs:
            needed = self.active.get(name)
            if needed is None:
                problem = f"the provider {provider.name!r} takes {self._nothing(name)}"
                raise SetupError(problem, provider.source)
            if provider.scope == APP and needed.scope == REQUEST:
                raise SetupError(
                    f"the provider {provider.name!r} lives as long as the app, and takes {name!r},"
                    ' which is made for each request: give that scope="app", too',
                    provider.source,
                )
            self._check(needed, (*above, provider))
            if self.declared.get(provider.name) is provider:
                maker = self.declared[name]
                sources = provider.source, maker.source
                title = f"the provider {provider.name!r}"
                provided_types.check(provider.function, name, maker.function, title, sources, {})

    def _unknown(self, name: str) -> str:
        return f"nothing provides {name!r}{self._known(name)}"

    def _nothing(self, name: str) -> str:
        return f"{name!r}, which nothing provides{self._known(name)}"

    def _known(self, name: str) -> str:
        if close := nearest(name, self.declared):
            return close
        known = ", ".join(map(repr, self.declared))
        return f"; provided are {known}" if known else "; write @app.provide above a function"

    def names_for(self, route: Route) -> tuple[str, ...]:
        """The names of the app's providers that a handler takes, in the order of its parameters.

        Raises:
            SetupError: a provided name is in the rule, so a client would give it; or its value
                is not of the type that the handler says; or it stands in the place of the context.
        """
        parameters = list(inspect.signature(route.handler).parameters.values())[1:]
        for parameter in parameters:
            if parameter.default is PROVIDED and parameter.name not in self.declared:
                problem = f"the handler takes {self._nothing(parameter.name)}"
                raise SetupError(problem, route.source)
        if not self.declared:
            return ()
        self.check_context(route.handler)
        named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
        for name in names_of(parse_rule(route.rule, route.source)):
            if name in self.declared and name in named:
                raise SetupError(
                    f"the rule {route.rule!r} has <{name}>, and {name!r} is provided, by"
                    f" {self.declared[name].source}: rename one of the two",
                    route.source,
                )
        names = tuple(p.name for p in parameters if p.name in self.declared and p.name in named)
        for name in names:
            maker = self.declared[name]
            sources = route.source, maker.source
            provided_types.check(
                route.handler, name, maker.function, "the handler", sources, route.namespace
            )
        return names

    def names_in(
        self, function: Any, count: int, given: Iterable[str] = (), *, needed: bool = False
    ) -> tuple[str, ...]:
        """The names of the app's providers that a function takes besides its arguments.

        Args:
            function: it.
            count: how many arguments it is given by position.
            given: the names of those that it is given by name.
            needed: only those without a default.
        """
        if not self.declared:
            return ()
        try:
            parameters = list(inspect.signature(function).parameters.values())[count:]
        except (TypeError, ValueError):
            return ()
        free = (p.name for p in parameters if p.kind in _BY_NAME and (not needed or is_needed(p)))
        return tuple(name for name in free if name in self.declared and name not in given)

    def are_async(self, names: Iterable[str]) -> bool:
        """Whether values can be made on the task loop: nothing that makes them may block."""
        return all(
            provider.scope == APP or (provider.is_async and self.are_async(provider.needs))
            for provider in map(self.declared.__getitem__, names)
        )

    # What lives as long as the app ----------------------------------------------------------------

    def open(self) -> None:
        """Make all values of the scope "app". Blocks; not on the running task loop."""
        for provider in tuple(self.active.values()):
            if provider.scope == APP:
                self.opened(provider)

    def is_opened(self, provider: Provider) -> bool:
        """Whether the value of a provider of the scope "app" is there."""
        return provider in self._opened

    def opened(self, provider: Provider) -> Any:
        """The value of a provider of the scope "app", made at its first use. May block then."""
        made = self._opened.get(provider)
        if made is not None:
            return made.value
        with self._opening:
            made = self._opened.get(provider)
            if made is None:
                given = {name: self.opened(self.active[name]) for name in provider.needs}
                made = provider.made(self.context(self.app), given)
                with start_steps.step(f"the provider {provider.name!r}", provider.source):
                    made.make()
                self._opened[provider] = made
        return made.value

    def _close(self, provider: Provider) -> None:
        made = self._opened.pop(provider, None)
        if made is not None:
            made.close(None)

    def close(self) -> None:
        """End all values of the scope "app", the last made first. Blocks."""
        for provider in reversed(tuple(self._opened)):
            self._close(provider)


def _name_of(function: Callable[..., Any]) -> str:
    name: str = getattr(function, "__name__", "a hook")
    return name
