from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila
from atila_render.pages.minify import minifier, strip

Write = Callable[[str, str], Path]

PAGE = """<!doctype html>
<html>
  <body title="{{ context.text }}">

    <p>one
       two {{ context.text }} </p>
    <pre>
  a
     b
    </pre> <TextArea>

 x</TextArea>
    <script>
      var a = 1
    </script>
  </body>
</html>
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  <p>\n\n   a  \n b</p>  \n", "  <p>\na\nb</p>\n"),
        ("", ""),
        ("one line ", "one line "),
        ("a <b>x</b>\n  c", "a <b>x</b>\nc"),
        ("<pre>\n  a\n\n b</pre>\n  c", "<pre>\n  a\n\n b</pre>\nc"),
        ("x <textarea> \n <pre> \n </textarea>\n  y", "x <textarea> \n <pre> \n </textarea>\ny"),
        ("<pre>\n never closed\n  ", "<pre>\n never closed\n  "),
        ("</pre>\n  a", "</pre>\na"),
        ("<PRE>\n  a</pre >\n  b", "<PRE>\n  a</pre >\nb"),
        ("<preface>\n  a", "<preface>\na"),
        ("\u00a0\n\u00a0 a", "\u00a0\n\u00a0 a"),
    ],
)
def test_strip(text: str, expected: str) -> None:
    assert strip(text) == expected


@settings(deadline=None)
@given(st.text(" \n\tab<>/pre", max_size=60))
def test_strip_leaves_all_that_is_no_space(text: str) -> None:
    assert "".join(strip(text).split()) == "".join(text.split())
    assert strip(strip(text)) == strip(text)


@pytest.mark.parametrize("text", ["<pre " * 100_000, " " * 500_000, "\n" * 500_000])
@pytest.mark.measures
def test_strip_takes_time_in_proportion(text: str) -> None:
    begun = time.perf_counter()
    strip(text)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("mode", [None, "strip", "minify"])
def test_page(app: Atila, write: Write, mode: str | None) -> None:
    write("page.html", PAGE)
    write("plain.txt", "  a\n\n  b\n")
    app.config.MINIFY_HTML = mode
    app.route("/")(lambda was: was.render("page.html", text="<script>&amp;\"'"))
    app.route("/plain")(lambda was: was.render("plain.txt"))
    client = app.test_client()
    text = client.get("/").text
    assert client.get("/plain").text == "  a\n\n  b"
    assert "a\n     b" in text
    assert "\n\n x" in text
    assert read(text) == read(PAGE.replace("{{ context.text }}", escape("<script>&amp;\"'")))
    if mode is None:
        assert len(text) > len(PAGE)
    else:
        assert "\n\n    <p>" not in text
        assert "one\ntwo" in text if mode == "strip" else "one two" in text


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(data.split())


def read(text: str) -> list[object]:
    """Tags, attributes and words of a page."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.found


@settings(deadline=None)
@given(st.text("<>&\"' =/scriptonx;#39\n`", max_size=30))
def test_minifying_never_makes_markup_of_text(text: str) -> None:
    minify = minifier("minify")
    assert minify is not None
    page = f'<div title="{escape(text)}"><b>{escape(text)}</b></div>'
    found = read(minify(page))
    tags = [each[0] for each in found if isinstance(each, tuple)]
    assert tags == ["div", "b"]
    ((_, attributes), *_) = [each for each in found if isinstance(each, tuple)]
    assert attributes in ([("title", text)], [])
