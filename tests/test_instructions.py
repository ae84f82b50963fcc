"""A request takes no more instructions than when its figure was committed."""

from __future__ import annotations

import pytest
from support import instructions
from support.instructions import CALIBRATION, VERSION

MOST = 1.05
"""Of the committed figure."""
SAME = 0.02
"""Of the calibration; where it differs by more, Python itself is another."""


@pytest.mark.thorough
def test_no_kind_of_request_takes_more_instructions():
    if reason := instructions.hindrance():
        pytest.skip(reason)
    committed = instructions.committed().get(VERSION)
    if committed is None:
        pytest.skip(f"no figures of Python {VERSION} in tests/instructions.json")
    found = instructions.counted()
    if abs(found[CALIBRATION] / committed[CALIBRATION] - 1) > SAME:
        pytest.skip(f"another build of Python {VERSION} than that of tests/instructions.json")
    assert found.keys() == committed.keys()
    ratios = {kind: found[kind] / committed[kind] for kind in committed}
    assert {kind: f"{ratio:.3f}" for kind, ratio in ratios.items() if ratio > MOST} == {}
