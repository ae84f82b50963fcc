"""Values that are answers by themselves: models, dicts and lists, as JSON.

A layer that answers dicts otherwise, in the format that the client accepts, gets models as dicts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila.http.forms import JSON_TYPE
from atila.http.response import ANSWERED, FileBody, is_unset
from atila.values.models import is_model, to_json, to_plain

_OTHER = ("__await__", "__next__", "__anext__", "read")
"""Attributes of values that are awaited or streamed, even if they are models."""

_JSON_ONLY: Headers = [("content-type", JSON_TYPE)]

if TYPE_CHECKING:
    from atila import Atila, Was
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


def respond_as_dict(was: Was, value: Any) -> Any:
    """The responder of models where that of a layer for dicts knows nothing of them."""
    of_dicts: Any = was.app.responders[dict]
    return of_dicts(was, to_plain(value))


def responder_of(kind: type, app: Atila) -> Responder | None:
    """The responder of a class that no layer knows; None if its values are no answers.

    Args:
        kind: the class.
        app: the app. Its responder of dicts gets models as they are if it has an attribute
            `takes_models`; or it has `for_models`, so that for_models(kind, app) gives the
            responder of a class.
    """
    is_other = issubclass(kind, FileBody) or any(hasattr(kind, name) for name in _OTHER)
    if is_other or not is_model(kind):
        return None
    of_dicts = app.responders[dict]
    for_models: Callable[[type, Atila], Responder] | None = getattr(of_dicts, "for_models", None)
    if for_models is not None:
        return for_models(kind, app)
    return of_dicts if hasattr(of_dicts, "takes_models") else respond_as_dict


respond.takes_models = True  # type: ignore[attr-defined]
