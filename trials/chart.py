"""Figures over time as a picture: an SVG of lines, one panel each, for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.chart import STYLE

WIDTH = 860
LEFT = 70
RIGHT = 24
PANEL = 120
TITLE = 30
COLOURS = ("#2563eb", "#d97706", "#059669")

Line = tuple[str, Sequence[tuple[float, float]]]
"""A name and points: seconds, value."""


def draw(
    title: str, panels: Sequence[tuple[str, Sequence[Line]]], marks: Sequence[float] = ()
) -> str:
    """The whole picture.

    Args:
        title: above it.
        panels: the title of each, and its lines.
        marks: moments, in seconds, that each panel shows as an upright line.
    """
    height = 50 + len(panels) * (PANEL + TITLE + 14) + 20
    last = max((x for _, lines in panels for _, points in lines for x, _ in points), default=1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(title)}</title><style>{STYLE}</style>',
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        f'<text class="title" x="24" y="34">{escape(title)}</text>',
    ]
    top = 50
    for name, lines in panels:
        parts += _panel(name, lines, top, last or 1.0, marks)
        top += PANEL + TITLE + 14
    parts.append(f'<text class="soft" x="{WIDTH - RIGHT}" y="{height - 8}" text-anchor="end">')
    parts += [f"{last / 60:.1f} minutes</text>", "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(
    name: str, lines: Sequence[Line], top: int, last: float, marks: Sequence[float]
) -> Iterator[str]:
    yield f'<text class="case" x="24" y="{top + 20}">{escape(name)}</text>'
    values = [y for _, points in lines for _, y in points]
    most = max(values, default=1.0) or 1.0
    first, bottom = top + TITLE, top + TITLE + PANEL
    across = (WIDTH - LEFT - RIGHT) / last
    for share in (0, 0.5, 1):
        y = bottom - share * PANEL
        yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        label = f"{most * share:,.0f}" if most >= 10 else f"{most * share:.1f}"
        yield f'<text class="soft" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>'
    for moment in marks:
        x = LEFT + moment * across
        yield f'<line class="range" x1="{x:.1f}" x2="{x:.1f}" y1="{first}" y2="{bottom}"/>'
    for number, (label, points) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        drawn = " ".join(
            f"{LEFT + x * across:.1f},{bottom - y / most * PANEL:.1f}" for x, y in points
        )
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{drawn}"/>'
        if len(lines) > 1:
            x = WIDTH - RIGHT - 110 * (len(lines) - number)
            yield f'<text x="{x}" y="{top + 20}" style="fill: {colour}">{escape(label)}</text>'
