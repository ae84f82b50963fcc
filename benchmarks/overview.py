"""``python -m benchmarks.overview``: one picture of all Pythons, to be understood at a glance."""

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from statistics import mean

from benchmarks.chart import STYLE
from benchmarks.contestants import BY_NAME
from benchmarks.options import RESULTS
from benchmarks.recorded import Recorded, loads_of, read

CASES = ("plain", "params", "json")
PANEL = 530
LABELS = 248
VALUES = 44
ROW = 23
BAR = 15
TOP = 116
BOTTOM = 34
MARGIN = 20


def draw(pythons: list[Recorded]) -> str:
    """Bars of processor time per request, the mean of three cases; a panel for each Python."""
    panels = [(one.python, _means(one)) for one in pythons]
    most = max((value for _, means in panels for _, value in means), default=1.0)
    width = MARGIN + PANEL * len(panels)
    height = TOP + ROW * max((len(means) for _, means in panels), default=0) + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">Processor time per request of Atila and its peers</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
        *_heading(),
    ]
    for number, (python, means) in enumerate(panels):
        lines += _panel(
            python, means, MARGIN + PANEL * number, (PANEL - LABELS - VALUES - 30) / most
        )
    lines.append(_text(MARGIN, height - 12, _footer(pythons), "soft"))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _means(one: Recorded) -> list[tuple[str, float]]:
    """Each contestant that has all the cases, the one which needs the least first."""
    found = []
    for name in BY_NAME:
        figures = [one.figure(case, name) for case in CASES]
        if all(figures):
            found.append((name, mean(figure["cpu_us"] for figure in figures if figure)))
    return sorted(found, key=lambda item: item[1])


def _heading() -> Iterator[str]:
    yield _text(MARGIN, 34, "Processor time per request, in µs: shorter is better", "title")
    x = MARGIN
    for kind, label in (("ours", "Atila"), ("peer", "others"), ("limit", "no framework")):
        yield f'<rect class="{kind}" x="{x}" y="48" width="12" height="12" rx="2"/>'
        yield _text(x + 18, 58.5, label, "soft")
        x += 18 + 9 * len(label) + 12
    yield _text(x, 58.5, "mean of a short text, three parameters and a small JSON object", "soft")


def _panel(python: str, means: list[tuple[str, float]], x: int, scale: float) -> Iterator[str]:
    yield _text(x, TOP - 16, python, "case")
    left = x + LABELS
    for row, (name, value) in enumerate(means):
        contestant = BY_NAME[name]
        middle = TOP + ROW * row + ROW / 2
        bold = "bold" if contestant.kind == "ours" else ""
        yield _text(left - 8, middle + 4.5, contestant.label, bold, "end")
        yield (
            f'<rect class="{contestant.kind}" x="{left}" y="{middle - BAR / 2:.1f}"'
            f' width="{value * scale:.1f}" height="{BAR}" rx="2"/>'
        )
        yield _text(left + value * scale + 6, middle + 4.5, f"{value:.0f}", bold)


def _footer(pythons: list[Recorded]) -> str:
    if not pythons:
        return ""
    run = pythons[0].runs[0]
    machine, load = run["machine"], run["load"]
    return (
        f"{run['started'][:10]} · {machine['processor']}, {machine['cores']} cores,"
        f" {loads_of(pythons)} · one worker process, {load['connections']} connections"
        f" · medians of {load['rounds']} interleaved rounds of {load['seconds']:g} s"
    )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def main(folder: Path = RESULTS) -> int:
    (folder / "overview.svg").write_text(draw(read(folder)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
