"""State that the workers of many hosts share, in Redis.

Each name is a key, whose time limit is Redis's own. Writing and looking whether somebody else has
the space locked is one script, so that no write comes between.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode

from atila.errors import SetupError
from atila.runtime.spare_threads import waiting

PREFIX = "atila"
"""The beginning of all keys, unless the URL has ?prefix=NAME; sites that share a Redis must differ
in it.
"""
LOCK_SECONDS = 30.0
"""How long a lock lasts whose holder does not give it back: it was killed."""
PATIENCE = 60.0
"""Seconds that a write waits for a lock of somebody else."""
_PAUSE = 0.005

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
        try:
            self._client: Any = redis.Redis.from_url(self.url)
        except ValueError as error:
            raise SetupError(f"app.shared is no URL of a Redis: {error}") from None
        self._wrong_type = redis.ResponseError
        self._write_script = self._client.register_script(_WRITE)
        self._unlock_script = self._client.register_script(_UNLOCK)
        self._held = threading.local()

    def __repr__(self) -> str:
        return "<RedisShared>"  # The URL may have a password in it.

    def _key(self, space: str, name: str) -> str:
        return f"{self.prefix}:{space}\0{name}"

    def get(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        with waiting():
            value: bytes | None = self._client.get(self._key(space, name))
        return value

    def set(self, space: str, name: str, value: bytes, seconds: float | None = None) -> None:
        """See `Shared`."""
        self._write(space, name, "set", value, seconds)

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """See `Shared`."""
        return bool(self._write(space, name, "add", value, seconds))

    def take(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        value: bytes | None = self._write(space, name, "take")
        return value

    def incr(self, space: str, name: str, by: int = 1) -> int:
        """See `Shared`."""
        try:
            return int(self._write(space, name, "incr", str(by).encode()))
        except self._wrong_type as error:
            raise TypeError(f"only an integer can be counted up: {error}") from None

    def _write(
        self, space: str, name: str, op: str, value: bytes = b"", seconds: float | None = None
    ) -> Any:
        keys = [self._lock_key(space), self._key(space, name)]
        milliseconds = max(1, round(seconds * 1000)) if seconds else ""
        arguments = [self._tokens().get(space, "-"), op, value, milliseconds]
        deadline = time.monotonic() + PATIENCE
        while True:
            with waiting():
                done, *outcome = self._write_script(keys, arguments)
            if done:
                return outcome[0] if outcome else None
            if time.monotonic() > deadline:
                raise TimeoutError(f"somebody has had the space {space!r} locked for too long")
            with waiting():
                time.sleep(_PAUSE)

    def names(self, space: str) -> list[str]:
        """See `Shared`."""
        begin = self._key(space, "")
        pattern = "".join(f"\\{c}" if c in "*?[]\\^-" else c for c in begin) + "*"
        size = len(begin.encode())
        return [key[size:].decode() for key in self._client.scan_iter(pattern, count=1000)]

    @contextlib.contextmanager
    def lock(self, space: str) -> Iterator[None]:
        """See `Shared`; a holder loses it after LOCK_SECONDS."""
        tokens = self._tokens()
        if space in tokens:
            yield
            return
        token, key = secrets.token_hex(8), self._lock_key(space)
        deadline = time.monotonic() + PATIENCE
        while not self._client.set(key, token, nx=True, px=round(LOCK_SECONDS * 1000)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"somebody has had the space {space!r} locked for too long")
            with waiting():
                time.sleep(_PAUSE)
        tokens[space] = token
        try:
            yield
        finally:
            del tokens[space]
            self._unlock_script([key], [token])

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
        self._client.close()


def split_url(url: str) -> tuple[str, str]:
    """The URL as the library takes it, and the prefix of keys that it names."""
    base, _, query = url.partition("?")
    fields = parse_qs(query)
    prefix = fields.pop("prefix", [PREFIX])[0]
    rest = urlencode(fields, doseq=True)
    return f"{base}?{rest}" if rest else base, prefix
