"""Dates and times in JSON, in the formats that the setting JSON_ENCODER names.

A datetime without an offset is written without one by "rfc3339" and "str"; the others, which are in
UTC, take it for local time, as Python does. A date stands for itself in all of the ways. The names,
but for "rfc3339", are those of Skitai.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

Moment = date | datetime | time

MOMENTS = (date, time)
"""The types of dates and times; a datetime is a date."""


def rfc3339(value: Moment) -> str:
    """ "2024-02-29T10:00:00+09:00" (RFC 3339), with the offset that it has, if any."""
    return value.isoformat()


def _aware(value: datetime) -> datetime:
    if value.tzinfo is not None:
        return value
    try:
        return value.astimezone()
    except (OverflowError, ValueError):
        # Before the year 1 or after 9999 elsewhere, as datetime.min is.
        return value.replace(tzinfo=UTC)


def _in_utc(write: Callable[[datetime], Any]) -> Callable[[Moment], Any]:
    def written(value: Moment) -> Any:
        if not isinstance(value, datetime):
            return value.isoformat()
        try:
            return write(_aware(value).astimezone(UTC))
        except OverflowError:
            return write(value.replace(tzinfo=UTC))

    written.__doc__ = write.__doc__
    return written


NAMED: dict[str, Callable[[Moment], Any]] = {
    "rfc3339": rfc3339,
    "iso": _in_utc(datetime.isoformat),
    "utcoffset": _in_utc(lambda value: value.strftime("%Y-%m-%d %H:%M:%S+00")),
    "digit": _in_utc(lambda value: value.strftime("%Y%m%d%H%M%S")),
    "unixepoch": _in_utc(datetime.timestamp),
    "str": str,
}
"""The values of JSON_ENCODER, as functions of dates and times:

- "rfc3339", the default: "2024-02-29T10:00:00+09:00", without an offset if it has none.
- "iso": the same in UTC, "2024-02-29T01:00:00+00:00".
- "utcoffset": "2024-02-29 01:00:00+00".
- "digit": "20240229010000", in UTC.
- "unixepoch": seconds since 1970, 1709168400.0.
- "str": as `str` has it, "2024-02-29 10:00:00", without an offset if it has none.
"""
