"""Content codings (RFC 9110, section 8.4): which one a client accepts, and the libraries that make
them.

gzip (RFC 1952) is Python's own. zstd (RFC 8878) and br (RFC 7932) come from the libraries of the
extra `atila-core[compress]`, and are not offered where these are not installed.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol

from atila.http.accept import weight_from

GZIP_LEVEL, BROTLI_QUALITY, ZSTD_LEVEL = 5, 4, 3
"""100 KB of JSON take 1.5 ms, 1.1 ms and 0.25 ms; docs/guide/compression.md has the measure."""
BROTLI_WINDOW = 16
"""The window of a stream, in bits: some hundred KiB of memory instead of megabytes."""
BEST = {"gzip": 9, "br": 11, "zstd": 19}
"""Levels for files that are compressed once and sent many times."""
SUFFIXES = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
"""The ends of the names of precompressed files."""
MAX_CODINGS = 20
"""Codings of an Accept-Encoding header that are read; the rest is ignored."""


class Packer(Protocol):
    """Compresses a body that comes in pieces; one thread at a time may use it."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece; give what can be sent already."""

    def flush(self) -> bytes:
        """All that is needed to read what was taken so far."""

    def finish(self) -> bytes:
        """The end of the body."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding that is installed.

    Attributes:
        name: as in Content-Encoding.
        pack: pack(body) compresses a whole body.
        packer: makes a `Packer`.
        best: best(body) compresses as well as it can, however long that takes.
    """

    name: str
    pack: Callable[[bytes], bytes]
    packer: Callable[[], Packer]
    best: Callable[[bytes], bytes]


class _ByFlush:
    """A packer of a compressor with `compress` and `flush(mode)`."""

    def __init__(self, feed: Any, flush: Callable[[], bytes], finish: Callable[[], bytes]) -> None:
        self.feed, self.flush, self.finish = feed, flush, finish


def _gzip_packer() -> Packer:
    made = zlib.compressobj(GZIP_LEVEL, wbits=31)
    return _ByFlush(made.compress, lambda: made.flush(zlib.Z_SYNC_FLUSH), made.flush)


_GZIP = Coding(
    "gzip",
    # Without a time of its own: alike bodies give alike answers.
    lambda body: gzip.compress(body, GZIP_LEVEL, mtime=0),
    _gzip_packer,
    lambda body: gzip.compress(body, BEST["gzip"], mtime=0),
)


def _brotli() -> Coding:
    import brotli

    def packer() -> Packer:
        made = brotli.Compressor(quality=BROTLI_QUALITY, lgwin=BROTLI_WINDOW)
        return _ByFlush(made.process, made.flush, made.finish)

    return Coding(
        "br",
        lambda body: brotli.compress(body, quality=BROTLI_QUALITY),
        packer,
        lambda body: brotli.compress(body, quality=BEST["br"]),
    )


def _zstd() -> Coding:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # from 3.14
    except ImportError:
        from backports import zstd

    def packer() -> Packer:
        made = zstd.ZstdCompressor(ZSTD_LEVEL)
        return _ByFlush(
            made.compress,
            lambda: made.flush(made.FLUSH_BLOCK),
            lambda: made.flush(made.FLUSH_FRAME),
        )

    return Coding(
        "zstd",
        lambda body: zstd.compress(body, ZSTD_LEVEL),
        packer,
        lambda body: zstd.compress(body, BEST["zstd"]),
    )


@cache
def installed() -> dict[str, Coding]:
    """The codings that can be made, by name; the one to be preferred first."""
    found: dict[str, Coding] = {}
    for load in (_zstd, _brotli):
        with contextlib.suppress(ImportError):
            coding = load()
            found[coding.name] = coding
    found[_GZIP.name] = _GZIP
    return found


@dataclass(frozen=True, slots=True)
class Accepted:
    """The meaning of an Accept-Encoding header (RFC 9110, section 12.5.3).

    Attributes:
        names: the known codings that are accepted, and wanted no less than none, the best first.
        identity: whether the answer may come as it is.
    """

    names: tuple[str, ...]
    identity: bool

    def best(self, offered: Sequence[str]) -> str | None:
        """The first name of those that are offered; None for none."""
        return next((name for name in self.names if name in offered), None)


NOTHING = Accepted((), identity=True)


# Clients choose what they send: bounded.
@lru_cache(256)
def accepted(header: str | None) -> Accepted:
    """Read an Accept-Encoding header.

    Args:
        header: "gzip, br;q=0.5, *;q=0"; None if there is none, which asks for no coding.
    """
    if header is None:
        return NOTHING
    weights: dict[str, float] = {}
    for item in header.split(",", MAX_CODINGS)[:MAX_CODINGS]:
        name, *parameters = item.split(";")
        name = name.strip().lower()
        name = {"x-gzip": "gzip"}.get(name, name)
        if name:
            weights[name] = max(weight_from(parameters), weights.get(name, 0.0))
    others = weights.get("*", 0.0)
    # Not named, it is accepted, but after all that is.
    as_it_is = weights.get("identity", 0.0 if weights.get("*") == 0.0 else -1.0)
    order = list(SUFFIXES)
    found = [(-weights.get(name, others), order.index(name), name) for name in order]
    names = tuple(name for weight, _, name in sorted(found) if weight < 0 and -weight >= as_it_is)
    return Accepted(names, identity=as_it_is != 0.0)
