"""Whether a figure rises: the slope of a line through its samples, and the error of that slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through samples, by least squares.

    Attributes:
        per_minute: how much it rises.
        error: the standard error of that, also per minute.
        level: the mean of the samples.
    """

    per_minute: float
    error: float
    level: float

    def rises(self, most: float) -> bool:
        """Whether it rises by more than `most` a minute, beyond two standard errors."""
        return self.per_minute - 2 * self.error > most

    def text(self, unit: str = "") -> str:
        """For a report."""
        return f"{self.per_minute:+.3f} ± {self.error:.3f} {unit}".rstrip() + "/min"


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """The slope of values over times in seconds.

    Samples that follow each other are alike, and say less than as many independent ones: the
    standard error is that of `n (1 - r) / (1 + r)` samples, `r` being the correlation of
    neighbouring residuals.

    Raises:
        ValueError: there are less than three samples.
    """
    n = len(times)
    if n < 3:
        raise ValueError(f"{n} samples have no slope")
    middle, level = sum(times) / n, sum(values) / n
    spread = sum((time - middle) ** 2 for time in times)
    pairs = list(zip(times, values, strict=True))
    rise = sum((time - middle) * (value - level) for time, value in pairs) / spread
    rest = [value - level - rise * (time - middle) for time, value in pairs]
    variance = sum(one * one for one in rest)
    alike = sum(a * b for a, b in pairwise(rest)) / variance if variance else 0.0
    alike = min(max(alike, 0.0), 0.99)
    independent = max(n * (1 - alike) / (1 + alike), 3.0)
    error = math.sqrt(variance / n * independent / (independent - 2) / (spread / n * independent))
    return Slope(60 * rise, 60 * error, level)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
