from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from atila_render.data.json import Unwritable, to_json
from atila_render.data.xml import to_xml

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def xml(value: Any) -> str:
    text = to_xml(value, to_json).decode()
    head, _, body = text.partition('xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"')
    assert head == '<?xml version="1.0" encoding="UTF-8"?>\n<response '
    return body


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "Hans"}, "><name>Hans</name></response>"),
        ({"a": {"b": [1, 2.5]}}, "><a><b><item>1</item><item>2.5</item></b></a></response>"),
        ({"a": None}, '><a xsi:nil="true"/></response>'),
        (None, ' xsi:nil="true"/>'),
        ([True, False], "><item>true</item><item>false</item></response>"),
        ({"a": []}, "><a></a></response>"),
        ("<&>", ">&lt;&amp;&gt;</response>"),
        ({"1st": 1}, '><item name="1st">1</item></response>'),
        ({'a"<b': 1}, "><item name='a\"&lt;b'>1</item></response>"),
        ({"": 1}, '><item name="">1</item></response>'),
        ({"x:y": 1}, '><item name="x:y">1</item></response>'),
        (
            {"day": datetime.date(2024, 2, 29), "price": Decimal("0.10")},
            "><day>2024-02-29</day><price>0.10</price></response>",
        ),
        ("a\x00b\x1b\ufffe", ">a\ufffdb\ufffd\ufffd</response>"),
    ],
)
def test_forms(value: Any, expected: str) -> None:
    assert xml(value) == expected


def test_what_json_cannot_write_xml_cannot() -> None:
    for value in ({"a": object()}, {"a": "\ud800"}):
        with pytest.raises(Unwritable, match=r"the value\['a'\]"):
            to_xml(value, to_json)


# What XML 1.0 can have.
text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text | text.map("\n{}\r\t".format),
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)


def read(element: Element, like: Any) -> Any:
    """The value of an element, whose types are those of another."""
    if element.get(NIL) == "true":
        return None
    if isinstance(like, dict):
        names = [each.get("name", each.tag) for each in element]
        return {
            name: read(part, value)
            for name, part, value in zip(names, element, like.values(), strict=True)
        }
    if isinstance(like, list):
        return [read(part, value) for part, value in zip(element, like, strict=True)]
    content = element.text or ""
    return {bool: lambda: content == "true", int: lambda: int(content)}.get(
        type(like), lambda: content
    )()


@settings(deadline=None)
@given(values)
def test_a_parser_reads_it_as_it_was(value: Any) -> None:
    assert read(fromstring(to_xml(value, to_json)), value) == value


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.integers(0, 9)))
def test_any_keys(value: dict[str, int]) -> None:
    # Of different keys one may be left, where they have what XML cannot; all values are there.
    root = fromstring(to_xml(value, to_json))
    assert [int(part.text) for part in root] == list(value.values())
