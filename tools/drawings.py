"""The drawings of the guide, as SVG: what `was` is, the styles of handlers, where work runs.

    python tools/drawings.py    # writes docs/guide/drawings; tests/test_site.py compares

Each is 420 units wide, so that its text stays readable on a phone, and has colours of its own for
light and dark mode.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "guide" / "drawings"
WIDTH = 420
STYLE = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2937; }
  .code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 13px; }
  .bold { font-weight: 600; } .soft { fill: #596170; font-size: 13px; }
  .page { fill: #ffffff; } .box { fill: #f3f5f9; stroke: #c3cad6; }
  .inner { fill: #ffffff; stroke: #c3cad6; } .main { fill: #e6eeff; stroke: #2563eb; }
  .line { stroke: #596170; stroke-width: 1.5; fill: none; } .head { fill: #596170; }
  .track { fill: #eceff4; } .runs { fill: #2563eb; } .holds { fill: #f0a35e; }
  .task { fill: #3f9d6b; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e5e7eb; } .soft { fill: #aab3c0; } .page { fill: #10151d; }
    .box { fill: #1a222e; stroke: #3b475a; } .inner { fill: #10151d; stroke: #3b475a; }
    .main { fill: #17294d; stroke: #5b9bff; } .line { stroke: #aab3c0; } .head { fill: #aab3c0; }
    .track { fill: #232d3b; } .runs { fill: #5b9bff; } .holds { fill: #d9863b; }
    .task { fill: #4cb57f; }
  }
"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text, whose base line is at y."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    """A rectangle with round corners."""
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'


def titled(x: float, y: float, width: float, title: str, *lines: str, kind: str = "inner") -> str:
    """A box with a title and lines below it."""
    parts = [box(x, y, width, 32 + 19 * len(lines), kind), text(x + 12, y + 22, title, "bold")]
    parts += [text(x + 12, y + 41 + 19 * n, line, "soft") for n, line in enumerate(lines)]
    return "\n".join(parts)


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight arrow, down or to the right."""
    head = (
        f"{x2 - 5},{y2 - 8} {x2 + 5},{y2 - 8}"
        if x1 == x2
        else f"{x2 - 8},{y2 - 5} {x2 - 8},{y2 + 5}"
    )
    return (
        f'<line class="line" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
        f'<polygon class="head" points="{x2},{y2} {head}"/>'
    )


def drawing(height: int, title: str, description: str, *parts: str) -> str:
    """A whole drawing."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}" rx="10"/>',
            *parts,
            "</svg>\n",
        ]
    )


def was() -> str:
    """What `was` holds, on the way from the request to the response."""
    rows = [
        ("was.request", "what came in: headers, body"),
        ("was.user", "who logged in"),
        ("was.session", "what the client keeps, sealed"),
        ("was.Tasks", "work at the same time"),
        ("was.db", "statements of a database"),
        ("was.render", "pages, files, redirects"),
        ("was.response", "status and headers to send"),
        ("was.after", "work after the response"),
        ("was.app", "the app and its settings"),
    ]
    parts = [
        box(110, 14, 200, 36),
        text(210, 37, "a request arrives", anchor="middle"),
        arrow(210, 50, 210, 74),
        box(16, 76, 388, 44 + 24 * len(rows), "main"),
        text(32, 102, "was: the context of this one request", "bold"),
    ]
    for number, (name, meaning) in enumerate(rows):
        y = 130 + 24 * number
        parts += [text(32, y, name, "code bold"), text(152, y, meaning)]
    end = 120 + 24 * len(rows)
    parts += [
        arrow(210, end, 210, end + 24),
        box(60, end + 26, 300, 56),
        text(210, end + 49, "def handler(was, name: str)", "code bold", "middle"),
        text(210, end + 70, "hooks and templates get it, too", "soft", "middle"),
        arrow(210, end + 82, 210, end + 106),
        box(80, end + 108, 260, 36),
        text(210, end + 131, "the response is sent, was ends", anchor="middle"),
    ]
    return drawing(
        end + 160,
        "was, the context of one request",
        "A request arrives. was holds the request, the user, the session, tasks, the response and"
        " the app. The handler gets it as its first argument. It ends with the response.",
        *parts,
    )


FREE, RUNS, HOLDS, TASK = "", "runs", "holds", "task"


def lane(y: float, title: str, note: str, tracks: dict[str, list[tuple[int, int, str]]]) -> str:
    """A style of handler over time: for each place of work, bars of (begin, end, kind)."""
    parts = [text(16, y, title, "code bold"), text(404, y, note, "soft", "end")]
    for number, (name, bars) in enumerate(tracks.items()):
        top = y + 10 + 26 * number
        parts += [
            text(16, top + 15, name, "soft"),
            _bar(130, top, 274, "track"),
        ]
        parts += [_bar(130 + begin, top, end - begin, kind) for begin, end, kind in bars]
    return "\n".join(parts)


def _bar(x: float, y: float, width: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="20" rx="4"/>'


def handlers() -> str:
    """What runs where and when, for each style of handler."""
    thread, loop, elsewhere = "worker thread", "task loop", "tasks"
    legend = [("runs", "your code"), ("holds", "waits, holds the thread"), ("task", "tasks")]
    parts = [
        lane(
            34,
            "def",
            "blocking code",
            {thread: [(0, 55, RUNS), (57, 207, HOLDS), (209, 274, RUNS)], loop: []},
        ),
        lane(
            140,
            "def with yield",
            "coroutine=True",
            {
                thread: [(0, 55, RUNS)],
                loop: [(209, 274, RUNS)],
                elsewhere: [(57, 207, TASK)],
            },
        ),
        lane(
            272,
            "async def",
            "await",
            {
                thread: [],
                loop: [(0, 55, RUNS), (209, 274, RUNS)],
                elsewhere: [(57, 207, TASK)],
            },
        ),
    ]
    x = 16
    for kind, words in legend:
        parts += [
            f'<rect class="{kind}" x="{x}" y="382" width="14" height="14" rx="3"/>',
            text(x + 20, 394, words, "soft"),
        ]
        x += 40 + 7 * len(words)
    parts.append(text(404, 420, "time →", "soft", "end"))
    return drawing(
        432,
        "Three styles of handlers over time",
        "A def handler holds its worker thread while it waits. A generator runs in a worker thread"
        " until its first yield, and continues on the task loop. An async def handler runs on the"
        " task loop alone. While the latter two wait, threads and loop serve other requests.",
        *parts,
    )


def places() -> str:
    """The processes of a server, and the threads of one of them."""
    parts = [
        titled(16, 14, 388, "supervisor", "starts workers, and restarts those that end"),
        arrow(210, 65, 210, 86),
        box(16, 88, 388, 352, "main"),
        text(28, 112, "worker 1: a process", "bold"),
        text(392, 112, "worker 2, 3, …: the same", "soft", "end"),
        titled(
            28,
            124,
            364,
            "task loop: one thread",
            "async def, coroutines after their first yield,",
            "WebSockets, event streams: nothing may block",
        ),
        titled(
            28,
            204,
            364,
            "worker threads: up to THREADS",
            "def handlers, hooks, templates,",
            "coroutines until their first yield",
        ),
        titled(28, 284, 364, "task threads", "was.Thread, was.ThreadPass, was.Queue"),
        titled(28, 345, 364, "threads for later: AFTER_THREADS", "was.after with a def function"),
        text(28, 425, "app.g: values of this process", "soft"),
        arrow(210, 440, 210, 462),
        titled(16, 464, 188, "processes", "was.Process"),
        titled(216, 464, 188, "programs", "was.Subprocess"),
        titled(16, 525, 188, "other servers", "was.get, was.stub, was.db"),
        titled(216, 525, 188, "shared by workers", "app.store, was.g, rooms"),
    ]
    return drawing(
        590,
        "Where work runs",
        "A supervisor starts worker processes. Each has a task loop, worker threads, task threads"
        " and threads for work after the response. Processes, programs, other servers and shared"
        " values are outside of the workers.",
        *parts,
    )


DRAWINGS = {"was.svg": was, "handlers.svg": handlers, "where-work-runs.svg": places}


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, made in DRAWINGS.items():
        (FOLDER / name).write_text(made())


if __name__ == "__main__":
    main()
