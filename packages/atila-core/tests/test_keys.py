"""The keys in the JSON of a value, by the lengths of its lists and dicts."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, TypedDict

import msgspec
import pytest

from atila.values.keys import counter


class Row(msgspec.Struct, rename="camel"):
    row_id: int
    note: str | None


@dataclasses.dataclass
class Page:
    first: Row
    rows: list[Annotated[int, msgspec.Meta(gt=0)]]
    named: dict[str, Row] | None


class Shelf(TypedDict):
    page: Page
    rows: list[Row]


class Node(msgspec.Struct):
    kids: list[Node]


class Either(msgspec.Struct):
    row: Row | None


class Loose(msgspec.Struct):
    any: Any


ROW = {"rowId": 1, "note": None}
PAGE = {"first": ROW, "rows": [1, 2], "named": {"a": ROW, "b": ROW}}
COUNTED: list[tuple[Any, Any]] = [
    (Row, ROW),
    (Page, PAGE),
    (Page, {**PAGE, "named": None}),
    (Shelf, {"page": PAGE, "rows": [ROW, ROW, ROW]}),
    (Shelf, {"page": PAGE, "rows": []}),
    (list[Row], [ROW, ROW]),
    (dict[str, Row], {"a": ROW}),
    (dict[str, list[int]], {"a": [1], "b": []}),
    (list[list[str]], [["a"], []]),
    (Annotated[list[Row], msgspec.Meta(max_length=3)], [ROW]),
    (list[int] | str, "a"),
    (int, 3),
]


@pytest.mark.parametrize(("hint", "value"), COUNTED)
def test_keys_are_those_that_are_written(hint: Any, value: Any) -> None:
    made = msgspec.convert(value, hint)
    count = counter(hint)
    assert count is not None
    assert count(made) == msgspec.json.encode(made).count(b":")


@pytest.mark.parametrize(
    "hint",
    [
        Node,
        Either,
        Loose,
        Row | None,
        list[Shelf],
        list[dict[str, int]],
        list[Row] | int,
        list[Any],
    ],
)
def test_items_that_differ_are_not_counted(hint: Any) -> None:
    assert counter(hint) is None
