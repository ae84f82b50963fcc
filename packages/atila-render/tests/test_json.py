from __future__ import annotations

import datetime
import enum
import uuid
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila_render.data.json import to_json


@dataclass
class Point:
    x: int
    y: Decimal


class Color(enum.Enum):
    RED = "red"


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Hans ✓", '"Hans ✓"'),
        (None, "null"),
        ([1, 2.5, True], "[1,2.5,true]"),
        ({"b": 1, "a": ()}, '{"b":1,"a":[]}'),
        (Decimal("0.10"), '"0.10"'),
        (datetime.date(2024, 2, 29), '"2024-02-29"'),
        (datetime.time(1, 2, 3), '"01:02:03"'),
        (datetime.datetime(2024, 2, 29, 1, 2, 3), '"2024-02-29T01:02:03"'),
        (
            datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.UTC),
            '"2024-02-29T01:02:03+00:00"',
        ),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Point(1, Decimal("2.0")), '{"x":1,"y":"2.0"}'),
        (Color.RED, '"red"'),
        ({1}, "[1]"),
        (frozenset({"a"}), '["a"]'),
        (Pair(1, Decimal(2)), '[1,"2"]'),
        (OrderedDict(a=1), '{"a":1}'),
        (MappingProxyType({"a": Decimal(1)}), '{"a":"1"}'),
        ({1: "a", None: "b", uuid.UUID(int=1): 2}, None),
        (float("nan"), "null"),
    ],
)
def test_types(value: Any, expected: str | None) -> None:
    if expected is None:
        keys = ["1", "null", "00000000-0000-0000-0000-000000000001"]
        assert list(orjson.loads(to_json(value))) == keys
    else:
        assert to_json(value).decode() == expected


def test_cannot_be_written() -> None:
    with pytest.raises(TypeError) as caught:
        to_json({"a": [object()]})
    assert "['a'][0] cannot be written as JSON: it is of the type object" in str(caught.value)
    endless: list[Any] = []
    endless.append(endless)
    for value in (endless, {"a": 10**5000}, {object(): 1}, {"a": 1j}):
        with pytest.raises(TypeError):
            to_json(value)


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_comes_back_as_it_was(value: Any) -> None:
    assert orjson.loads(to_json(value)) == value
