"""What the figures depend on: the machine, Python, and the versions of all that was measured."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.contestants import Contestant


def describe() -> dict[str, Any]:
    """The machine without its name; ``load`` is the average of the last minute."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": round(os.getloadavg()[0], 2),
    }


def versions_of(contestants: Iterable[Contestant]) -> dict[str, str]:
    """The installed version of each distribution that takes part; "-" for an absent one."""
    names = sorted({name for contestant in contestants for name in contestant.packages})
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
