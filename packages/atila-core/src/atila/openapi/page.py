"""Serves an app's OpenAPI document and the page to try it.

The page loads nothing but the document; its policy (Content Security Policy, level 3) allows no
more than that.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson

from atila.openapi import document as openapi
from atila.openapi.operation import Document
from atila.routing.router import Route

if TYPE_CHECKING:
    from atila import Atila, Was

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def routes(app: Atila) -> Iterator[Route]:
    """The routes of document and page, if the setting OPENAPI_PATH has a path for them."""
    path, info = app.config.OPENAPI_PATH, app.config.OPENAPI_INFO or {}
    if path is None:
        return
    yield Route(path, _page(path, info), ("GET",), automatic=True)
    yield Route(f"{path}.json", _document(app), ("GET",), automatic=True)


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
        return content

    return show


def to_json(document: Document) -> bytes:
    """A document as JSON; values of rules that JSON has no type for as text."""
    return orjson.dumps(document, str, orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def _page(path: str, info: Mapping[str, Any]) -> Callable[[Was], Any]:
    text = resources.files("atila.openapi").joinpath("page.html").read_text("utf-8")
    policy = _policy(text)
    text = text.replace("{{title}}", html.escape(str(info.get("title", "API"))))
    text = text.replace("{{document}}", html.escape(path.rpartition("/")[2] + ".json"))

    def show(was: Was) -> Any:
        was.response.set_header("content-security-policy", policy)
        was.response.set_header("x-content-type-options", "nosniff")
        return text

    return show


def _policy(text: str) -> str:
    """The policy of the page: run its own script and style, and send requests to this site."""
    hashes: dict[str, str] = {}
    for kind, content in _INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[kind] = f"'sha256-{digest}'"
    return (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']};"
        " img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
