"""State that the workers of many hosts share, in Redis.

Each name is a key, whose time limit is Redis's own. Writing and looking whether somebody else has
the space locked is one script, so that no write comes between.

While Redis is away every operation raises `SharedUnavailable`: it refuses connections, or has lost
one; it hangs; it has no memory left, still loads its data, or takes no writes. Nobody knows then
whether a write was carried out: it is not sent again. Only one that hangs costs its callers time,
and that but once: until it answers a thread that asks it again and again, others do not wait.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode

from atila.errors import SetupError, SharedUnavailable
from atila.runtime.spare_threads import waiting

log = logging.getLogger("atila.site")

PREFIX = "atila"
"""The beginning of all keys, unless the URL has ?prefix=NAME; sites that share a Redis must differ
in it.
"""
LOCK_SECONDS = 30.0
"""How long a lock lasts whose holder does not give it back: it was killed."""
PATIENCE = 60.0
"""Seconds that a write waits for a lock of somebody else."""
CONNECT_SECONDS = 2.0
REPLY_SECONDS = 3.0
"""How long Redis has to take a connection, and to answer; socket_connect_timeout and socket_timeout
in the URL say otherwise."""
REST_SECONDS = 0.5
"""Between two attempts to find out whether one that did not answer in time does so again."""
_PAUSE = 0.005
_NO_NUMBER = re.compile("not an integer|would overflow|WRONGTYPE")
"""Messages of Redis about a value that cannot be counted up; others are about its own state."""

_WRITE = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return {0} end
local op, ms = ARGV[2], ARGV[4]
if op == 'take' then
    local value = redis.call('get', KEYS[2])
    redis.call('del', KEYS[2])
    return {1, value}
elseif op == 'incr' then
    return {1, redis.call('incrby', KEYS[2], ARGV[3])}
elseif op == 'add' and redis.call('exists', KEYS[2]) == 1 then
    return {1, 0}
elseif op == 'replace' and redis.call('get', KEYS[2]) ~= ARGV[5] then
    return {1, 0}
elseif ms == '' then
    redis.call('set', KEYS[2], ARGV[3])
else
    redis.call('set', KEYS[2], ARGV[3], 'px', ms)
end
return {1, 1}
"""
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class RedisShared:
    """Shared by all processes that use one Redis; see `Shared`.

    Args:
        url: "redis://host:6379/0", "rediss://…" or "unix://…", with ?prefix=NAME if sites share it.

    Raises:
        SetupError: the library is not installed, or the URL is none.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise SetupError(
                'app.shared asks for Redis. Mend: pip install "atila-core[redis]"'
            ) from None
        self.url, self.prefix = split_url(url)
        self._client: Any = connect(redis, self.url)
        self._errors = (redis.RedisError, OSError)
        self._too_late = (redis.TimeoutError, TimeoutError)
        self._write_script = self._client.register_script(_WRITE)
        self._unlock_script = self._client.register_script(_UNLOCK)
        self._held = threading.local()
        self._prober: threading.Thread | None = None
        self._probing = threading.Lock()
        self._is_closed = threading.Event()
        self._left: deque[tuple[str, str]] = deque()

    def __repr__(self) -> str:
        return "<RedisShared>"  # The URL may have a password in it.

    def _key(self, space: str, name: str) -> str:
        return f"{self.prefix}:{space}\0{name}"

    def _ask(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function of the library.

        Raises:
            SharedUnavailable: Redis does not answer, or refuses.
        """
        if self._is_hung():
            raise SharedUnavailable("Redis has not answered in time")
        try:
            with waiting():
                found = func(*args, **kwargs)
        except self._errors as error:
            if isinstance(error, self._too_late):
                self._probe()
            # Not its text alone, which may be empty; never the URL.
            text = f"Redis: {type(error).__name__}: {error}"
            raise SharedUnavailable(text) from error
        if self._left:
            self._give_back()
        return found

    def _is_hung(self) -> bool:
        # Not alive either in a child of the process that has it.
        return self._prober is not None and self._prober.is_alive()

    def _probe(self) -> None:
        """Have others refused until Redis answers again."""
        with self._probing:
            if not self._is_hung():
                log.warning("Redis has not answered within %g s", REPLY_SECONDS)
                prober = threading.Thread(target=self._ping, name="atila-redis", daemon=True)
                prober.start()
                self._prober = prober

    def _ping(self) -> None:
        while not self._is_closed.wait(REST_SECONDS):
            try:
                self._client.ping()
            except self._too_late:
                continue
            except self._errors:
                pass  # Others find out at once by themselves.
            log.info("Redis answers again")
            return

    def _give_back(self) -> None:
        """Give back a lock that nobody has any more; further ones follow with the next calls."""
        with contextlib.suppress(IndexError):
            self._unlock(*self._left.popleft())

    def get(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        value: bytes | None = self._ask(self._client.get, self._key(space, name))
        return value

    def set(self, space: str, name: str, value: bytes, seconds: float | None = None) -> None:
        """See `Shared`."""
        self._write(space, name, "set", value, seconds)

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """See `Shared`."""
        return bool(self._write(space, name, "add", value, seconds))

    def replace(
        self, space: str, name: str, old: bytes, value: bytes, seconds: float | None = None
    ) -> bool:
        """See `Shared`."""
        return bool(self._write(space, name, "replace", value, seconds, old))

    def take(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        value: bytes | None = self._write(space, name, "take")
        return value

    def incr(self, space: str, name: str, by: int = 1) -> int:
        """See `Shared`."""
        try:
            return int(self._write(space, name, "incr", str(by).encode()))
        except SharedUnavailable as error:
            if not _NO_NUMBER.search(error.report):
                raise
            raise TypeError(f"only an integer can be counted up: {error.__cause__}") from None

    def _write(
        self,
        space: str,
        name: str,
        op: str,
        value: bytes = b"",
        seconds: float | None = None,
        old: bytes = b"",
    ) -> Any:
        keys = [self._lock_key(space), self._key(space, name)]
        milliseconds = max(1, round(seconds * 1000)) if seconds else ""
        arguments = [self._tokens().get(space, "-"), op, value, milliseconds, old]
        deadline = time.monotonic() + PATIENCE
        while True:
            done, *outcome = self._ask(self._write_script, keys, arguments)
            if done:
                return outcome[0] if outcome else None
            self._wait_for_lock(space, deadline)

    def names(self, space: str) -> list[str]:
        """See `Shared`."""
        begin = self._key(space, "")
        pattern = "".join(f"\\{c}" if c in "*?[]\\^-" else c for c in begin) + "*"
        size = len(begin.encode())
        found = self._ask(lambda: list(self._client.scan_iter(pattern, count=1000)))
        return [key[size:].decode() for key in found]

    @contextlib.contextmanager
    def lock(self, space: str) -> Iterator[None]:
        """See `Shared`; a holder loses it after LOCK_SECONDS."""
        tokens = self._tokens()
        if space in tokens:
            yield
            return
        token, key = secrets.token_hex(8), self._lock_key(space)
        deadline = time.monotonic() + PATIENCE
        milliseconds = round(LOCK_SECONDS * 1000)
        try:
            while not self._ask(self._client.set, key, token, nx=True, px=milliseconds):
                self._wait_for_lock(space, deadline)
        except SharedUnavailable:
            # It may be locked nevertheless.
            self._left.append((key, token))
            raise
        tokens[space] = token
        try:
            yield
        finally:
            del tokens[space]
            self._unlock(key, token)

    def _unlock(self, key: str, token: str) -> None:
        try:
            self._ask(self._unlock_script, [key], [token])
        except SharedUnavailable as error:
            # What was to be done under the lock is done, and the lock ends by itself.
            log.warning("a lock could not be given back: %s", error.report)
            self._left.append((key, token))

    def _wait_for_lock(self, space: str, deadline: float) -> None:
        """Rest before the next attempt."""
        if time.monotonic() > deadline:
            raise SharedUnavailable(f"somebody has had the space {space!r} locked for too long")
        with waiting():
            time.sleep(_PAUSE)

    @property
    def is_used(self) -> bool:
        """See `Shared`."""
        return True

    def check(self) -> None:
        """See `Shared`."""
        # A lock of another worker is none of its business.
        self._ask(self._client.set, self._key("check", ""), b"", px=1000)

    def _lock_key(self, space: str) -> str:
        return f"{self.prefix}-lock:{space}"

    def _tokens(self) -> dict[str, str]:
        """The locks that this thread has."""
        tokens: dict[str, str] | None = getattr(self._held, "tokens", None)
        if tokens is None:
            tokens = self._held.tokens = {}
        return tokens

    def close(self) -> None:
        """See `Shared`."""
        self._is_closed.set()
        self._client.close()


def connect(library: Any, url: str, **options: Any) -> Any:
    """A client whose calls end, one way or the other.

    Args:
        library: the module `redis` or `redis.asyncio`.
        url: as the library takes it.
        options: more of the library's.

    Raises:
        SetupError: it is none.
    """
    from redis.backoff import NoBackoff

    try:
        return library.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=REPLY_SECONDS,
            # What was sent may have been carried out.
            retry=library.retry.Retry(NoBackoff(), 0),
            **options,
        )
    except ValueError as error:
        raise SetupError(f"app.shared is no URL of a Redis: {error}") from None


def split_url(url: str) -> tuple[str, str]:
    """The URL as the library takes it, and the prefix of keys that it names."""
    base, _, query = url.partition("?")
    fields = parse_qs(query)
    prefix = fields.pop("prefix", [PREFIX])[0]
    rest = urlencode(fields, doseq=True)
    return f"{base}?{rest}" if rest else base, prefix
