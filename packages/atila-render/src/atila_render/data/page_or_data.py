"""`was.render_or_API`: a page for browsers, its data for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atila_render.data.api import MEDIA, api
from atila_render.data.negotiation import negotiated
from atila_render.pages.media import media_type_of
from atila_render.pages.templates import Rendering, render

if TYPE_CHECKING:
    from atila import Was
    from atila.http.response import Response


def render_or_api(
    was: Was, template: str, data: Mapping[str, Any] | None = None, /, **more: Any
) -> str | Rendering | Response:
    """Answer with a template, or with its variables as JSON or XML, whichever the client accepts.

    A client that takes anything gets the template.

    Args:
        was: the request.
        template: see `templates.render`.
        data: the variables.
        more: further ones, which win over the former.

    Raises:
        HTTPError: 406, the client accepts none of these.
    """
    page = media_type_of(template)
    if negotiated(was, (page, *(kind for kind in MEDIA if kind != page))) == page:
        return render(was, template, data, **more)
    return api(was, {**(data or {}), **more})
