"""Types that JSON has by itself, and those whose values have each key that was sent."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from typing import Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila.values.models import simple_json, to_plain
from atila.values.simple import is_simple, is_whole


class Node(msgspec.Struct):
    name: str
    size: float
    nodes: list[Node]
    notes: dict[str, int | None]


class Lacking(msgspec.Struct):
    name: str = ""


class Tagged(msgspec.Struct, tag=True):
    id: int


class InARow(msgspec.Struct, array_like=True):
    id: int


class Loose(msgspec.Struct):
    value: Any


class Dated(msgspec.Struct):
    on: datetime.date


class Changing(msgspec.Struct):
    name: str

    def __post_init__(self) -> None:
        self.name = self.name.replace("：", ":")


class Fields(TypedDict):
    id: int


class SomeFields(TypedDict, total=False):
    id: int


@dataclasses.dataclass
class Plain:
    id: int


@attrs.define
class Defined:
    id: int


@pytest.mark.parametrize(
    ("hint", "whole", "simple"),
    [
        (Node, True, True),
        (Fields, True, True),
        (Plain, True, True),
        (dict[str, list[int]], True, True),
        (int | None, True, True),
        (Annotated[str, msgspec.Meta(max_length=3)], True, True),
        (Literal["a", 1], True, True),
        # What is Any may be a date when it is written, but not when it is read.
        (Loose, True, False),
        # They may have fewer keys than what is written of them, or none.
        (Lacking, False, True),
        (SomeFields, False, True),
        (Tagged, False, False),
        (InARow, False, False),
        # What they are made of may have other colons than what was sent.
        (Changing, False, True),
        (Defined, False, True),
        (Dated, False, False),
        (decimal.Decimal, False, False),
        (dict[int, int], False, False),
        (set[int], False, False),
        (object, False, False),
    ],
)
def test_whole_and_simple(hint: Any, whole: bool, simple: bool) -> None:
    assert (is_whole(hint), is_simple(hint)) == (whole, simple)


NODES = st.recursive(
    st.builds(
        Node,
        st.text(max_size=3),
        st.floats(allow_nan=False, allow_infinity=False),
        st.just([]),
        st.dictionaries(st.text(max_size=2), st.none() | st.integers(-(2**63), 2**64 - 1)),
    ),
    lambda inner: st.builds(Node, st.just("a"), st.just(1.0), st.lists(inner), st.just({})),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None)
@given(NODES)
def test_simple_models_are_written_as_their_plain_values(node: Node) -> None:
    text = simple_json(node)
    assert text is not None
    assert orjson.loads(text) == orjson.loads(orjson.dumps(to_plain(node)))


def test_others_are_left_to_the_long_way() -> None:
    assert simple_json(Dated(datetime.date(2026, 1, 31))) is None
    # A text that is no UTF-8.
    assert simple_json(Node("\ud800", 1.0, [], {})) is None
