"""Values that are answers by themselves: models, dicts and lists, as JSON.

A layer that answers dicts otherwise, in the format that the client accepts, gets models as dicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila.http.forms import JSON_TYPE
from atila.http.response import ANSWERED, FileBody, is_unset
from atila.values.models import is_model, to_json, to_plain

_OTHER = ("__await__", "__next__", "__anext__", "read")
"""Attributes of values that are awaited or streamed, even if they are models."""

_JSON_ONLY: Headers = [("content-type", JSON_TYPE)]

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Headers
    from atila.layers import Responder


def respond(was: Was, value: Any) -> Any:
    """The responder of core for dict and list: JSON.

    Returns:
        The body; or `ANSWERED`, where it is all that there is to say.

    Raises:
        TypeError: something in it is of no type that JSON has.
    """
    if is_unset(was):
        was.exchange.respond(200, _JSON_ONLY, to_json(value))
        return ANSWERED
    response = was.response
    if not response.headers or response.get_header("content-type") is None:
        response.headers.append(("content-type", JSON_TYPE))
    return to_json(value)


def respond_model(was: Was, value: Any) -> Any:
    """The responder of models; that of a layer for dicts gets them as they are if it says so, by an
    attribute `takes_models`.
    """
    of_dicts = was.app.responders.get(dict)
    if of_dicts is None or of_dicts is respond:
        return respond(was, value)
    return of_dicts(was, value if hasattr(of_dicts, "takes_models") else to_plain(value))


def responder_of(kind: type) -> Responder | None:
    """The responder of a class that no layer knows; None if its values are no answers."""
    is_other = issubclass(kind, FileBody) or any(hasattr(kind, name) for name in _OTHER)
    return respond_model if is_model(kind) and not is_other else None
