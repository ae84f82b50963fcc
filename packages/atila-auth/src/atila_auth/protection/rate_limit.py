"""Rate limits: how often one client may call a route, counted across all workers."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from atila import HTTPError, SetupError
from atila.app.hooks import plain
from atila.routing import notes
from atila.typevars import Context, Function, Hook
from atila_auth.declarations import declare

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.layers import Before
    from atila.routing.router import Route
    from atila.runtime.shared import Shared

SPACE = "auth rate"
_ROUNDING = 1e-6
Key = Callable[["Was"], Any]


@dataclass(frozen=True, slots=True)
class _Declaration:
    requests: Any
    seconds: Any
    key: Any


def rate_limit(
    app: Atila,
    requests: int,
    seconds: float = 60,
    key: str | Hook[Context] = "address",
) -> Callable[[Function], Function]:
    """Refuse clients that use a route too often with 429. Above all against the guessing of
    passwords.

    All requests count but those refused with 429. The previous window of time counts by the part
    that still reaches into the last `seconds` (a sliding window), as if its requests were evenly
    spread. After a burst at its end up to 2 * requests - 1 are answered in one period of `seconds`.

    Args:
        app: the app.
        requests: the number that is answered in each window of `seconds`.
        seconds: the length of the window.
        key: "address" of the client, of which an IPv6 one counts with all its /64; "user", the name
            of `was.request.user`, or the address of a client without one; or a function key(was),
            `async` or not, whose None is not counted. All but "user" are counted before
            authentication.
    """
    if callable(requests):
        raise SetupError("write @app.rate_limit(10, 60), with the number of requests")
    declaration = _Declaration(requests, seconds, key)
    return lambda function: declare(app, function, "rate_limit", declaration)


def compile_route(route: Route, app: Atila) -> tuple[list[Before], list[Before]]:
    """The steps of a route's limits, before authentication and after it.

    Raises:
        SetupError: a limit makes no sense.
    """
    first: list[Before] = []
    last: list[Before] = []
    if not route.automatic:
        for at, each in enumerate(notes.of(route.handler, _Declaration)):
            limit = _compiled(each, route, app, at)
            (last if each.key == "user" else first).append(limit)
    return first, last


def _compiled(declared: _Declaration, route: Route, app: Atila, at: int) -> Limit:
    requests, seconds, key = declared.requests, declared.seconds, declared.key
    if type(requests) is not int or requests < 1:
        raise SetupError(f"@app.rate_limit({requests!r}, …): it must be 1 or more", route.source)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        raise SetupError(f"@app.rate_limit: seconds={seconds!r} must be more than 0", route.source)
    if not callable(key):
        if not isinstance(key, str) or key not in _KEYS:
            raise SetupError(
                f'@app.rate_limit: key={key!r} must be "address", "user" or a function(was)',
                route.source,
            )
        key = _KEYS[key]
    key = plain(app, key)
    scope = f"{app.import_name} {app.mount_prefix} {route.rule} {','.join(route.methods)} {at}"
    return Limit(scope, requests, seconds, key)


class Limit:
    """The step of routes with a limit.

    Args:
        scope: the name of the counter.
        requests: the number that is answered.
        seconds: the length of the window.
        key: gives the client that they are counted for.
    """

    def __init__(self, scope: str, requests: int, seconds: float, key: Key) -> None:
        self._scope = scope
        self._requests = requests
        self._seconds = seconds
        self._key = key

    def __call__(self, was: Was) -> None:
        """Count a request.

        Raises:
            HTTPError: 429, it is one too many.
        """
        key = self._key(was)
        if key is None:
            return
        # What is counted may be personal, and of any length.
        name = hashlib.sha256(f"{self._scope}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
        window, passed = divmod(time.time() / self._seconds, 1.0)
        wait = self._take(was.site.shared, name, int(window), passed)
        if wait:
            after = max(1, math.ceil(wait * self._seconds - _ROUNDING))
            raise HTTPError(429, "too many requests", 0, [("retry-after", str(after))])

    def _take(self, shared: Shared, name: str, window: int, passed: float) -> float:
        """Count one more; 0 if it may go on, else for how many windows to wait."""
        limit = self._requests + _ROUNDING
        before = min(_count(shared, f"{name} {window - 1}"), limit) * (1.0 - passed)
        now = f"{name} {window}"
        # Who is refused already costs no write.
        count = _count(shared, now)
        if count + before + 1 <= limit:
            # It is of this window alone, so it cannot end between the two.
            is_first = shared.add(SPACE, now, b"1", 2 * self._seconds + 5.0)
            count = 1 if is_first else shared.incr(SPACE, now)
            if count + before <= limit:
                return 0.0
        return self._wait(min(count, self._requests), before, passed)

    def _wait(self, count: int, before: float, passed: float) -> float:
        limit = self._requests
        left = 1.0 - passed
        # In this window, when enough of the last one has gone …
        if before and count + 1 <= limit:
            share = before / left
            return max(left - (limit - count - 1) / share, 1e-9)
        # … or in the next one, when enough of this one has.
        return left + max(1.0 - (limit - 1) / count, 0.0)


def _count(shared: Shared, name: str) -> int:
    value = shared.get(SPACE, name)
    return 0 if value is None else int(orjson.loads(value))


def _address(was: Was) -> str:
    text = was.exchange.client[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        # Of which one household has 2**64.
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def _user(was: Was) -> str:
    user = was.request.user
    name = user.get("sub", user.get("uid")) if isinstance(user, dict) else _named(user)
    return f"address {_address(was)}" if name is None else f"user {name}"


def _named(user: Any) -> Any:
    if user is None or hasattr(user, "name"):
        return getattr(user, "name", None)
    text = str(user)
    # What Python makes of an object that says nothing of itself is another text each time.
    return None if text == object.__repr__(user) else text


_KEYS: dict[str, Key] = {"address": _address, "user": _user}
