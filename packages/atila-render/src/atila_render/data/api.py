"""`was.API` and `was.Fault`: values as answers for programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from atila.errors import parse_status
from atila.http.forms import JSON_TYPE
from atila.http.response import ANSWERED, is_unset
from atila.values.models import UNWRITABLE, simple_writer
from atila_render.data.negotiation import negotiated, takes_first
from atila_render.settings import settings_of

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Headers
    from atila.http.response import Response
    from atila.layers import Responder

MEDIA = (JSON_TYPE, "application/xml", "text/xml")
"""The media types of answers for programs, the favourite first."""

_JSON_ONLY: Headers = [("vary", "Accept"), ("content-type", JSON_TYPE)]
"""The headers of most of them; shared, and never changed."""

_XML = re.compile(r"(application|text)/([\w.\-]+\+)?xml\b.*", re.IGNORECASE)

_ABSENT: Any = object()


class Payload:
    """The body of an answer for programs; written only when it is sent, so hooks can change it.

    Attributes:
        data: the value.
    """

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<Payload: {type(self.data).__name__}>"


def api(was: Was, /, *values: Any, **fields: Any) -> Response:
    """Answer with a value: `was.API(name="Hans")`, `was.API({"name": "Hans"})`,
    `was.API("201 Created", {"id": 7})`.

    Args:
        was: the request.
        values: a status ("201 Created", or 201 before another value), then a value, each of
            which may be left out.
        fields: added to the value, which must be a dict then.

    Raises:
        TypeError: fields are given beside a value that is no dict, or there are too many values.
        ValueError: the status is none.
    """
    status, data = _split(values)
    if data is _ABSENT:
        data = fields
    elif fields:
        if not isinstance(data, dict):
            raise TypeError(
                f"was.API cannot add the fields {', '.join(fields)} to a value of type"
                f" {type(data).__name__}"
            )
        data = {**data, **fields}
    response = was.response
    if status is not None:
        response.set_status(status)
    response.body = Payload(data)
    return response


def _split(values: tuple[Any, ...]) -> tuple[int | str | None, Any]:
    """Status and value from the positional arguments of was.API."""
    if not values:
        return None, _ABSENT
    first, *rest = values
    if not rest:
        return (first, _ABSENT) if isinstance(first, str) else (None, first)
    if len(rest) > 1 or not isinstance(first, str | int):
        raise TypeError(
            'write was.API(value), was.API("201 Created", value) or was.API(name=value)'
        )
    return first, rest[0]


def fault(was: Was, status: int | str, detail: str = "", errno: int = 0, **more: Any) -> Response:
    """Answer with an error in the form of a raised one, always for programs.

    Unlike `raise was.Error(…)` it is an ordinary answer: no hook for failed requests runs.

    Args:
        was: the request.
        status: 400 or "400 Bad Request".
        detail: the fault, for the client to read.
        errno: the application's own number for it.
        more: further fields of the answer.
    """
    code, message = parse_status(status)
    error = {"code": code, "message": message, "detail": detail, "errno": errno}
    return api(was, status, {**error, "request_id": was.request_id, **more})


def respond(was: Was, value: Any) -> Any:
    """The responder of dict and list, and of all other answers for programs.

    Its format is JSON or XML, whichever the client accepts, unless the handler has set the
    Content-Type.

    Returns:
        The body; or `ANSWERED`, where it is all that there is to say.

    Raises:
        HTTPError: 406, the client accepts neither.
        Unwritable: a part of the value cannot be written; the message names its place.
    """
    if is_unset(was) and takes_first(was.exchange.header("accept"), MEDIA):
        was.exchange.respond(200, _JSON_ONLY, settings_of(was.app).to_json(value))
        return ANSWERED
    response = was.response
    kind = response.get_header("content-type") if response.headers else None
    if kind is None:
        kind = negotiated(was, MEDIA)
        response.headers.append(("content-type", kind))
    to_json = settings_of(was.app).to_json
    if kind == JSON_TYPE or not _XML.fullmatch(kind):
        return to_json(value)
    # Imported at first use: Python's writer of XML takes 10 ms of a start.
    from atila_render.data.xml import to_xml

    return to_xml(value, to_json)


def _for_models(kind: type, app: Atila) -> Responder:
    """The responder of a class of models: one step for those that are simple, if nothing else is
    asked for.
    """
    write = None if settings_of(app).is_pretty else simple_writer(kind)
    if write is None:
        return respond

    def respond_at_once(was: Was, value: Any) -> Any:
        exchange = was.exchange
        accept = exchange.header("accept")
        if (
            # The usual cases of `is_unset` and `takes_first`, without calls.
            was._response is None
            and not was.endpoint.has_headers
            and exchange.method != "HEAD"
            and (not accept or takes_first(accept, MEDIA))
        ):
            try:
                text = write(value)
            except UNWRITABLE:
                return respond(was, value)
            exchange.respond(200, _JSON_ONLY, text)
            return ANSWERED
        return respond(was, value)

    return respond_at_once


# For mypy a function has no attributes; layers have no other place for this.
respond.for_models = _for_models  # type: ignore[attr-defined]


def respond_payload(was: Was, payload: Payload) -> Any:
    """The responder of `Payload`."""
    return respond(was, payload.data)
