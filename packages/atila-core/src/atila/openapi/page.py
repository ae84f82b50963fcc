"""Serves an app's OpenAPI document and the page to try it, which is Swagger UI.

All files of the page come from this server; its policy (Content Security Policy, level 3) allows
no others, and no inline scripts. `tools/swagger_ui.py` has fetched those of Swagger UI.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from atila.openapi import document as openapi
from atila.openapi.operation import Document
from atila.routing.router import Route

if TYPE_CHECKING:
    from atila import Atila, Was

_FOLDER = Path(__file__).parent
_FILES = {
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "swagger-ui.css": ("swagger_ui/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger_ui/swagger-ui-bundle.js", "text/javascript"),
}
"""By the name below the page's path: the file, and its media type."""
_KEPT = 3600
"""Seconds that a browser keeps them; then it asks for changes."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's policy: its own files, and requests to this server."""


def routes(app: Atila) -> Iterator[Route]:
    """The routes of document and page, if the setting OPENAPI_PATH has a path for them."""
    path, info = app.config.OPENAPI_PATH, app.config.OPENAPI_INFO or {}
    if path is None:
        return
    yield Route(path, _page(path, info), ("GET",), automatic=True)
    yield Route(f"{path}.json", _document(app), ("GET",), automatic=True)
    for name, (file, media) in _FILES.items():
        yield Route(f"{path}/{name}", _file(_FOLDER / file, media), ("GET",), automatic=True)


def _document(app: Atila) -> Callable[[Was], Any]:
    made: dict[tuple[int, str], bytes] = {}

    def show(was: Was) -> Any:
        endpoints, prefix = app.endpoints, was.exchange.prefix_quoted
        # It is made when first asked for; routes may still be added while an app serves.
        key = len(endpoints), prefix
        content = made.get(key)
        if content is None:
            info = openapi.info_of(app)
            content = to_json(openapi.document(endpoints, info, prefix))
            made.clear()
            made[key] = content
        was.response.set_header("content-type", "application/json")
        was.response.set_etag(content, max_age=0)
        return content

    return show


def to_json(document: Document) -> bytes:
    """A document as JSON; values of rules that JSON has no type for as text."""
    return orjson.dumps(document, str, orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def _page(path: str, info: Mapping[str, Any]) -> Callable[[Was], Any]:
    own = path.rpartition("/")[2]
    text = (_FOLDER / "page.html").read_text("utf-8")
    values = {"title": str(info.get("title", "API")), "document": f"{own}.json", "files": own}
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", html.escape(value))

    def show(was: Was) -> Any:
        was.response.set_header("content-security-policy", POLICY)
        was.response.set_header("x-content-type-options", "nosniff")
        was.response.set_header("referrer-policy", "same-origin")
        was.response.set_etag(text, max_age=0)
        return text

    return show


def _file(path: Path, media: str) -> Callable[[Was], Any]:
    def show(was: Was) -> Any:
        was.response.set_header("x-content-type-options", "nosniff")
        was.response.set_max_age(_KEPT)
        return was.File(str(path), media)

    return show
