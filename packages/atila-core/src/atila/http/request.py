"""`was.request`: the request, each part read at its first use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from atila.http import forms
from atila.http.accept import parse_accept, weight_of
from atila.http.exchange import Headers
from atila.http.uploads import MULTIPART_TYPE, Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from atila import Was
    from atila.http.cookies import Cookies
    from atila.http.environ import Environ
    from atila.installed import RequestNames
else:
    RequestNames = object

FORM_TYPES = frozenset({forms.FORM_TYPE, MULTIPART_TYPE})
"""The media types of forms."""


class Request(RequestNames):
    """One request.

    Attributes:
        args: all parameters, by name: of the path, the query, and the form or JSON body; the latter
            win over the former. As soon as the handler is called, its defaults too.
        g: a dict that hooks and handler of this request share.
        user: the authenticated user; for an authentication layer to set.
        was: the context of the request.
    """

    def __init__(self, was: Was) -> None:
        self.was = was
        self._exchange = was.exchange
        self.user: Any = None
        self.form: Form | None = None
        """The multipart body, once it has been read."""

    @property
    def method(self) -> str:
        """Upper case: "GET"."""
        return self._exchange.method

    @property
    def path(self) -> str:
        """Percent-decoded, with the mount point and the prefix of a proxy or an outer app."""
        return self._exchange.full_path

    @property
    def query(self) -> str:
        """The query string as sent, without question mark."""
        return self._exchange.query

    @property
    def uri(self) -> str:
        """Path and query as one."""
        query = self._exchange.query
        return f"{self.path}?{query}" if query else self.path

    @property
    def host(self) -> str:
        """The host that the client asked for, maybe with a port; "" if it named none."""
        return self._exchange.host or ""

    @property
    def version(self) -> str:
        """HTTP version: "1.0", "1.1", "2.0", "3.0"."""
        return self._exchange.version

    @property
    def scheme(self) -> str:
        """ "http" or "https"."""
        return self._exchange.scheme

    @property
    def body(self) -> bytes:
        """The whole body as sent; a long one is read from the disk each time."""
        return bytes(self._exchange.body)

    @cached_property
    def g(self) -> dict[str, Any]:
        return {}

    @cached_property
    def id(self) -> str:
        """Identifies the request in logs and error answers; the client's X-Request-Id if sane."""
        return self.was.request_id

    @property
    def args(self) -> dict[str, Any]:
        was = self.was
        args = was.args
        if was._given is not None:
            for name, default in was.endpoint.defaults.items():
                args.setdefault(name, default)
        return args

    @property
    def ARGS(self) -> dict[str, Any]:
        return self.args

    @property
    def PARAMS(self) -> Mapping[str, Any]:
        """The parameters of the rule, with the values that the handler gets: a body wins over the
        path, and a parameter that the path leaves out may be given elsewhere.
        """
        args = self.was.args
        return {name: args[name] for name in self.was.endpoint.params if name in args}

    @cached_property
    def URL_QUERY(self) -> dict[str, Any]:
        """The fields of the query string."""
        return forms.parse_query(self._exchange.query, self.was.app.config["MAX_FIELDS"])

    @cached_property
    def URL(self) -> dict[str, Any]:
        """The parameters of query and path."""
        return {**self.URL_QUERY, **self.was.path_params}

    @cached_property
    def FORM(self) -> dict[str, Any]:
        """The fields of an URL-encoded or multipart body, an `Upload` where it has a file; {} for a
        body of another type."""
        kind = self.get_content_type()
        if kind in FORM_TYPES:
            forms.refuse_encoded(self._exchange.header("content-encoding"))
        if kind == forms.FORM_TYPE:
            return forms.parse_form(self.body, self.was.app.config["MAX_FIELDS"])
        if kind != MULTIPART_TYPE or not self._exchange.body:
            return {}
        content_type = self._exchange.header("content-type") or ""
        self.form = Form(self._exchange.body, content_type, self.was.app.config)
        return self.form.fields

    @cached_property
    def JSON(self) -> Any:
        """The value of a JSON body; None for a body of another type."""
        if not forms.is_json(self.get_content_type()):
            return None
        forms.refuse_encoded(self._exchange.header("content-encoding"))
        if self.was.endpoint.binding is not None:
            return forms.parse_json_exactly(self.body)
        return forms.parse_json(self.body)

    @cached_property
    def DATA(self) -> dict[str, Any]:
        """The parameters of the body: of a form, or of a JSON object."""
        if forms.is_json(self.get_content_type()):
            return self.JSON if isinstance(self.JSON, dict) else {}
        return self.FORM

    @property
    def has_fields(self) -> bool:
        """Whether the body is of a type that gives parameters: a form, or JSON."""
        kind = self.get_content_type()
        return kind in FORM_TYPES or forms.is_json(kind)

    @property
    def routed(self) -> Callable[..., Any]:
        """The handler."""
        return self.was.endpoint.route.handler

    @property
    def routable(self) -> dict[str, Any]:
        """The rule and the options of the route."""
        route = self.was.endpoint.route
        return {
            "methods": list(route.methods),
            "content_types": list(route.content_types),
            "options": dict(route.options),
            "mntopt": dict(route.mntopt),
        }

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """A header by its name in any case; repeated ones are joined by ", "."""
        value = self._exchange.header(name.lower())
        return default if value is None else value

    def get_headers(self) -> Headers:
        """All headers in the order sent, names in lower case."""
        return self._exchange.headers()

    def get_body(self) -> bytes:
        """The whole body as sent."""
        return self.body

    def get_remote_addr(self) -> str:
        """The client's IP address."""
        return self._exchange.client[0]

    @property
    def last_event_id(self) -> str:
        """The id of the last event that a client got which lost its event stream and connects anew
        (Last-Event-ID; WHATWG HTML, section 9.2.4); "" for one that connects for the first time.
        """
        return self._exchange.header("last-event-id") or ""

    def get_user_agent(self) -> str:
        """The User-Agent header; "" if there is none."""
        return self._exchange.header("user-agent") or ""

    def get_content_type(self) -> str:
        """The media type of the body, lower case and without parameters; "" if none is given."""
        return forms.media_type(self._exchange.header("content-type"))

    def get_main_type(self) -> str:
        """ "text" of "text/html"."""
        return self.get_content_type().partition("/")[0]

    def get_sub_type(self) -> str:
        """ "html" of "text/html"."""
        return self.get_content_type().partition("/")[2]

    @property
    def cookie(self) -> Cookies:
        """The cookies of the client; the same as `was.cookie`."""
        return self.was.cookie

    @property
    def env(self) -> Environ:
        """The request as variables of CGI and WSGI; the same as `was.env`."""
        return self.was.env

    def split_uri(self) -> tuple[str, str | None, str | None, str | None]:
        """Script, parameters (";a=1"), query string ("?b=2") and fragment ("#c") of the URI.

        Each with its leading sign; None for a missing part. Clients do not send fragments (RFC
        9110, section 7.1).
        """
        script, sign, parameters = self.path.partition(";")
        query = self._exchange.query
        return script, sign + parameters or None, f"?{query}" if query else None, None

    @cached_property
    def acceptables(self) -> dict[str, float]:
        """The media ranges of the Accept header and their weights, 0 to 1, the best first."""
        return parse_accept(self._exchange.header("accept"))

    def acceptable(self, media: str) -> bool:
        """Whether the client takes a media type, by name or by a wildcard (RFC 9110, 12.5.1)."""
        return weight_of(media, self.acceptables) > 0

    def accepts(self, media: str) -> bool:
        """Whether the Accept header names a media type, itself and not by a wildcard."""
        return media in (self._exchange.header("accept") or "").lower()
