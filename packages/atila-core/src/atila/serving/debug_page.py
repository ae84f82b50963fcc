"""The page that shows a developer a failed handler's traceback with its source and variables.

Only where `app.debug` is set, which development mode does, and only to clients on this machine.
Values that are secrets are masked (`masking.py`), and all of it is escaped: a message may contain
parts of the request.
"""

from __future__ import annotations

import html
import linecache
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from atila.http.loopback import is_local
from atila.http.response import HTML, JSON
from atila.serving import page_look

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header

log = logging.getLogger("atila.app")

AROUND = 4
"""Lines of source shown before and after that of a frame."""
VARIABLES = 40
"""Variables that are shown of a frame."""
_OWN = str(Path(__file__).parents[1])
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_NOTE = (
    '<p class="soft">This page is for development. Without --devel or app.debug nobody sees it,'
    " nor does any client on another machine. Secrets are masked by their names.</p>"
)


def is_for(was: Was) -> bool:
    """Whether a client may see the traceback: a developer's, on this machine."""
    return was.app.debug and is_local(was.exchange)


def build(was: Was, error: BaseException, code: int) -> tuple[Header, bytes]:
    """The Content-Type and the body for an error that nobody expected.

    Returns:
        HTML if the Accept header names text/html, else JSON as for any error, with the traceback.
    """
    summary = traceback.TracebackException.from_exception(error)
    if "text/html" in (was.exchange.header("accept") or "").lower():
        try:
            page = _Failure(was, error).shown()
        except Exception:
            # Variables may be of any kind; without them there is still the traceback.
            log.exception("the debug page of request %s failed", was.request_id)
            page = (
                f"<h1>{html.escape(_name(summary))}</h1><p>The traceback is in the log.</p>{_NOTE}"
            )
        return HTML, page_look.page(_name(summary), page, debug=True)
    body = {
        "code": code,
        "message": _name(summary),
        "detail": _text(summary),
        "errno": 0,
        "request_id": was.request_id,
        "traceback": "".join(summary.format()).encode("utf-8", "replace").decode().splitlines(),
    }
    return JSON, orjson.dumps(body)


def _name(summary: traceback.TracebackException) -> str:
    # Of 3.13, which deprecates the class that others have.
    if (full := getattr(summary, "exc_type_str", None)) is not None:
        return str(full).rpartition(".")[2]
    return getattr(summary.exc_type, "__name__", "Exception")


def _text(summary: traceback.TracebackException) -> str:
    lines = "".join(summary.format_exception_only()).strip()
    # A lone surrogate out of the request's text; JSON and UTF-8 have none.
    return lines.encode("utf-8", "replace").decode()


class _Failure:
    """An error and its request, as the page shows them."""

    def __init__(self, was: Was, error: BaseException) -> None:
        self._was = was
        # Imported at first use: it takes 3 ms of a start, and most processes show no such page.
        from atila.serving.masking import Masking

        self._masking = Masking()
        self._chain = list(_chain(error))
        self._request = list(_request(was))
        for _, values in self._request:
            self._masking.learn(dict(values))
        for _, each in self._chain:
            for frame in _frames(each):
                self._masking.learn(frame.f_locals)

    def shown(self) -> str:
        """As HTML."""
        exchange = self._was.exchange
        head = (
            f"<small>{html.escape(exchange.method)} {html.escape(exchange.full_path)}"
            f" &middot; request {self._was.request_id}</small>"
        )
        tables = "".join(
            f"<h2>{name}</h2><section>{page_look.table(self._masking.rows(values))}</section>"
            for name, values in self._request
            if values
        )
        return f"{head}{''.join(map(self._error, self._chain))}{tables}{_NOTE}"

    def _error(self, link: tuple[str, BaseException]) -> str:
        before, error = link
        summary = traceback.TracebackException.from_exception(error)
        frames = list(zip(summary.stack, _frames(error), strict=False))
        # The frame that failed first: the one to look at.
        shown = "".join(self._frame(*each) for each in reversed(frames))
        # An error of the compiler has no frame where it is.
        return f"{before}<h1>{html.escape(self._masking.text(_text(summary)))}</h1>{shown}"

    def _frame(self, summary: traceback.FrameSummary, frame: FrameType) -> str:
        where = (
            f"<b>{html.escape(summary.name)}</b> &middot; "
            f"{html.escape(summary.filename)}, line {summary.lineno}"
        )
        if summary.filename.startswith(_OWN):
            return f'<section class="own"><p>{where}</p></section>'
        values = [
            (name, self._masking.shown(name, value))
            for name, value in tuple(frame.f_locals.items())[:VARIABLES]
            if not name.startswith("__")
        ]
        variables = (
            f"<details open><summary>Variables</summary>{page_look.table(values)}</details>"
            if values
            else ""
        )
        code = f'<pre tabindex="0">{self._source(summary)}</pre>'
        return f"<section><p>{where}</p>{code}{variables}</section>"

    def _source(self, frame: traceback.FrameSummary) -> str:
        at = frame.lineno or 0
        lines = []
        for number in range(max(1, at - AROUND), at + AROUND + 1):
            line = linecache.getline(frame.filename, number)
            if line or number == at:
                shown = html.escape(f"{number:5}  {self._masking.known(line.rstrip())}")
                kind = "mark" if number == at else "span"
                lines.append(f"<{kind}>{shown}</{kind}>")
        return "".join(lines)


def _chain(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """An error after its causes, each with the HTML that joins it to the one before."""
    links: list[tuple[str, BaseException]] = []
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        links.append(("", following))
        if following.__cause__ is not None:
            joint, following_next = _CAUSE, following.__cause__
        elif following.__context__ is not None and not following.__suppress_context__:
            joint, following_next = _CONTEXT, following.__context__
        else:
            break
        if id(following_next) not in seen:
            links[-1] = (f"<p>{joint}</p>", following)
        following = following_next
    return reversed(links)


def _frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _request(was: Was) -> Iterator[tuple[str, list[tuple[str, object]]]]:
    """The parts of the request that are known already; only the query is parsed for it."""
    exchange, request = was.exchange, was.request
    yield "Request", [("method", exchange.method), ("path", exchange.full_path)]
    parameters: dict[str, object] = {}
    for name in ("URL_QUERY", "FORM", "JSON"):
        found = vars(request).get(name)
        if isinstance(found, dict):
            parameters |= {str(key): value for key, value in found.items()}
    if "URL_QUERY" not in vars(request) and exchange.query:
        parameters |= dict(parse_qsl(exchange.query[:10_000], keep_blank_values=True))
    yield "Parameters", list({**parameters, **was.path_params}.items())
    yield "Headers", list(exchange.headers())
