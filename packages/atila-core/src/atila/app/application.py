"""`Atila`, the application."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from atila import layers
from atila.app import compiling, decorators, events, mounting, providing, route_arguments
from atila.app.attributes import Attributes
from atila.app.hooks import Hooks, plain
from atila.app.interfaces import Interfaces
from atila.app.settings import Config, settings_of
from atila.errors import SetupError, source_of
from atila.http.uploads import FlashFile, Upload, send_back
from atila.layers import Layer, LayerChoice, Parts
from atila.monitoring import health
from atila.routing import precedence
from atila.routing.resources import Resources
from atila.routing.router import Route, Router
from atila.runtime.store import SharedStore, Store
from atila.serving import background_context, data_answers, event_streams, gunicorn, maintenance
from atila.serving.apps import Mount
from atila.serving.endpoint import Endpoint
from atila.serving.providers import Providers
from atila.serving.provision import supplied, supplied_alone
from atila.serving.responders import NEVER_AWAITED
from atila.serving.site import Site
from atila.typevars import Function
from atila.validation import declaration, hints
from atila.was import class_for

if TYPE_CHECKING:
    from atila.installed import AppNames
    from atila.layers import Finder, Responder
    from atila.testing.async_client import AsyncTestClient
    from atila.testing.client import TestClient
else:
    AppNames = object


_CORE_OPTIONS = frozenset({"blocking", "compress", "input_stream"})


class Atila(AppNames):
    """An application: routes, hooks and settings. ASGI, WSGI and RSGI servers call it.

    Args:
        import_name: the module that it is defined in: `__name__`.
        layers: its layers, where they differ from the installed ones: by name, the distribution to
            take it from, a `Layer`, or None to leave it out.

    Raises:
        SetupError: two distributions have one layer and `layers` chooses none, or one of them is
            written for another protocol.
    """

    shared: str | None
    """The URL of a Redis for the state that workers of many hosts share; see `pref.shared`."""
    rejection: Endpoint
    """Answers requests that reach no route: for the app's hooks, error handlers and layers."""

    def __init__(self, import_name: str, *, layers: LayerChoice | None = None) -> None:
        self.import_name = import_name
        self._layers_choice: LayerChoice = layers or {}
        self.debug = False
        self.hooks = Hooks()
        self.providers = Providers(self, background_context.context, supplied_alone)
        self.error_handlers: dict[int, Callable[..., Any]] = {}
        self._default_error_handler: Callable[..., Any] | None = None
        self.routes: list[Route] = []
        self.unrouted: dict[str, int] = {}
        self.router = Router()
        self.calls: dict[str, Finder] = {}
        """The finders of calls, by the media type of a POST's body; see `Parts`."""
        self.calls_on_routes = frozenset[str]()
        """The types of those that are asked even where there is a route."""
        self.resources = Resources()
        self.compiled: dict[int, Endpoint] = {}
        """By the identity of a route, its endpoint."""
        self.bus = events.Bus(self)
        self.jobs: dict[str, maintenance.Job] = {}
        self.readiness: dict[str, Callable[..., Any]] = {}
        self.store = SharedStore()
        """Values of JSON for all requests of this app in all workers."""
        self.g = Store(self.store)
        """Values of any type for all requests of this app in this process; those of `store` show
        through where it has none of a name."""
        self.mounting = mounting.Mounting(self)
        self._site: Site | None = None
        self._entering: Site | None = None
        # Held again by what asks for the site while it is made.
        self._mounting = threading.RLock()
        self._servers = Interfaces(
            lambda: self.site, lambda: self._site is not None, self._mounting
        )
        self.mount_prefix = ""
        self._take_layers()
        # Servers ask whether app.__call__ is a coroutine function to tell ASGI from WSGI. They
        # look at the instance, while calling the app goes to the class.
        self.__dict__["__call__"] = self._asgi
        self._attributes = Attributes(self)
        gunicorn.watch()

    def _take_layers(self) -> None:
        self.layers: dict[str, Layer] = layers.find(self._layers_choice)
        used = self.layers.items()
        self.__class__ = layers.extended(type(self), Atila, self.layers, "app", vars(self))
        self.was_class = class_for(self)
        given = layers.merged(((n, v.config) for n, v in used), "config")
        self.config = Config(settings_of(given))
        self._responders: dict[type, Responder | None] = {
            object: None,
            dict: data_answers.respond,
            list: data_answers.respond,
            Upload: send_back,
            FlashFile: send_back,
            **event_streams.RESPONDERS,
            **layers.merged(((n, v.responders) for n, v in used), "responders"),
        }
        self._forget_types()
        self.parts: list[Parts] = []
        """The additions of layers to the app as a whole; as soon as it is mounted."""
        self.options = _CORE_OPTIONS.union(*(layer.options for layer in self.layers.values()))

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            if "_attributes" in self.__dict__:
                self._attributes.note(name)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            if hasattr(type(self), name):
                # A property of core raised it: nothing but that error tells what is wrong.
                return object.__getattribute__(self, name)
            raise layers.absent("app", name, self.__dict__.get("layers", {}), type(self))

    def __repr__(self) -> str:
        return f"<Atila {self.import_name}: {len(self.routes)} routes>"

    # What a user defines ------------------------------------------------------------------------

    def route(
        self,
        rule: str,
        *,
        methods: Sequence[str] | None = None,
        content_types: Sequence[str] = (),
        **options: Any,
    ) -> Callable[[Function], Function]:
        """Answer requests to a path with a function.

        Args:
            rule: the path below the app's mount point: "/users/<int:id>". A parameter is <name>,
                <int:name>, <float:name> or <path:name>; one at the end may be left out of a request
                if the function has a default for it.
            methods: the HTTP methods; all but CONNECT and TRACE if not given.
            content_types: media types of bodies that it takes; others are refused with 415.
            options: the options of the layers; input_stream=True for a handler that reads the body
                piece by piece; blocking=False for a `def` handler that never waits, which then runs
                on the task loop and not in a worker thread. Waiting for a task raises there;
                compress=False for answers that are never compressed and True for ones that are,
                whatever the setting COMPRESS says.

        Raises:
            SetupError: an option is unknown, or belongs to a layer that is not there.
        """
        if not isinstance(rule, str):
            raise SetupError('write @app.route("/path"), with the path', source_of(rule))

        def decorate(function: Function) -> Function:
            source = source_of(function)
            answered, types = route_arguments.checked(self, methods, content_types, options, source)
            scope = self.mounting.scope
            route = Route(
                scope.rule(rule, source),
                function,
                answered,
                types,
                options,
                scope.qualify(getattr(function, "__name__", "")),
                source,
                mntopt=scope.options(self.debug),
                rank=scope.rank,
                namespace=hints.namespace_of(function),
            )
            self.routes.append(route)
            if self.mounting.is_done:
                compiling.compile_route(self, route)
                self.resources = Resources(precedence.ranked(self.routes, self.unrouted))
            return function

        return decorate

    def inspect(self, *scope: str, **rules: Any) -> Callable[[Function], Function]:
        """Check the parameters of a request before a handler is called, and convert them.

        Args:
            scope: the part of the request that the rules are for: "URL", "FORM", "JSON", "DATA" or
                "ARGS", which is all of it and the default.
            rules: lists of names by keyword, `ints=["id"]`; a type or an object with a search
                method by name, `id=int`; a value to compare with by name and operator, `id__gte=1`.
                See `atila.validation.declaration` for all of them.

        Raises:
            SetupError: it comes too late for the handler's route. Faults of the rules themselves
                are raised when the app is mounted.
        """

        def decorate(function: Function) -> Function:
            declaration.declare(self, function, declaration.Declaration(scope, rules))
            return function

        return decorate

    require = inspect

    unroute = precedence.unroute
    mount = mounting.mount
    extends = mounting.extends
    overrides = mounting.overrides

    testpass_required = decorators.testpass_required
    run_before = decorators.run_before
    run_after = decorators.run_after
    if_file_modified = decorators.if_file_modified
    if_cache_updated = decorators.if_cache_updated
    maintain = maintenance.maintain
    readiness_check = health.readiness_check

    provide = providing.provide
    override = providing.override

    on = events.on
    emit = events.emit
    before_mount = events.life_cycle("before_mount")
    mounted = events.life_cycle("mounted")
    before_reload = events.life_cycle("before_reload")
    reloaded = events.life_cycle("reloaded")
    mounted_or_reloaded = events.life_cycle("mounted_or_reloaded")
    before_umount = events.life_cycle("before_umount")
    umounted = events.life_cycle("umounted")

    def before_request(self, function: Function) -> Function:
        """Call function(was) before each handler; its result, if not None, is the answer."""
        self.hooks.before.append(plain(self, function))
        return function

    def finish_request(self, function: Function) -> Function:
        """Call function(was, response) after each handler; a result not None replaces it."""
        self.hooks.finish.append(plain(self, function, 2))
        return function

    def failed_request(self, function: Function) -> Function:
        """Call function(was, exc_info) when a request failed."""
        self.hooks.failed.append(plain(self, function, 2))
        return function

    def teardown_request(self, function: Function) -> Function:
        """Call function(was) when a request is over, whether it failed or not."""
        self.hooks.teardown.append(plain(self, function))
        return function

    def error_handler(self, code: int) -> Callable[[Function], Function]:
        """Answer errors of a status code with function(was, error)."""
        if not isinstance(code, int):
            raise SetupError(f"write @app.error_handler(404), not {code!r}", source_of(code))

        def decorate(function: Function) -> Function:
            self.error_handlers[code] = supplied(self, function, 2)
            return function

        return decorate

    def default_error_handler(self, function: Function) -> Function:
        """Answer errors that have no handler of their own with function(was, error)."""
        self._default_error_handler = supplied(self, function, 2)
        return function

    def error_handler_for(self, code: int) -> Callable[..., Any] | None:
        """The function that answers errors of this code, if any."""
        return self.error_handlers.get(code, self._default_error_handler)

    @property
    def loop_safe(self) -> bool:
        """Whether an error, and the end of a request, call nothing that may block."""
        return not (
            self.hooks.failed
            or self.hooks.teardown
            or self.error_handlers
            or self._default_error_handler
        )

    # Mounting -----------------------------------------------------------------------------------

    @property
    def site(self) -> Site:
        """The site that the app is mounted on; by default one of its own, with the app at "/"."""
        return self._site or self._mount_alone()

    def _mount_alone(self) -> Site:
        with self._mounting:
            return self._site or Site([Mount("/", self)])

    @property
    def current_site(self) -> Site:
        """The same for callers that run while it is mounted, and need the existing parts."""
        return self._entering or self.site

    @property
    def module(self) -> Any:
        """The module that it was made in; None if it is not imported."""
        return sys.modules.get(self.import_name)

    def enter(self, site: Site, prefix: str) -> None:
        """Mount all packages and compile all routes, as a part of a site.

        Args:
            site: the site.
            prefix: the beginning of the app's paths: "" or "/shop".

        Raises:
            SetupError: the app is in another site already, or has a mistake in it.
        """
        if self._site is not None or self._entering is not None:
            raise SetupError(f"{self!r} is mounted already; an app can be in one place only")
        self.mount_prefix = prefix
        self._entering = site
        # So that `was.site` is one step.
        self.was_class.site = site  # type: ignore[assignment, method-assign]
        try:
            with mounting.entered(self):
                self.compile_routes()
        except BaseException:
            del self.was_class.site
            self._entering = None
            raise

    def _forget_types(self) -> None:
        """Forget the types of answers that were found since the routes were compiled: responders
        may depend on settings, and modules that were reloaded have new ones.
        """
        self.responders = dict(self._responders)
        self.never_awaited: set[type] = set(NEVER_AWAITED)
        """Types whose values are no awaitables, models as soon as one was answered."""

    def compile_routes(self) -> None:
        """Compile all routes, when the app is mounted or `unroute` has changed them.

        Raises:
            SetupError: one of them, or a setting, has a mistake in it.
        """
        # Hooks may have set some, after the site has looked at those that it needs.
        self.config.check()
        self._attributes.check(self)
        self.compiled = {}
        self._forget_types()
        self.router = Router()
        compiling.compile_all(self)

    def open(self, site: Site) -> None:
        """Let all threads see the site that it entered, which is whole by now."""
        self._site = site
        self._entering = None

    def leave(self) -> None:
        """The end of the site; the app may be mounted anew."""
        mounting.leave(self)
        if self._site is not None or self._entering is not None:
            del self.was_class.site
        self._site = self._entering = None
        self._servers.close()

    def endpoint_of(self, route: Route) -> Endpoint:
        """The endpoint that a route was compiled to."""
        return self.compiled[id(route)]

    def endpoint_for(self, route: Route) -> Endpoint:
        """An endpoint for a route that nobody wrote, with the app's hooks and its layers' steps."""
        return compiling.endpoint_for(self, route)

    @property
    def endpoints(self) -> list[Endpoint]:
        """All compiled routes, without those that nobody wrote."""
        return list(self.compiled.values())

    # Servers ------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        """Answer as an ASGI app (scope, receive, send) or a WSGI app (environ, start_response)."""
        return self._servers.wsgi(*args) if len(args) == 2 else self._servers.asgi(*args)

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self._servers.asgi(scope, receive, send)

    def __rsgi__(self, scope: Any, protocol: Any) -> Any:
        return self._servers.rsgi(scope, protocol)

    def __rsgi_init__(self, loop: Any) -> None:
        self._servers.begin_rsgi(loop)

    def __rsgi_del__(self, loop: Any) -> None:
        self._servers.end_rsgi()

    def run(self, **options: Any) -> None:
        """Serve the app alone, at "/", until the process gets a signal to end.

        Args:
            options: the options of `skitai.run`: port=5000, address="127.0.0.1", workers=1, …
        """
        import skitai

        skitai.mount("/", self)
        skitai.run(**options)

    def test_client(self, *, follow_redirects: bool = False) -> TestClient:
        """A client that calls the app in this process, without a server.

        Args:
            follow_redirects: whether its requests follow redirects that say nothing else.
        """
        from atila.testing.client import TestClient

        return TestClient(self, follow_redirects=follow_redirects)

    def async_test_client(self, *, follow_redirects: bool = False) -> AsyncTestClient:
        """Like `test_client`, for tests that are coroutines: `await client.get("/")`.

        Args:
            follow_redirects: whether its requests follow redirects that say nothing else.
        """
        from atila.testing.async_client import AsyncTestClient

        return AsyncTestClient(self, follow_redirects=follow_redirects)
