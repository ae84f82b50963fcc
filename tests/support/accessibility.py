"""What keeps people from using a page, found by axe-core in a browser."""

from __future__ import annotations

import importlib.resources
from typing import Any

from support.browser import Page

_ASK = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']})"


def violations(page: Page) -> list[str]:
    """Rules that a page breaks, each with the first elements that do.

    The rules are those of WCAG 2.1 A and AA, among them contrast and labels, and of good practice.
    """
    script = (importlib.resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")
    # Its own console and policy are none of the page's.
    page.evaluate(f"{script}; 1")
    found: list[dict[str, Any]] = page.evaluate(
        f"{_ASK}.then((found) => found.violations.map((each) =>"
        " ({id: each.id, nodes: each.nodes.map((node) => node.html + ' ' + node.failureSummary)})))"
    )
    return [f"{each['id']}: {'; '.join(each['nodes'][:3])}" for each in found]
