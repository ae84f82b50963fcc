"""Intervals of PostgreSQL that have months, which no number of days is."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

Parts = tuple[int, int, int]
"""Months, days and microseconds, which PostgreSQL keeps apart."""


class Interval(datetime.timedelta):
    """A duration with months. As a duration a month has 30 days and a year 365; sent back to the
    database, and as text, it is unchanged.

    Attributes:
        parts: months, days and microseconds.
    """

    parts: Parts

    def __new__(cls, months: int, days: int, microseconds: int) -> Interval:
        years, rest = int(months / 12), months - int(months / 12) * 12
        self = super().__new__(cls, years * 365 + rest * 30 + days, 0, microseconds)
        self.parts = months, days, microseconds
        return self

    @property
    def months(self) -> int:
        """Its months."""
        return self.parts[0]

    def isoformat(self) -> str:
        """As ISO 8601 has it, with a sign for each part that is negative: "P1M2DT3.5S"."""
        months, days, microseconds = self.parts
        seconds = Decimal(microseconds).scaleb(-6).normalize()
        return f"P{months}M{f'{days}D' if days else ''}{f'T{seconds:f}S' if seconds else ''}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Interval, self.parts


def of_parts(parts: Parts) -> datetime.timedelta:
    """An interval that PostgreSQL gave."""
    months, days, microseconds = parts
    if months:
        return Interval(months, days, microseconds)
    return datetime.timedelta(days, 0, microseconds)


def to_parts(value: Any) -> Parts:
    """An interval as PostgreSQL takes it.

    Raises:
        TypeError: it is no interval.
    """
    if isinstance(value, Interval):
        return value.parts
    if isinstance(value, datetime.timedelta):
        return 0, value.days, value.seconds * 1_000_000 + value.microseconds
    raise TypeError(f"a timedelta is expected, not {type(value).__name__}")
