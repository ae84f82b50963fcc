"""What a worker does with the garbage collector before it serves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from atila.runtime.garbage import NEW_OBJECTS

of_python = pytest.mark.skipif(sys.version_info >= (3, 14), reason="it collects in small steps")


def thresholds(code: str) -> list[int]:
    """Those of a process that has prepared itself, and how many objects it has frozen."""
    shown = "print(*gc.get_threshold(), gc.get_freeze_count())"
    script = f"import gc; from atila.runtime import garbage; {code}; garbage.prepare(); {shown}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return [int(number) for number in done.stdout.split()]


@of_python
def test_the_collector_comes_less_often() -> None:
    new, *_, frozen = thresholds("pass")
    assert new == NEW_OBJECTS
    assert frozen > 1000


def test_a_threshold_of_the_app_is_kept() -> None:
    assert thresholds("gc.set_threshold(5000, 7, 3)")[:3] == [5000, 7, 3]


def test_a_collector_that_the_app_has_turned_off_stays_off() -> None:
    assert thresholds("gc.set_threshold(0)")[0] == 0
