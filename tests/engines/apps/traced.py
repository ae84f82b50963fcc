"""An app with traces, whose spans are noted on the board."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import skitai
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from support.board import Board

from atila import Atila, Was

board = Board(os.environ["ATILA_BOARD"])


class ToBoard(SpanExporter):
    """Writes each span as a line of JSON."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            noted = {
                "name": span.name,
                "trace": format(span.context.trace_id, "032x"),
                "attributes": dict(span.attributes or {}),
            }
            board.write("spans", json.dumps(noted) + "\n")
        return SpanExportResult.SUCCESS


app = Atila(__name__)
app.config.TRACES = True


def _current() -> str:
    return format(trace.get_current_span().get_span_context().trace_id, "032x")


@app.route("/")
def ready(was: Was) -> str:
    return "ready"


@app.route("/def/<int:id>")
def by_def(was: Was, id: int) -> str:
    return _current()


@app.route("/async/<int:id>")
async def by_async(was: Was, id: int) -> str:
    return _current()


@app.route("/pieces/<int:id>")
def pieces(was: Was, id: int) -> Iterator[str]:
    yield _current()


@app.route("/coroutine/<int:id>", coroutine=True)
def coroutine(was: Was, id: int) -> Any:
    task = yield was.Thread(_current)
    return task.fetch()


if __name__ == "__main__":
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToBoard()))
    trace.set_tracer_provider(provider)
    with skitai.preference() as pref:
        skitai.mount("/", app, pref)
        skitai.run(name="traced")
