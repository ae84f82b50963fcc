"""Chooses the media type of an answer by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from atila.errors import HTTPError
from atila.http.accept import parse_accept
from atila.http.methods import SAFE
from atila_render.pages.media import HTML

if TYPE_CHECKING:
    from atila import Was
    from atila.http.response import Response

_KEPT = 512
"""Characters; the choice for a longer header is not kept in memory."""


def negotiated(was: Was, offers: tuple[str, ...]) -> str:
    """The media type that the client prefers of those offered; the answer gets `Vary: Accept`.

    Args:
        was: the request.
        offers: media types in lower case, the server's own favourite first.

    Raises:
        HTTPError: 406, the client takes none of them. Not if the request may have changed
            something, or if the answer is an error: hiding that would be worse than a format that
            the client did not ask for.
    """
    response = was.response
    vary_by_accept(response)
    header = was.exchange.header("accept")
    if not header or header == "*/*":
        return offers[0]
    chosen = _chosen(header, offers)
    if chosen:
        return chosen
    if was.exchange.method in SAFE and response.status_code < 400:
        raise HTTPError(406, f"this is to be had as {', '.join(offers)}")
    return offers[0]


def takes_first(header: str | None, offers: tuple[str, ...]) -> bool:
    """Whether `negotiated` gives the first of the media types offered, without its other duties.

    Args:
        header: Accept; None for none.
        offers: as `negotiated` has them.
    """
    return not header or header == "*/*" or _chosen(header, offers) == offers[0]


def _chosen(header: str, offers: tuple[str, ...]) -> str:
    return (best if len(header) <= _KEPT else best.__wrapped__)(header, offers)


@lru_cache(1024)
def best(header: str, offers: tuple[str, ...]) -> str:
    """The media type that an Accept header wants most; "" if it takes none of them.

    Of two that it wants alike that is taken which it names more precisely, then the one that it
    names first, then the one that is offered first. A browser, which names text/html, names XML for
    the sake of pages; where no pages are offered it gets the first offer, if it takes anything at
    all.
    """
    accepted = parse_accept(header)
    if not accepted:
        # Not one media range in it makes sense: as if it was not there.
        return offers[0]
    if HTML not in offers and accepted.get(HTML) and offers[0] not in accepted:
        weight = _wanted(offers[0], accepted)[0]
        if weight > 0:
            return offers[0]
    ranked = [(_wanted(offer, accepted), -at, offer) for at, offer in enumerate(offers)]
    (weight, _, _), _, offer = max(ranked)
    return offer if weight > 0 else ""


def _wanted(media: str, accepted: dict[str, float]) -> tuple[float, int, int]:
    """How much a client wants a media type, from 0 to 1, how precisely it names it, and how
    early."""
    ranges: Sequence[str] = (media, media.partition("/")[0] + "/*", "*/*")
    for at, media_range in enumerate(ranges):
        if media_range in accepted:
            return accepted[media_range], -at, -list(accepted).index(media_range)
    return 0.0, -len(ranges), 0


def vary_by_accept(response: Response) -> None:
    """Send Vary, for caches: the answer depends on the Accept header (RFC 9110, section 12.5.5)."""
    given = response.get_header("vary") if response.headers else None
    if given is None:
        response.headers.append(("vary", "Accept"))
    elif given != "*" and "accept" not in (name.strip() for name in given.lower().split(",")):
        response.set_header("vary", f"{given}, Accept")
