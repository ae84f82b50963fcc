"""Follows redirects (RFC 9110, section 15.4) without leaking secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from atila_tasks.core.errors import BadResponse
from atila_tasks.web.incoming import read_all
from atila_tasks.web.payloads import is_replayable

if TYPE_CHECKING:
    from atila_tasks.web.http_request import HttpRequest
    from atila_tasks.web.incoming import Incoming

CODES = frozenset({301, 302, 303, 307, 308})
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent", "x-request-id"})
"""The headers that are sent to another origin after a redirect."""
_OF_A_BODY = frozenset({"content-length", "content-type"})
_SMALL = 65536


async def follow(name: str, request: HttpRequest, incoming: Incoming) -> HttpRequest:
    """The request that a redirect asks for; releases its answer.

    Args:
        name: the name of the server, for errors.
        request: the request, with the whole URL and all headers.
        incoming: the answer, whose code is one of `CODES`.

    Raises:
        BadResponse: the redirect cannot be followed.
    """
    await _drain(name, incoming)
    code, before = incoming.head.code, request.target
    url = _redirected(name, before, incoming.head.headers["location"], incoming)
    method, headers, body = request.method, request.headers, request.body
    if _origin(before) != _origin(url):
        headers = [header for header in headers if header[0] in _HARMLESS]
    if (code == 303 and method != "HEAD") or (code in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = [header for header in headers if header[0] not in _OF_A_BODY]
    if not is_replayable(body):
        raise BadResponse(f"{name} wants a body that cannot be sent twice", incoming.head)
    return replace(request, method=method, target=url, headers=headers, body=body)


async def _drain(name: str, incoming: Incoming) -> None:
    """Read a short body, so that its connection can be used again."""
    try:
        await read_all(name, incoming, _SMALL)
    except BadResponse:
        await incoming.close()
    except BaseException:
        await incoming.close()
        raise


def _redirected(name: str, url: str, where: str, incoming: Incoming) -> str:
    try:
        parts = urlsplit(urljoin(url, where))
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not where.isascii() or any(ord(sign) <= 32 for sign in where):
        raise BadResponse(f"{name} redirects to something that is no URL", incoming.head)
    if parts.scheme == "http" and url.startswith("https:"):
        raise BadResponse(f"{name} redirects from https to http", incoming.head)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname, port
