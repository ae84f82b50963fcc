"""``python -m benchmarks``: measure, print the table, write the files of results."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks import database, machine, measure, summary
from benchmarks.chart import draw
from benchmarks.options import Options, parse
from benchmarks.report import Report
from benchmarks.routing import Routing
from benchmarks.servers import ROOT

ROUTING_SECONDS = 120.0


def main() -> int:
    """Returns 0 if every contestant started and gave nothing but right answers, else 1."""
    options = parse()
    # So that an ended run ends its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = datetime.now(UTC)
    described = machine.describe()
    taking_part = [c for c in options.contestants if any(k.is_for(c.name) for k in options.cases)]
    with database.serving(taking_part):
        results = measure.run(options)
    failures = summary.failures_of(results)
    routing = _measure_routing(failures) if options.with_ours else []
    report = Report(
        started,
        options,
        described,
        machine.versions_of(options.contestants),
        summary.figures_of(results),
        summary.memory_of(results),
        routing,
        failures,
        results.machine_loads,
    )
    print(report.to_text())
    _write(options, report)
    return 1 if failures else 0


def _measure_routing(failures: list[dict[str, Any]]) -> list[Routing]:
    """In a process of its own, so that it and the load generator do not share a heap."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.routing", "--json"],
            cwd=ROOT,
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=ROUTING_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        failure = {"contestant": "routing", "case": "lookup", "reason": lines[-1], "times": 1}
        failures.append(failure)
        return []
    return [Routing(**one) for one in json.loads(done.stdout)]


def _write(options: Options, report: Report) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.to_json(), indent=2, ensure_ascii=False)
    (options.output / f"{options.name}.json").write_text(text + "\n", encoding="utf-8")
    (options.output / f"{options.name}.svg").write_text(draw(report), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
