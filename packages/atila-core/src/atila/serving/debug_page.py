"""The page that shows a developer a failed handler's traceback with its source.

Only where `app.debug` is set, which development mode does, and only to clients on this machine. It
shows source, not the values of variables, and escapes all of it: a message may contain parts of the
request.
"""

from __future__ import annotations

import html
import linecache
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from atila.http.loopback import is_local
from atila.http.response import HTML, JSON

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header

AROUND = 4
"""Lines of source shown before and after that of a frame."""
_OWN = str(Path(__file__).parents[1])
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
pre{{background:#f6f6f6;color:#222;padding:.7em;overflow:auto;font-size:13px;line-height:1.4}}
mark{{background:#fd8;display:block}}h1{{font-size:1.4em;overflow-wrap:anywhere}}
.own pre{{display:none}}.own,small{{color:#777}}</style></head>
<body><small>{method} {url} &middot; request {request_id}</small>
{errors}
<p><small>This page is for development. Without --devel or app.debug nobody sees it, nor does any
client on another machine.</small></p></body></html>
"""


def is_for(was: Was) -> bool:
    """Whether a client may see the traceback: a developer's, on this machine."""
    return was.app.debug and is_local(was.exchange)


def build(was: Was, error: BaseException, code: int) -> tuple[Header, bytes]:
    """The Content-Type and the body for an error that nobody expected.

    Returns:
        HTML if the Accept header names text/html, else JSON as for any error, with the traceback.
    """
    told = traceback.TracebackException.from_exception(error)
    if "text/html" in (was.exchange.header("accept") or "").lower():
        page = _PAGE.format(
            title=html.escape(_name(told)),
            method=html.escape(was.exchange.method),
            url=html.escape(was.exchange.full_path),
            request_id=was.request_id,
            errors="\n".join(_errors(told)),
        )
        return HTML, page.encode("utf-8", "replace")
    body = {
        "code": code,
        "message": _name(told),
        "detail": _text(told),
        "errno": 0,
        "request_id": was.request_id,
        "traceback": "".join(told.format()).encode("utf-8", "replace").decode().splitlines(),
    }
    return JSON, orjson.dumps(body)


def _name(told: traceback.TracebackException) -> str:
    return getattr(told.exc_type, "__name__", "Exception")


def _text(told: traceback.TracebackException) -> str:
    lines = "".join(told.format_exception_only()).strip()
    # A lone surrogate out of the request's text; JSON and UTF-8 have none.
    return lines.encode("utf-8", "replace").decode()


def _errors(told: traceback.TracebackException) -> Iterator[str]:
    """The error after its causes."""
    if told.__cause__ is not None:
        yield from _errors(told.__cause__)
        yield f"<p>{_CAUSE}</p>"
    elif told.__context__ is not None and not told.__suppress_context__:
        yield from _errors(told.__context__)
        yield f"<p>{_CONTEXT}</p>"
    yield f"<h1>{html.escape(_text(told))}</h1>"
    # The frame that failed first: the one to look at.
    yield from map(_frame, reversed(told.stack))


def _frame(frame: traceback.FrameSummary) -> str:
    place = f"{frame.filename}, line {frame.lineno}, in {frame.name}"
    kind = "own" if frame.filename.startswith(_OWN) else "yours"
    return f'<div class="{kind}"><p>{html.escape(place)}</p><pre>{_source(frame)}</pre></div>'


def _source(frame: traceback.FrameSummary) -> str:
    at = frame.lineno or 0
    lines = []
    for number in range(max(1, at - AROUND), at + AROUND + 1):
        line = linecache.getline(frame.filename, number).rstrip("\n")
        if line or number == at:
            shown = html.escape(f"{number:5}  {line}")
            lines.append(f"<mark>{shown}</mark>" if number == at else shown + "\n")
        else:
            lines.append("\n")
    return "".join(lines).rstrip("\n")
