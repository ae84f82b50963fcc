"""The pages of the guide, made of the Markdown in docs/guide."""

import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from demo.site import app

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guide"
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
"""Blocks that only the tests of the pages run."""
PAGE = re.compile(r"([\w-]+)\.md(#.*)?")


@app.route("/guide/<name>", methods=["GET"])
def guide(was, name: str):
    page = GUIDE / f"{name}.md"
    if page not in GUIDE.glob("*.md"):
        raise was.Error(404, f"the guide has no page {name}")
    return was.render("guide.j2", name=name, text=html(page.read_text("utf-8")))


def html(text):
    tokens = MARKDOWN.parse(COMMENT.sub("", text))
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            words = re.sub(r"[^\w\s-]", "", content.content.lower())
            token.attrSet("id", re.sub(r"\s", "-", words))
        for child in token.children or ():
            if child.type == "link_open":
                lead(child)
    made = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    # What is wider than the page scrolls, by the keyboard too.
    return Markup(made.replace("<pre>", '<pre tabindex="0">'))


def lead(link):
    """Have a link lead to the page here; those to other parts of the repository lead nowhere."""
    target = link.attrGet("href")
    page = PAGE.fullmatch(target)
    if page and (GUIDE / f"{page[1]}.md").exists():
        link.attrSet("href", f"/guide/{page[1]}{page[2] or ''}")
    elif not target.startswith(("#", "https://", "http://")):
        del link.attrs["href"]
