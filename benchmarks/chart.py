"""The results as a picture: an SVG of bars, one panel per case, for light and dark pages."""

from collections.abc import Iterator
from html import escape

from benchmarks.contestants import BY_NAME
from benchmarks.report import Report
from benchmarks.summary import Figure

WIDTH = 860
MARGIN = 24
LABELS = 230
"""Width of the column of names; the bars begin right of it."""
VALUES = 130
"""Width kept free right of the longest bar, for its figures."""
BAR = 16
ROW = 25
TITLE = 46
HEADER = 78
FOOTER = 40

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2937; }
  .soft { fill: #6b7280; font-size: 12px; } .bold { font-weight: 600; }
  .title { font-size: 18px; font-weight: 600; } .case { font-size: 14px; font-weight: 600; }
  .page { fill: #ffffff; } .axis { stroke: #d1d5db; }
  .range { stroke: #1f2937; stroke-opacity: .6; stroke-width: 1.5; }
  .ours { fill: #2563eb; } .peer { fill: #9aa5b5; } .limit { fill: #d7dce3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e5e7eb; } .soft { fill: #9ca3af; }
    .page { fill: #10151d; } .axis { stroke: #374151; } .range { stroke: #e5e7eb; }
    .ours { fill: #5b9bff; } .peer { fill: #64748b; } .limit { fill: #333f50; }
  }
"""
"""Colours stand as they are, since some viewers know no CSS variables."""


def draw(report: Report) -> str:
    """The whole picture. Bars are medians; the thin line on a bar spans its rounds."""
    panels: list[str] = []
    top = float(HEADER)
    for case in report.options.cases:
        figures = report.figures.get(case.name, {})
        panels += _panel(f"{case.name}: {case.title}", figures, top)
        top += TITLE + ROW * len(figures)
    height = top + FOOTER
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' width="{WIDTH}" height="{height:.0f}" role="img" aria-labelledby="title">',
        '<title id="title">Processor time per request of Atila and its peers</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height:.0f}" rx="8"/>',
        *_heading(report),
        *panels,
        _text(MARGIN, height - 16, _footer(report), "soft"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _heading(report: Report) -> Iterator[str]:
    yield _text(MARGIN, 34, "Processor time of the server per request: shorter is better", "title")
    x = MARGIN
    for kind, label in (("ours", "Atila"), ("peer", "peers"), ("limit", "no framework")):
        yield f'<rect class="{kind}" x="{x}" y="47" width="12" height="12" rx="2"/>'
        yield _text(x + 18, 57.5, label, "soft")
        x += 18 + 9 * len(label) + 12


def _panel(title: str, figures: dict[str, Figure], top: float) -> Iterator[str]:
    yield _text(MARGIN, top + 28, title, "case")
    base = next((base for one in figures.values() for base in one.cpu_ratios), None)
    if base is not None:
        legend = f"1.00x = {BY_NAME[base].label}"
        yield _text(WIDTH - MARGIN, top + 28, legend, "soft", "end")
    left = MARGIN + LABELS
    most = max((max(one.cpu_rounds) for one in figures.values()), default=0.0)
    scale = (WIDTH - left - VALUES - MARGIN) / most if most else 0.0
    first = top + TITLE - 6
    for row, (name, one) in enumerate(figures.items()):
        yield from _bar(name, one, left, first + row * ROW, scale)
    last = first + ROW * len(figures)
    yield f'<line class="axis" x1="{left}" x2="{left}" y1="{first:.0f}" y2="{last:.0f}"/>'


def _bar(name: str, one: Figure, left: float, top: float, scale: float) -> Iterator[str]:
    contestant = BY_NAME[name]
    middle = top + ROW / 2
    bold = "bold" if contestant.kind == "ours" else ""
    end = left + one.cpu_us * scale
    low, high = left + min(one.cpu_rounds) * scale, left + max(one.cpu_rounds) * scale
    yield _text(left - 10, middle + 4.5, contestant.label, bold, "end")
    yield (
        f'<rect class="{contestant.kind}" x="{left}" y="{middle - BAR / 2:.1f}"'
        f' width="{end - left:.1f}" height="{BAR}" rx="2"/>'
    )
    yield f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
    figures = f"{one.cpu_us:.1f} µs"
    ratio = next(iter(one.cpu_ratios.values()), None)
    if ratio is not None:
        figures += f"  ·  {ratio:.2f}x"
    yield _text(max(end, high) + 8, middle + 4.5, figures, bold)


def _footer(report: Report) -> str:
    options, machine = report.options, report.machine
    failed = ", ".join(dict.fromkeys(failure["contestant"] for failure in report.failures))
    return (
        f"{report.started:%Y-%m-%d} · {machine['processor']}, {machine['cores']} cores"
        f" · {machine['python']} · {options.tool.name}, {options.connections} connections"
        f" · median of {options.rounds} rounds of {options.duration:g} s"
        + (f" · failed: {failed}" if failed else "")
    )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'
