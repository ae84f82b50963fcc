"""Parsers of what strangers send, with any bytes; `hatch run fuzz --parser` goes on with that."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trials.parsers import CORPUS, TARGETS, WORDS, messages, received, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus(target: str) -> None:
    for data in seeds(target):
        TARGETS[target](data)


def test_what_the_targets_see() -> None:
    """They look at messages, not at nothing."""
    text, too_long = ((CORPUS / "websocket" / name).read_bytes() for name in ("text", "too_long"))
    assert received([text]) == (["grün"], None)
    assert received([too_long]) == ([], 1009)
    assert messages([(CORPUS / "grpc" / "two").read_bytes()]) == ([b"ab", b""], 0)


@pytest.mark.thorough
@pytest.mark.parametrize("target", TARGETS)
def test_by_chance(target: str) -> None:
    pieces = st.lists(st.sampled_from(WORDS[target]) | st.binary(max_size=20), max_size=8)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(pieces.map(b"".join))
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()
