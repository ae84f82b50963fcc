"""Chooses among media types by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable

MAX_RANGES = 100
"""Media ranges of an Accept header that are read; the rest is ignored."""


def parse_accept(header: str | None) -> dict[str, float]:
    """Media ranges and their weights.

    Args:
        header: "text/html, application/json;q=0.9, */*;q=0.1"; None if there is none.

    Returns:
        Range in lower case to weight, from 0 (not at all) to 1; the best first. Parameters other
        than the weight are left out. Malformed ranges are ignored. Without a header, anything.
    """
    if header is None or not header.strip():
        return {"*/*": 1.0}
    found: dict[str, float] = {}
    for item in header.split(",", MAX_RANGES)[:MAX_RANGES]:
        media, *parameters = item.split(";")
        media = media.strip().lower()
        main, slash, sub = media.partition("/")
        if not (main and slash and sub):
            continue
        found[media] = max(weight_from(parameters), found.get(media, 0.0))
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def weight_from(parameters: Iterable[str]) -> float:
    """The weight among the parameters of an item (RFC 9110, section 12.4.2): 1 without one.

    Args:
        parameters: of the item, without the semicolons: ["level=1", "q=0.5"].
    """
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            weight = _weight(value)
    return weight


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    # NaN is in no interval.
    return min(weight, 1.0) if weight >= 0.0 else 0.0


def weight_of(media: str, accepted: dict[str, float]) -> float:
    """How much a client wants a media type, from 0 to 1; the most specific range counts.

    Args:
        media: "text/html".
        accepted: see `parse_accept`.
    """
    media = media.lower()
    for media_range in (media, media.partition("/")[0] + "/*", "*/*"):
        if media_range in accepted:
            return accepted[media_range]
    return 0.0
