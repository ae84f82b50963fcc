"""The committed results of each Python, read again: results/cpython-VERSION*.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import close
from benchmarks.options import RESULTS


@dataclass(slots=True)
class Recorded:
    """What was measured on one Python; the runs of one Python are joined, case by case, the one
    with the most contestants first.
    """

    python: str
    runs: list[dict[str, Any]]

    def figure(self, case: str, contestant: str) -> dict[str, Any] | None:
        """One contestant's figures at one case, or nothing if it has none."""
        for run in self.runs:
            found = run["cases"].get(case, {}).get("figures", {}).get(contestant)
            if found is not None:
                return dict(found)
        return None

    def ratio(self, case: str, ours: str, other: str, key: str = "cpu_us") -> float | None:
        """How many times as much the other has of a figure as ours: above 1.0 ours is ahead.

        Of requests per second it is ours by the other's, for the same reason. If the two were
        measured in turn, by ``benchmarks.close``, that ratio is taken.
        """
        for run in self.runs:
            found = close.ratio(run.get("close", {}).get(case, {}), ours, other, key)
            if found is not None:
                return found
        mine, theirs = self.figure(case, ours), self.figure(case, other)
        if mine is None or theirs is None or not mine[key] or not theirs[key]:
            return None
        return float(mine[key] / theirs[key] if key == "rps" else theirs[key] / mine[key])

    def memory(self, contestant: str) -> dict[str, float] | None:
        """MiB of a contestant's processes."""
        for run in self.runs:
            if contestant in run["memory_mib"]:
                return dict(run["memory_mib"][contestant])
        return None

    def life(self, *path: str) -> Any:
        """A figure of ``benchmarks.life``, such as "start", "seconds", "atila-granian"; nothing if
        it was not measured.
        """
        for run in self.runs:
            found: Any = run.get("life")
            for step in path:
                found = found.get(step) if isinstance(found, dict) else None
            if found is not None:
                return found
        return None


def read(folder: Path = RESULTS) -> list[Recorded]:
    """Every Python of which there are results, the oldest first."""
    found: dict[str, Recorded] = {}
    for path in sorted(folder.glob("cpython-*.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        python = run["machine"]["python"]
        found.setdefault(python, Recorded(python, [])).runs.append(run)
    for one in found.values():
        one.runs.sort(key=lambda run: -len(run.get("contestants", ())))
    return sorted(found.values(), key=lambda one: _numbers(one.python))


def loads_of(pythons: list[Recorded]) -> str:
    """How busy the machine was."""
    loads = [load for one in pythons for run in one.runs for load in run["load"]["machine_load"]]
    return f"load {min(loads):.1f} to {max(loads):.1f}" if loads else "load unknown"


def _numbers(python: str) -> list[int]:
    return [int(part) for part in python.split()[-1].split(".")]
