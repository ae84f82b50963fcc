"""The policy of a route for pages of other origins (CORS protocol of the Fetch standard)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from atila import SetupError

if TYPE_CHECKING:
    from atila import Atila
    from atila.http.exchange import Headers
    from atila.routing.router import Route

ORIGINS = "access_control_allow_origin"
CREDENTIALS = "access_control_allow_credentials"
ALLOW_HEADERS = "access_control_allow_headers"
EXPOSE_HEADERS = "access_control_expose_headers"
MAX_AGE = "access_control_max_age"

NAMES = frozenset({ORIGINS, CREDENTIALS, ALLOW_HEADERS, EXPOSE_HEADERS, MAX_AGE})
"""Options of a route, and attributes of an app for all its routes; those of the route win."""

ANY = "*"

_DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 9110, section 5.6.2
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of one route.

    Attributes:
        origins: allowed origins, as browsers spell them; {"*"} for any.
        credentials: requests may carry cookies and Authorization.
        allow_headers: request headers that may be sent; empty allows whatever is asked for.
        expose_headers: response headers that scripts may read besides the safelisted ones.
        max_age: seconds that a browser may keep the answer to a preflight; None for its default.
    """

    origins: frozenset[str]
    credentials: bool = False
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None

    def allows(self, origin: str) -> bool:
        """Whether an origin is allowed."""
        return ANY in self.origins or origin in self.origins

    def origin_headers(self, origin: str | None) -> Headers:
        """The headers that every answer carries, to a preflight or not.

        Args:
            origin: the Origin header of the request.
        """
        if ANY in self.origins:
            return [("access-control-allow-origin", ANY)]
        # A cache must not give one origin the answer to another: so Vary is on all answers.
        headers = [("vary", "origin")]
        if origin is not None and origin in self.origins:
            headers.append(("access-control-allow-origin", origin))
            if self.credentials:
                headers.append(("access-control-allow-credentials", "true"))
        return headers


def policy_of(route: Route, app: Atila) -> Policy | None:
    """The policy of a route; None if neither it nor the app allows any origin.

    Raises:
        SetupError: a setting is not of its type, or contradicts another.
    """
    settings = _Settings(route, app)
    origins = frozenset(_origin(o, settings) for o in settings.strings(ORIGINS))
    if not origins:
        if useless := NAMES.intersection(route.options) - {ORIGINS}:
            raise SetupError(
                f"the option {min(useless)!r} does nothing without {ORIGINS}", route.source
            )
        return None
    credentials = settings.get(CREDENTIALS, False)
    if not isinstance(credentials, bool):
        raise settings.error(CREDENTIALS, "True or False")
    max_age = settings.get(MAX_AGE, None)
    if max_age is not None and not (type(max_age) is int and max_age >= 0):
        raise settings.error(MAX_AGE, "a whole number of seconds")
    _check_origins(origins, credentials, settings)
    allowed = tuple(
        _header_name(h, ALLOW_HEADERS, settings) for h in settings.strings(ALLOW_HEADERS)
    )
    exposed = tuple(
        _header_name(h, EXPOSE_HEADERS, settings) for h in settings.strings(EXPOSE_HEADERS)
    )
    if credentials and ANY in exposed:
        # With credentials it would stand for a header of this name (Fetch, section 3.3.3).
        raise settings.error(EXPOSE_HEADERS, f"a list of names, because of {CREDENTIALS}")
    return Policy(origins, credentials, () if ANY in allowed else allowed, exposed, max_age)


class _Settings:
    """The settings of a route: its options, and the app's attributes where it has none."""

    def __init__(self, route: Route, app: Atila) -> None:
        self._options: Mapping[str, Any] = route.options
        self._app = app
        self._source = route.source

    def get(self, name: str, default: Any) -> Any:
        if name in self._options:
            return self._options[name]
        return getattr(self._app, name, default)

    def strings(self, name: str) -> list[str]:
        value = self.get(name, [])
        if not isinstance(value, list | tuple | set | frozenset) or not all(
            isinstance(item, str) for item in value
        ):
            raise self.error(name, f"a list of strings: {name}={[value]!r}")
        return list(value)

    def error(self, name: str, wanted: str) -> SetupError:
        where = "" if name in self._options else "app."
        return SetupError(
            f"{where}{name} is {self.get(name, None)!r}; it must be {wanted}", self._source
        )


def _origin(text: str, settings: _Settings) -> str:
    """An origin as browsers spell it (RFC 6454, section 6.2): lower case, no default port."""
    if text in (ANY, "null"):
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _no_origin(text, settings) from None
    # Whatever else is in an URL would never be in an Origin header, so nothing would match it.
    rest = parts.path or parts.query or parts.fragment or parts.username is not None
    if not parts.scheme or not parts.hostname or rest or not text.isascii():
        raise _no_origin(text, settings)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is None or port == _DEFAULT_PORTS.get(parts.scheme):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def _no_origin(text: str, settings: _Settings) -> SetupError:
    return settings.error(
        ORIGINS,
        f'a list of origins, and {text!r} is none: scheme and host without a path, "https://a.org"',
    )


def _check_origins(origins: frozenset[str], credentials: bool, settings: _Settings) -> None:
    if ANY in origins and len(origins) > 1:
        raise settings.error(ORIGINS, '["*"] alone, or a list of origins without "*"')
    if credentials and (ANY in origins or "null" in origins):
        # Browsers refuse the first; the second is any sandboxed page.
        raise settings.error(
            ORIGINS, f'a list of origins without "*" and "null", because of {CREDENTIALS}'
        )


def _header_name(text: str, name: str, settings: _Settings) -> str:
    if not text or not _TOKEN.issuperset(text.lower()):
        raise settings.error(name, f"a list of header names, and {text!r} is none")
    return text.lower()
