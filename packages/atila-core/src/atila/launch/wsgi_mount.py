"""Mounts WSGI applications (PEP 3333) beside Atila apps, such as Django's admin at "/admin".

Skitai serves them itself; on all other engines they become an app of one route.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from atila.http.bodies import as_file
from atila.routing.router import ALL_METHODS

if TYPE_CHECKING:
    from atila import Atila, Was


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def app_of(application: Application, name: str) -> Atila:
    """An app that hands all of its requests to a WSGI application, in a worker thread."""
    from atila.app.application import Atila

    app = Atila(name, layers={})
    for rule in ("/", "/<path:path>"):
        app.route(rule, methods=ALL_METHODS)(handler_of(application))
    return app


def handler_of(application: Application) -> Callable[..., Any]:
    """A handler that answers with the response of a WSGI application."""

    def handler(was: Was, /, **_: Any) -> Any:
        started: list[Any] = []
        written: list[bytes] = []

        def start_response(status: str, headers: Any, error: Any = None) -> Callable[..., Any]:
            if error is not None and was.headers_sent:
                raise error[1].with_traceback(error[2])
            started[:] = [status, headers]
            return written.append

        pieces = application(_environ(was), start_response)
        body = _body(pieces, written)
        first = next(body, b"")
        if not started:
            raise RuntimeError("a WSGI application gave a body before it called start_response")
        status, headers = started
        return was.response(status, _rest(first, body), headers)

    return handler


def _environ(was: Was) -> dict[str, Any]:
    environ: dict[str, Any] = {
        **was.env,
        "wsgi.version": (1, 0),
        "wsgi.input": as_file(was.exchange.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    # PEP 3333 has text hold bytes, one a character.
    for key in ("SCRIPT_NAME", "PATH_INFO"):
        environ[key] = environ[key].encode().decode("latin-1")
    environ["CONTENT_LENGTH"] = str(len(was.exchange.body))
    return environ


def _body(pieces: Iterable[bytes], written: list[bytes]) -> Iterator[bytes]:
    try:
        for piece in pieces:
            while written:
                yield written.pop(0)
            if piece:
                yield piece
        yield from written
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def _rest(first: bytes, body: Iterator[bytes]) -> Iterator[bytes] | bytes:
    second = next(body, None)
    if second is None:
        return first

    def pieces() -> Iterator[bytes]:
        yield first
        yield second
        yield from body

    return pieces()
