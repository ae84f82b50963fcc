"""Errors that answer a request, errors that report a developer's mistake, and how several of the
latter are collected."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from http import HTTPStatus
from pathlib import Path
from typing import Any

BUSY: Sequence[tuple[str, str]] = (("retry-after", "1"),)
"""Headers of a 503 for want of a thread, a process or a connection: come again after a second."""

CLIENT_LEFT = 499
"""The status of a request whose client did not wait for the answer, for logs and metrics: that of
Nginx, since the IANA has none."""


PARTS = ("code", "message", "detail", "errno", "url", "time")
"""The keys of an `HTTPError`, also as JSON."""


class HTTPError(Exception):
    """An answer other than success; raise it anywhere while a request is processed.

    Args:
        status: the code, or code and reason: 400 or "400 Bad Request" (RFC 9110, section 15).
        detail: the fault, for the client to read.
        errno: the application's own number for it; 0 for none.
        headers: more headers of the answer, such as Allow or Retry-After.
        errors: single faults of bad input, each with "in", "at", "message" and "rule".
        report: details for the log alone; clients see them in development mode only.
    """

    def __init__(
        self,
        status: int | str,
        detail: str = "",
        errno: int = 0,
        headers: Sequence[tuple[str, str]] = (),
        report: str = "",
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.code, self.message = parse_status(status)
        self.detail = detail
        self.errno = errno
        self.headers = headers
        self.errors = errors
        self.report = report
        self.url = ""
        """Path of the request that failed; set for error handlers."""
        self.time = ""
        """When it failed, local time with offset; set for error handlers."""
        text = report or detail
        super().__init__(f"{self.code} {self.message}" + (f": {text}" if text else ""))

    def __getitem__(self, name: str) -> Any:
        """The same by key, as error handlers and templates of older apps have it: error["code"].

        Raises:
            KeyError: it has no such part.
        """
        if name not in PARTS:
            raise KeyError(f"an error has no {name!r}; it has {', '.join(PARTS)}")
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a key, or a default for a missing one."""
        return getattr(self, name) if name in PARTS else default

    def keys(self) -> Sequence[str]:
        """The names of its parts, so that `dict(error)` and `**error` have them."""
        return PARTS

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)


class SharedUnavailable(HTTPError):
    """The state that workers share cannot be used at the moment, or with it the way to the other
    workers: 503, and when to come again.

    Args:
        report: why, for the log.
    """

    def __init__(self, report: str) -> None:
        super().__init__(503, "the state that is needed for this is away", 0, BUSY, report)


class SetupError(Exception):
    """A mistake in the application, found before it serves; the text names it, its place and the
    mend.

    Args:
        problem: the mistake, and the mend.
        source: "file:line" of the code that it is about; "" if unknown.
    """

    exit_status = 2
    """That of a command that ends with it."""

    def __init__(self, problem: str, source: str = "") -> None:
        self.problem = problem
        self.source = source
        super().__init__(f"{source}: {problem}" if source else problem)


class MissingLayer(AttributeError):
    """An unknown name: of a layer that is not there, or misspelt, where that is no plain
    AttributeError.

    Args:
        problem: the name, and the distribution to install.
        name: the name, if one like it may have been meant.
        owner: the class whose names may have been meant.
    """

    def __init__(self, problem: str, name: str = "", owner: type = object) -> None:
        # Of an error without an object Python notes it, and adds a guess of its own to ours.
        super().__init__(problem, obj=owner)
        self._meant = name, owner

    def __str__(self) -> str:
        # Not before: whoever asks by hasattr never reads it.
        name, owner = self._meant
        if not name:
            return super().__str__()
        known = [each for each in dir(owner) if each[0] != "_" and hasattr(owner, each)]
        return super().__str__() + nearest(name, known)


def parse_status(status: int | str) -> tuple[int, str]:
    """Code and reason of "404 Not Found", "404" or 404.

    Raises:
        ValueError: it is no status of RFC 9110, section 15: 100 to 599.
    """
    text, _, reason = str(status).partition(" ")
    if not (text.isascii() and text.isdigit() and 100 <= int(text) <= 599):
        raise ValueError(f'{status!r} is no HTTP status; write 404 or "404 Not Found"')
    code = int(text)
    return code, reason or reason_phrase(code)


def reason_phrase(code: int) -> str:
    """The standard reason of a status code; "Unknown" if it has none."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Client Closed Request" if code == CLIENT_LEFT else "Unknown"


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """The end of a message about an unknown name: "; did you mean 'METRICS_PATH'?"; "" if no known
    one is like it.

    Args:
        name: the unknown name.
        known: the names that there are.
        least: how alike two names must be (0 to 1).
    """
    folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), folded, 1, least)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def caller(module: str = __name__) -> str:
    """ "file:line" of the code that called into the framework; "" if there is none.

    Args:
        module: the `__name__` of a layer that asks; its package counts as framework, too.
    """
    frame = inspect.currentframe()
    ours = {"skitai", "wrapt", *(name.partition(".")[0] for name in (__name__, module))}
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in ours:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def source_of(func: Callable[..., Any]) -> str:
    """ "file:line" where a function is defined; "" for one without Python code."""
    code = getattr(func, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


_HERE = str(Path(__file__).parent)
_collected: list[SetupError] | None = None


@contextmanager
def collect_errors() -> Iterator[list[SetupError]]:
    """Note the errors of all steps of a set-up, where otherwise the first one would end it.

    Yields:
        The errors found so far; each but once.
    """
    global _collected
    found: list[SetupError] = []
    before, _collected = _collected, found
    try:
        yield found
    finally:
        _collected = before


@contextmanager
def setup_step() -> Iterator[None]:
    """Do a step of a set-up that the next one does not rely on.

    Raises:
        Exception: whatever the step raises, unless errors are collected.
    """
    try:
        yield
    except Exception as error:
        if _collected is None:
            raise
        problem = error if isinstance(error, SetupError) else _as_setup_error(error)
        if str(problem) not in map(str, _collected):
            _collected.append(problem)


def _as_setup_error(error: Exception) -> SetupError:
    """Any other exception, with the place in the developer's code that it came from."""
    if isinstance(error, SyntaxError) and error.filename:
        return SetupError(f"SyntaxError: {error.msg}", f"{error.filename}:{error.lineno}")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_HERE, "<"))
    ]
    source = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return SetupError(f"{type(error).__name__}: {error}", source)
