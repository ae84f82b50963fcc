"""The access log, and a fallback handler where the program configures no logging.

All that the framework and its apps write goes to loggers below "atila" of the standard library. A
configuration of logging finds it there, and nothing here interferes.

The access log is one line for each request, on the logger "atila.access"; on stdout, unless that
logger has a handler of its own. It is compiled in or out: a site without one runs no line of this
module for a request.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote, unquote_plus

import orjson

from atila.errors import SetupError
from atila.http.observation import Observed, Observer
from atila.monitoring.json_logs import JSONFormatter, request_id
from atila.values.secret_names import is_secret_in_query

if TYPE_CHECKING:
    from atila import Was

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
LOG_FORMAT = "ATILA_LOG_FORMAT"
LOG_LEVEL = "ATILA_LOG_LEVEL"
"""The environment variables that go before the settings LOG_FORMAT and LOG_LEVEL."""

_log = logging.getLogger("atila.access")


class _Own(logging.StreamHandler[TextIO]):
    """A handler of ours, whose format is therefore ours to choose."""


class _LastResort(_Own):
    """Writes records that no other handler writes: silent as soon as the root logger has one."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            super().emit(record)


def configure() -> None:
    """Write all log records from the level INFO on, or that of the environment variable
    ATILA_LOG_LEVEL, to stderr, where we start the server.

    Raises:
        SetupError: see `formatter`.
    """
    handler = _Own(sys.stderr)
    handler.setFormatter(formatter())
    level = (os.environ.get(LOG_LEVEL) or "info").upper()
    logging.basicConfig(level=level, handlers=[handler])


def formatter(form: str | None = None) -> logging.Formatter:
    """The formatter that makes a line from a record.

    Args:
        form: "json" or "text", the default; the environment variable goes before.

    Raises:
        SetupError: there is no such form.
    """
    form = os.environ.get(LOG_FORMAT) or form or "text"
    if form not in ("json", "text"):
        raise SetupError(f'LOG_FORMAT is "json" or "text", not {form!r}')
    return JSONFormatter() if form == "json" else _TextFormatter()


def ensure(*, debug: bool = False, form: str | None = None, level: str | None = None) -> None:
    """Write the logs of apps to stderr, if logging is not configured.

    Args:
        debug: messages of the level DEBUG too.
        form: see `formatter`.
        level: the least level that is written, "warning"; however logging is configured. None for
            "info", or "debug", where it is not.

    Raises:
        SetupError: see `formatter`.
    """
    chosen, logger = formatter(form), logging.getLogger("atila")
    handlers = [*logger.handlers, *logging.getLogger().handlers]
    for handler in handlers:
        if isinstance(handler, _Own) and form:
            handler.setFormatter(chosen)
    if level:
        logger.setLevel(level.upper())
    if handlers:
        return
    handler = _LastResort(sys.stderr)
    handler.setFormatter(chosen)
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.DEBUG if debug else logging.INFO)


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        if "request_id" not in record.__dict__:
            record.request_id = request_id() or "-"
        return super().format(record)


Line = Callable[[Observed, "Was", int, int], str]


class AccessLog(Observer):
    """Writes a line for each request that is answered.

    Args:
        form: "combined", the format of Apache and nginx followed by milliseconds and the request
            id; or "json", an object. True is the former.

    Raises:
        SetupError: there is no such form.
    """

    def __init__(self, form: str | bool) -> None:
        line = _LINES.get("combined" if form is True else str(form))
        if line is None:
            raise SetupError(f'ACCESS_LOG is "combined" or "json", not {form!r}')
        self._line = line
        if not _log.handlers:
            # Its lines are whole: nobody else's format is put around them.
            handler = logging.StreamHandler(sys.stdout)
            handler.setFormatter(logging.Formatter("%(message)s"))
            _log.addHandler(handler)
            _log.propagate = False
        if _log.level == logging.NOTSET:
            _log.setLevel(logging.INFO)

    def answered(self, exchange: Observed, status: int, size: int) -> None:
        """See `Observer`."""
        was = exchange.was
        if was is not None and not was.endpoint.is_unlogged:
            _log.info("%s", self._line(exchange, was, status, size))


# Lines --------------------------------------------------------------------------------------------

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def _combined(exchange: Observed, was: Was, status: int, size: int) -> str:
    return (
        f"{exchange.client[0] or '-'} - - [{_stamp(int(exchange.arrived))}]"
        f' "{_safe(exchange.method)} {_target(exchange)} HTTP/{exchange.version}" {status} {size}'
        f' "{_safe(_referer(exchange))}" "{_safe(exchange.header("user-agent") or "-")}"'
        f" {exchange.took * 1000:.3f} {was.request_id}"
    )


def _json(exchange: Observed, was: Was, status: int, size: int) -> str:
    line = {
        "time": f"{_iso(int(exchange.arrived))}.{int(exchange.arrived % 1 * 1000):03}Z",
        "client": exchange.client[0],
        "method": exchange.method,
        "target": _target(exchange),
        "version": exchange.version,
        "status": status,
        "bytes": size,
        "ms": round(exchange.took * 1000, 3),
        "id": was.request_id,
        "referer": _whole(_referer(exchange)),
        "agent": _whole(exchange.header("user-agent") or "-"),
    }
    return orjson.dumps(line).decode()


_LINES: dict[str, Line] = {"combined": _combined, "json": _json}


def _target(exchange: Observed) -> str:
    path = quote(exchange.full_path, "/:@!$&'()*+,;=~-._", errors="replace")
    return f"{path}?{_safe(mask(exchange.query))}" if exchange.query else path


def _referer(exchange: Observed) -> str:
    url, mark, query = (exchange.header("referer") or "-").partition("?")
    return url + mark + mask(query)


@lru_cache(2)
def _stamp(seconds: int) -> str:
    at = time.localtime(seconds)
    # Not by strftime alone, which writes months in the language of the locale.
    return f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{time.strftime('%Y:%H:%M:%S %z', at)}"


@lru_cache(2)
def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _safe(text: str) -> str:
    """Text of a client, which cannot begin a line of its own or end a quotation."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def mask(query: str) -> str:
    """A query string without the values of names that sound secret: "a=1&token=***".

    Secrets do not belong into a query string; but people put them there, links to reset a password
    do, and OAuth its codes.
    """
    if not query:
        return query
    return "&".join(
        f"{name}{sign}***"
        if sign and value and is_secret_in_query(unquote_plus(name))
        else f"{name}{sign}{value}"
        for name, sign, value in (field.partition("=") for field in query.split("&"))
    )
