"""Paths with places for values, and addresses."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila_tasks.web import targets


@pytest.mark.parametrize(
    ("template", "values", "target"),
    [
        ("/profiles/{}?limit={}", (100, 10), "/profiles/100?limit=10"),
        ("/a/{}", ("b/c d?e&f#g%",), "/a/b%2Fc%20d%3Fe%26f%23g%25"),
        ("/a?q={}", ("1&admin=1#",), "/a?q=1%26admin%3D1%23"),
        ("/ü b/%41", (), "/%C3%BC%20b/%41"),
        ("/{}{}", ("a", b"\xff"), "/a%FF"),
        ("/a\r\nb: c", (), "/a%0D%0Ab:%20c"),
        ("/a.b/..c/...", (), "/a.b/..c/..."),
        ("/?x={}", ("",), "/?x="),
    ],
)
def test_fill(template: str, values: tuple[Any, ...], target: str) -> None:
    assert targets.fill(template, values) == target
    assert targets.places(template) == len(values)


@pytest.mark.parametrize("value", ["..", ".", ""])
def test_a_value_that_leads_elsewhere(value: str) -> None:
    with pytest.raises(ValueError, match=r"segment|empty"):
        targets.fill("/a/{}/b", (value,))


@pytest.mark.parametrize("path", ["/a/../b", "/%2e%2E", "/a%2f..%5Cb", "/.", "/a/.%2e/"])
def test_a_path_that_leads_elsewhere(path: str) -> None:
    with pytest.raises(ValueError, match="segment"):
        targets.fill(path, ())


def test_none_is_no_value() -> None:
    with pytest.raises(TypeError, match="None"):
        targets.fill("/{}", (None,))


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_each_value_stays_where_it_is_put(values: list[str]) -> None:
    try:
        values[0].encode()
        values[1].encode()
        target = targets.fill("/a/{}/b?q={}&r=1", values)
    except (UnicodeEncodeError, ValueError):
        return
    assert re.fullmatch(r"[!-~]+", target)
    path, _, query = target.partition("?")
    assert [unquote(segment) for segment in path.split("/")] == ["", "a", values[0], "b"]
    assert parse_qsl(query, keep_blank_values=True) == [("q", values[1]), ("r", "1")]


@settings(deadline=None)
@given(st.text())
def test_a_passed_path_never_leaves_its_place(path: str) -> None:
    try:
        target = targets.encoded(path)
    except (UnicodeEncodeError, ValueError):
        return
    assert re.fullmatch(r"[!-~]*", target)
    assert "?" not in target
    assert "#" not in target
    decoded = unquote(unquote(target)).replace("\\", "/")
    assert ".." not in unquote(target).replace("\\", "/").split("/")
    assert "\0" not in decoded or "%00" in path


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("@myapi", ("@myapi", "")),
        ("@my-api.v2/api/x?y", ("@my-api.v2", "/api/x?y")),
        ("http://example.com", ("http://example.com", "")),
        ("HTTPS://u:p@[::1]:8/a?b", ("HTTPS://u:p@[::1]:8", "/a?b")),
        ("http://example.com?a=1", ("http://example.com", "/?a=1")),
    ],
)
def test_split(address: str, parts: tuple[str, str]) -> None:
    assert targets.split(address) == parts


@pytest.mark.parametrize(
    "address",
    ["example.com", "ftp://a", "@", "http://", "http://a b/", "http://a:99999/", "http://{}/x", ""],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        targets.split(address)


def test_a_malformed_address_does_not_tell_its_password() -> None:
    with pytest.raises(ValueError, match="port") as error:
        targets.split("http://user:secret@host:port/")
    assert "secret" not in str(error.value)
