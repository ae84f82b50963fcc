"""`was`, the context of one request: the first argument of every handler, hook and task."""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from typing import IO, TYPE_CHECKING, Any, Self

from atila import layers
from atila.errors import CLIENT_LEFT, HTTPError
from atila.http import events, files, forms, request_ids
from atila.http.authority import absolute
from atila.http.cookies import Cookies
from atila.http.environ import Environ
from atila.http.exchange import Input
from atila.http.prefixes import below
from atila.http.request import Request
from atila.http.response import FileBody, Response
from atila.routing import pipe, urls
from atila.runtime import after_answer, updates
from atila.runtime.context import HERE

if TYPE_CHECKING:
    from atila import Atila, Endpoint, Site
    from atila.http.exchange import Exchange, Header, WebSocketTransport
    from atila.installed import WasNames
    from atila.runtime.store import SharedStore
else:
    WasNames = object

_SANE_ID = re.compile(r"[\w.\-]{1,64}", re.ASCII)

log = logging.getLogger("atila.app")


class Was(WasNames):
    """The context of one request. Names of layers are made at their first use.

    Attributes:
        exchange: the request as the engine handed it over.
        endpoint: the compiled route.
        path_params: the parameters of the rule, converted.
        refusal: the error that answers instead of the handler, found before it ran.
        cancels: the functions of `on_cancel`; emptied at the end, since tasks refer to the context.
        headers_sent: the head of a streamed answer, or of a WebSocket, has been sent.
        variables: the context variables of the request: a `contextvars.Context`, or `HERE` as long
            as it has none to itself; None when it is over.
    """

    __slots__ = (
        "_args",
        "_given",
        "_request",
        "_request_id",
        "_response",
        "cancels",
        "endpoint",
        "exchange",
        "path_params",
        "refusal",
        "variables",
    )

    # No slot: few requests set it, and each slot has its price for all of them.
    headers_sent: bool = False
    app: Atila
    request_class: type[Request]
    """The class of `was.request`: with the names that layers add to it."""
    cookie = layers.made(Cookies)
    """The cookies of the client; those set here are sent with the answer."""
    env = layers.made(Environ)
    """The request as variables of CGI and WSGI: REQUEST_METHOD, HTTP_USER_AGENT, …"""
    Error = HTTPError

    def _begin(
        self, exchange: Exchange, endpoint: Endpoint, path_params: Mapping[str, Any]
    ) -> Self:
        # Not the constructor, which CPython enters by way of its C code. To be called at once.
        self.exchange = exchange
        self.endpoint = endpoint
        self.path_params = path_params
        self.refusal: HTTPError | None = None
        self.cancels: dict[Callable[[], object], None] | None = None
        self._args: dict[str, Any] | None = None
        # What the handler was given.
        self._given: Mapping[str, Any] | None = None
        self._request: Request | None = None
        self._response: Response | None = None
        self._request_id = ""
        self.variables: Any = HERE
        return self

    def detach(self) -> None:
        """Have it run in a context of its own, wherever it does; to be called before it does, where
        the running code is in a context that others are in, too.
        """
        if self.variables is HERE:
            # A copy: what a server, or ASGI middleware, has set for the request is seen in it.
            self.variables = copy_context()

    @property
    def request(self) -> Request:
        """The request."""
        request = self._request
        if request is None:
            request = self._request = self.request_class(self)
        return request

    @property
    def response(self) -> Response:
        """Status and headers of the answer."""
        response = self._response
        if response is None:
            response = self._response = Response(self.exchange)
        return response

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocketTransport:
        """Complete the handshake of a WebSocket; see `Exchange.accept`. On the task loop only.

        From then on nothing else answers the request; if its handler fails, the connection is
        closed with 1011.
        """
        transport = self.__dict__["transport"] = await self.exchange.accept(headers, protocol)
        self.headers_sent = True
        # It has been sent, and the connection may stay for days.
        self._response = None
        self.site.add_socket(transport)
        return transport

    def on_cancel(self, func: Callable[[], object]) -> None:
        """Have func() called if the client leaves, or the server stops, before it is answered."""
        if self.cancels is None:
            self.cancels = {}
        self.cancels[func] = None

    def off_cancel(self, func: Callable[[], object]) -> None:
        """Remove a function given to `on_cancel`, if it is still there. From any thread."""
        if self.cancels:
            self.cancels.pop(func, None)

    def cancel(self) -> None:
        """Call the functions given to `on_cancel`."""
        for func in tuple(self.cancels or ()):
            try:
                func()
            except BaseException:
                # Even SystemExit: the others are to be cancelled as well.
                log.exception("request %s: cancelling %r failed", self.request_id, func)

    def renew_response(self, error: HTTPError) -> Response:
        """Drop the headers set so far, and begin the answer of an error."""
        header_callbacks = None if self._response is None else self._response.header_callbacks
        response = self._response = Response(self.exchange)
        if error.code < 500 and error.code != CLIENT_LEFT:
            response.header_callbacks = header_callbacks
        response.give_status(error.code, error.message)
        for name, value in error.headers:
            response.add_header(name, value)
        return response

    @property
    def args(self) -> dict[str, Any]:
        """All parameters that are given: by query, path and body, the latter winning over the
        former."""
        args = self._args
        if args is None:
            exchange = self.exchange
            query = exchange.query
            args = forms.parse_query(query, self.app.config["MAX_FIELDS"]) if query else {}
            args.update(self.path_params)
            if exchange.body:
                request = self.request
                args.update(request.DATA)
                kind = exchange.header("content-type")
                if not request.has_fields and self.endpoint.needs_more(args, kind):
                    raise forms.unread_body(kind)
            if self._given is not None:
                args.update(self._given)
            self._args = args
        return args

    @property
    def site(self) -> Site:
        """The site that this app is mounted on: worker pool, task loop, the other apps."""
        # Contexts of a mounted app have it as an attribute of their class; see `Atila.enter`.
        return self.app.current_site

    @property
    def apps(self) -> Mapping[str, Atila]:
        """The apps of the site, by name."""
        return self.site.apps

    @property
    def g(self) -> SharedStore:
        """Values that all apps of the site share."""
        return self.site.g

    urlfor = urls.urlfor
    urlpatch = partial = urls.urlpatch
    baseurl = urls.baseurl
    static = urls.static
    media = urls.media
    absolute = absolute
    pipe = pipe.pipe
    setlu = updates.setlu
    getlu = updates.getlu
    after = after_answer.after

    @property
    def request_id(self) -> str:
        """Identifies the request in logs and error answers; the client's X-Request-Id if sane."""
        if not self._request_id:
            given = self.exchange.header("x-request-id") or ""
            self._request_id = given if _SANE_ID.fullmatch(given) else request_ids.new()
        return self._request_id

    def log(self, message: str, category: str = "info") -> None:
        """Write to the app's log.

        Args:
            message: the text.
            category: "debug", "info", "warn", "error" or "critical"; others count as "info".
        """
        level = logging.getLevelNamesMapping().get(category.upper(), logging.INFO)
        log.log(level, "%s", message, extra={"request_id": self.request_id})

    def traceback(self, id: str = "") -> None:
        """Write the traceback of the error being handled to the app's log.

        Args:
            id: an id to find it in the log; the request id if not given.
        """
        text, extra = traceback.format_exc(), {"request_id": self.request_id}
        log.error("[%s]\n%s", id or self.request_id, text, extra=extra)

    def redirect(self, url: str, status: int | str = "302 Found", body: str = "") -> Response:
        """An answer that sends the client elsewhere (RFC 9110, section 15.4)."""
        return self.response(status, body, [("location", url)])

    def File(
        self,
        path: str | os.PathLike[str] | IO[Any],
        mimetype: str | None = None,
        filename: str | None = None,
    ) -> FileBody | Response:
        """A file of this machine as an answer, or an open one, which is closed when it is sent.

        Args:
            path: its path, or the open file.
            mimetype: its media type; by its name if not given.
            filename: the name under which browsers save it; shown instead if not given.
        """
        if isinstance(path, str | os.PathLike):
            return FileBody(path, mimetype, filename)
        return files.of_open(self, path, mimetype, filename)

    def Static(self, path: str) -> FileBody:
        """A file of the app's static folder as an answer, by its path there or by its URL."""
        return self.site.static.of(self.app, "STATIC", below(path, self.exchange.prefix))

    def Media(self, path: str) -> FileBody:
        """A file of the app's media folder as an answer, by its path there or by its URL."""
        return self.site.static.of(self.app, "MEDIA", below(path, self.exchange.prefix))

    def Mounted(self, url: str) -> FileBody:
        """The static or media file at an URL of the site, of whichever app, as an answer."""
        return self.site.static.at(below(url, self.exchange.prefix))

    MountedFile = Mounted

    def EventStream(
        self,
        source: events.Source | None = None,
        *,
        rooms: Sequence[str] | None = None,
        retry: int | None = None,
        heartbeat: float | None = None,
    ) -> events.EventStream:
        """Events that are sent while they come, as an answer (text/event-stream).

        Args:
            source: a generator or asynchronous generator of them: data, or `was.Event(…)`.
            rooms: in place of it, the rooms whose messages they are, `app.broadcast("orders", …)`.
            retry: milliseconds after which a client that lost the connection comes again; None
                leaves it to the client.
            heartbeat: seconds after which a silent stream sends a comment; None for the setting
                EVENT_HEARTBEAT.

        Raises:
            TypeError: there is not one of source and rooms, or it is of another type.
            MissingLayer: the app has no layer with rooms.
        """
        if (source is None) == (rooms is None):
            raise TypeError("was.EventStream takes a generator, or rooms=, and not both")
        if rooms is None:
            return events.EventStream(source or (), retry=retry, heartbeat=heartbeat)
        if "ws" not in self.app.layers:
            text = layers.missing("was", "websocket", self.app.layers)
            raise layers.MissingLayer(f"was.EventStream(rooms=…) needs rooms: {text}")
        return events.RoomEvents(rooms, retry=retry, heartbeat=heartbeat)

    Event = events.Event

    def Input(self, size: int = 65536) -> Input:
        """The next piece of a streamed body, of at most `size` bytes; to be yielded or awaited."""
        return Input(self.exchange, size)

    if not TYPE_CHECKING and not layers.HAS_SLOW_GETATTR:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise layers.absent("was", name, self.app.layers, type(self))


def class_for(app: Atila) -> type[Was]:
    """The class of contexts of one app, with the names that its layers add.

    Raises:
        SetupError: see `layers.extended`.
    """
    request = layers.extended(_Request, Request, app.layers, "request", _OF_REQUESTS)
    was = layers.extended(Was, Was, app.layers, "was")
    was.app, was.request_class = app, request
    if layers.HAS_SLOW_GETATTR:
        layers.mark_absent(request, "request", app.layers)
        layers.mark_absent(was, "was", app.layers)
    return was


_OF_REQUESTS = ("form", "user", "was", "_exchange")


class _Request(Request):
    """A request of an app, which says of a name that it has not which layer has it."""

    if not TYPE_CHECKING and not layers.HAS_SLOW_GETATTR:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise layers.absent("request", name, self.was.app.layers, type(self))


if TYPE_CHECKING:
    from atila.installed_layers import DB_MONGODB as DB_MONGODB
    from atila.installed_layers import DB_PGSQL as DB_PGSQL
    from atila.installed_layers import DB_POSTGRESQL as DB_POSTGRESQL
    from atila.installed_layers import DB_REDIS as DB_REDIS
    from atila.installed_layers import DB_SQLITE3 as DB_SQLITE3
    from atila.installed_layers import PROTO_HTTP as PROTO_HTTP
    from atila.installed_layers import PROTO_HTTPS as PROTO_HTTPS
    from atila.installed_layers import WS_COROUTINE as WS_COROUTINE
    from atila.installed_layers import add_database_interface as add_database_interface
    from atila.installed_layers import alias as alias
    from atila.installed_layers import django_model as django_model
    from atila.installed_layers import generate_otp as generate_otp
else:

    def __getattr__(name: str) -> Any:
        """The names of layers for other programs: `from atila.was import generate_otp`."""
        if name.startswith("__"):
            raise AttributeError(name)
        return layers.exported(name)
