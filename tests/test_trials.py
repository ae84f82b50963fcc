"""The trials (trials/) see what they are to see: figures that rise, writes that are lost."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import NoReturn
from xml.etree import ElementTree

import pytest

from trials import chaos
from trials.chart import draw
from trials.ledger import Entry, compare
from trials.probe import Sample
from trials.slopes import percentile, slope
from trials.soak import LEFT, Outcome, judge, picture, section

TIMES = [2.0 * number for number in range(200)]


def test_the_slope_of_a_line() -> None:
    found = slope(TIMES, [100 + time / 60 for time in TIMES])
    assert found.per_minute == pytest.approx(1)
    assert found.error == pytest.approx(0, abs=1e-9)
    assert found.rises(0.9)
    assert not found.rises(1.1)
    with pytest.raises(ValueError, match="2 samples"):
        slope([1, 2], [1, 2])


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_the_error_of_a_slope_is_that_which_is_seen(alike: float) -> None:
    """Of noise, independent or not, the slope is beyond two errors as seldom as it should be."""
    chance, beyond = random.Random(5), 0
    for _ in range(400):
        noise, values = 0.0, []
        for _ in TIMES:
            noise = alike * noise + chance.gauss(0, 1)
            values.append(100 + noise)
        found = slope(TIMES, values)
        beyond += abs(found.per_minute) > 2 * found.error
    assert 4 <= beyond <= 50


def test_percentiles() -> None:
    assert percentile([], 0.99) == 0
    assert percentile(range(100), 0.99) == 99
    assert percentile([3, 1, 2], 0.5) == 2


def outcome(rise: float = 0.0, **changed: object) -> Outcome:
    """Ten minutes, in which memory rises by so many MiB a minute."""
    samples = [Sample(2 * n, 90, 80 + rise * 2 * n / 60, 50, 20, 3, 1, 1) for n in range(300)]
    given = {
        "engine": "granian",
        "seconds": 600.0,
        "peak": 100.0,
        "rate": 80.0,
        "done": {"plain": 10},
        "errors": {},
        "vanished": 1,
        "latencies": [(n / 10, 0.001) for n in range(6000)],
        "samples": samples,
        "before": samples[0],
        "after": samples[-1],
    }
    made = Outcome(**{**given, **changed})  # type: ignore[arg-type] # of the fields above
    judge(made)
    return made


def test_what_makes_a_soak_a_failure() -> None:
    assert outcome().wrong == []
    assert outcome(rise=0.4).wrong == []
    (rises,) = outcome(rise=2.0).wrong
    assert rises.startswith("unique rises: +2.000")
    (failed,) = outcome(errors={"plain: Wrong: 500": 3}).wrong
    assert failed == "3 × plain: Wrong: 500"
    (open_,) = outcome(after=Sample(0, 1, 1, 51 + LEFT, 1, 1, 1, 1)).wrong
    assert "are open in the end" in open_
    assert outcome(done={}).wrong == ["nothing was answered"]
    # A short run has not warmed up.
    assert outcome(rise=9.0, seconds=60.0).wrong == []


def test_the_report() -> None:
    found = outcome(rise=2.0)
    text = section(found)
    assert "- **unique rises: +2.000" in text
    assert "(80 %)" in text
    ElementTree.fromstring(picture(found))
    ElementTree.fromstring(draw("<&>", [("none", [("a", [])])], [1.0]))


def test_faults_that_are_not_permitted_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def without_clock(engine: str, names: tuple[str, ...]) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(missing={"clock jumps": "there is no C compiler", "other": "x"})

    def nowhere(engine: str, names: tuple[str, ...]) -> NoReturn:
        pytest.skip("network namespaces are not permitted here")

    monkeypatch.setattr(
        chaos, "SCENES", {"shared by Redis": without_clock, "of two hosts": nowhere}
    )
    names = ("clock jumps", "one host cut off", "both hosts cut off")
    seen = chaos.run("uvicorn", 0.0, names, 0)
    assert list(seen.missing) == list(names)
    seen.strikes.append(chaos.Strike("worker killed", 1.0, 0.1, 0.2))
    text = chaos.section(seen)
    assert "| worker killed | 1 | 0.10 s |" in text
    assert "| clock jumps | not permitted here |" in text
    assert "- Not here: clock jumps, since there is no C compiler." in text
    assert text.count("since network namespaces are not permitted here") == 2
    assert "Nothing was wrong in 1 fault." in text
    ElementTree.fromstring(chaos.picture(seen))
    seen.strikes[0].wrong.append("it served again after 9.0 s")
    assert "Nothing was wrong" not in chaos.section(seen)


def test_the_ledger_sees_what_is_lost_doubled_or_there_by_half() -> None:
    whole = [("a", "from"), ("a", "to")]
    entries = [Entry(key, 0, 0, status) for key, status in (("a", 200), ("b", 200), ("c", 502))]
    assert compare(whole, entries).lost == ["b"]
    assert compare([*whole, *whole], entries).doubled == ["a"]
    assert compare([*whole, ("c", "to")], entries).halves == ["c"]
    # What failed may be there, if it is there whole.
    found = compare([*whole, ("b", "from"), ("b", "to"), ("c", "from"), ("c", "to")], entries)
    assert found.is_right
    assert found.statuses == {200: 2, 502: 1}
