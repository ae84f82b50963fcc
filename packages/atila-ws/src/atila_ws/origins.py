"""Checks which pages may open a WebSocket (RFC 6455, section 10.2).

The same-origin policy does not hold for WebSockets: a page of any site can open one, and the
browser sends the cookies along. The browser also sends the page's origin, which is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from atila import SetupError

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.routing.router import Route
    from atila_ws.declaration import Declaration

CORS = "access_control_allow_origin"
"""The option of a route, and the setting of an app, that atila-auth has for other requests."""

ANY = "*"

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


def checker(route: Route, app: Atila, declared: Declaration) -> Callable[[Was], None]:
    """The step that refuses handshakes of pages of foreign origins.

    Pages of the same host and port are accepted, and clients other than browsers, which send no
    origin. So are the origins that `@app.websocket(origins=...)` names, or, if it names none, those
    of the CORS setting. Its "*" is not enough: it stands for answers that need no cookies.

    Raises:
        SetupError: `origins` is no list of origins.
    """
    named = declared.origins
    if named is None:
        named = route.options.get(CORS, getattr(app, CORS, None))
        allowed = frozenset(_spelled(text) for text in _strings(named)) - {ANY}
    else:
        allowed = frozenset(_spelled(text) for text in _checked(named, route))

    def check(was: Was) -> None:
        origin = was.exchange.header("origin")
        if origin is None or ANY in allowed:
            return
        if _spelled(origin) in allowed or _is_same(origin, was.exchange.host or ""):
            return
        raise was.Error(403, f"pages of {origin} may not open a WebSocket here")

    return check


def _strings(named: Any) -> Iterable[str]:
    # What is wrong with it atila-auth tells.
    if isinstance(named, list | tuple | set | frozenset):
        return [text for text in named if isinstance(text, str)]
    return []


def _checked(named: Any, route: Route) -> Iterable[str]:
    texts = list(_strings(named))
    if not texts or len(texts) != len(named):
        raise SetupError(
            f'origins={named!r} of @app.websocket must be a list: ["https://example.com"], or'
            ' ["*"] for the pages of all sites',
            route.source,
        )
    for text in texts:
        if text != ANY and (_host_and_port(text) is None or not _is_bare(text)):
            raise SetupError(
                f'{text!r} in origins of @app.websocket is no origin: "https://example.com"',
                route.source,
            )
    return texts


def _is_bare(text: str) -> bool:
    parts = urlsplit(text)
    return not (parts.path or parts.query or parts.fragment or parts.username is not None)


def _spelled(origin: str) -> str:
    """An origin as browsers spell it (RFC 6454, section 6.2): lower case, no default port."""
    found = _host_and_port(origin)
    if found is None:
        return origin
    scheme, host, port = found
    return (
        f"{scheme}://{host}" if port == _DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}:{port}"
    )


def _is_same(origin: str, host: str) -> bool:
    """Whether a page is of the host and port that it connects to.

    Its scheme is its own: TLS may end at a proxy before us.
    """
    found = _host_and_port(origin)
    if found is None:
        return False
    scheme, name, port = found
    wanted = _host_and_port(f"{scheme}://{host}")
    return wanted is not None and wanted[1:] == (name, port)


def _host_and_port(url: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, str(port or _DEFAULT_PORTS.get(parts.scheme, ""))
