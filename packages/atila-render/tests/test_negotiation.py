from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila
from atila_render.data.negotiation import best, vary_by_accept

OFFERS = ("application/json", "application/xml", "text/xml")
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", "application/json"),
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        ("Application/XML", "application/xml"),
        ("text/*", "text/xml"),
        ("application/*", "application/json"),
        ("application/xml;q=0.9, application/json;q=0.8", "application/xml"),
        ("application/xml;q=0.8, application/json;q=0.9", "application/json"),
        ("application/xml, application/json", "application/xml"),
        ("application/xml, */*", "application/xml"),
        ("application/json;q=0, */*", "application/xml"),
        ("application/xml ; q = 0.5 , text/xml ; q=.6", "text/xml"),
        (CHROME, "application/json"),
        ("text/html, application/xml", "application/xml"),
        ("image/png", ""),
        ("text/html", ""),
        ("application/json;q=0", ""),
        ("*/*;q=0", ""),
        ("nonsense", "application/json"),
        (",;q=1,/,", "application/json"),
        ("application/json;q=nonsense", ""),
        ("a/b, " * 5000 + "application/xml", ""),
        ("application/xml" + ";x=y" * 50_000, "application/xml"),
        ("application/xml, " + "a/b, " * 5000, "application/xml"),
    ],
)
def test_best(header: str, expected: str) -> None:
    assert best(header, OFFERS) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (CHROME, "text/html"),
        ("*/*", "text/html"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json, text/javascript, */*; q=0.01", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html, application/json", "text/html"),
        ("text/xml", "text/xml"),
    ],
)
def test_best_with_a_page(header: str, expected: str) -> None:
    assert best(header, ("text/html", *OFFERS)) == expected


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=1, max_codepoint=255)) | st.text(",;=/*q.01 ax"))
def test_any_header_is_understood_or_refused(header: str) -> None:
    assert best(header, OFFERS) in {*OFFERS, ""}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "Accept"),
        ([("vary", "Origin")], "Origin, Accept"),
        ([("vary", "origin, ACCEPT")], "origin, ACCEPT"),
        ([("vary", "*")], "*"),
        ([("x", "y")], "Accept"),
    ],
)
def test_vary(app: Atila, given: list[tuple[str, str]], expected: str) -> None:
    @app.route("/")
    def handler(was):
        was.response.headers.extend(given)
        vary_by_accept(was.response)
        vary_by_accept(was.response)
        return "x"

    headers = app.test_client().get("/").header_list
    assert [value for name, value in headers if name == "vary"] == [expected]
