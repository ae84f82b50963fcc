"""The same requests to three engines: answered alike; trials/fuzz.py sends more of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from support.servers import USUAL, serving

from trials.differential import TABLE, difference, known
from trials.fuzz import corpus
from trials.requests import Request, by_chance

SCRIPT = Path(__file__).with_name("apps") / "main.py"
COUNT = 400


def test_all_engines_answer_alike() -> None:
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name, SCRIPT)) for name in USUAL}
        found = [difference(servers, by_chance(each)) for each in (*corpus(), *range(COUNT))]
        assert [one for one in found if one] == []
        # It sees what it is to see.
        assert "/pid" in difference(servers, Request("GET", "/pid", (), None))
        assert "500" in difference(servers, Request("GET", "/fails", (), None))


def test_requests_are_the_same_for_the_same_number() -> None:
    assert [by_chance(number) for number in range(50)] == [
        by_chance(number) for number in range(50)
    ]
    assert len({by_chance(number) for number in range(50)}) > 45


def test_the_table_is_read() -> None:
    rows = [line for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    assert len(known()) == len(rows)
