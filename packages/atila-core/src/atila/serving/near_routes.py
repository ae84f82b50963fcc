"""For a developer, on the page of a 404 or 405: the routes that nearly fit."""

from __future__ import annotations

import html
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from atila.routing.router import parse_rule
from atila.serving import page_look

if TYPE_CHECKING:
    from atila import Was
    from atila.errors import HTTPError

LEAST = 0.55
"""How alike path and rule must be (0 to 1)."""
MOST = 6
"""Routes that nearly fit; and of all, so many times more."""
_LONGEST = 300
"""Characters of a path that are compared."""


class _Rule(NamedTuple):
    path: str
    methods: str
    source: str


def shown(was: Was, error: HTTPError) -> str:
    """As HTML; "" for an error of another kind, or of a handler that has answered so."""
    if error.code not in (404, 405) or was.endpoint.route.rule or was.endpoint.route.source:
        return ""
    rules = sorted(set(_rules(was)))
    if not rules:
        return ""
    path = was.exchange.path
    alike = {rule: likeness(path, rule.path) for rule in rules}
    near = sorted((rule for rule in rules if alike[rule] >= LEAST), key=lambda rule: -alike[rule])
    text = ""
    allowed = [value for name, value in error.headers if name.lower() == "allow"]
    if allowed:
        text += f"<p>Allowed here: <b>{html.escape(allowed[0])}</b></p>"
    if near:
        text += f"<h2>Routes that nearly fit</h2><section>{_table(near[:MOST])}</section>"
    known = rules[: 20 * MOST]
    count = (
        f"All routes ({len(rules)})"
        if len(known) == len(rules)
        else f"{len(known)} of {len(rules)} routes"
    )
    return f"{text}<details><summary>{count}</summary>{_table(known)}</details>"


def _table(rules: list[_Rule]) -> str:
    return page_look.table([(rule.methods, f"{rule.path} · {rule.source}") for rule in rules])


def _rules(was: Was) -> Iterator[_Rule]:
    for mount in was.site.mounts:
        for endpoint in mount.app.endpoints:
            route = endpoint.route
            if not route.automatic:
                methods = "WS" if endpoint.websocket else ", ".join(route.methods)
                yield _Rule(mount.app.mount_prefix + route.rule or "/", methods, route.source)


def likeness(path: str, rule: str) -> float:
    """How alike a path and a rule are (0 to 1); a parameter is like whatever is in its place."""
    given = path[:_LONGEST].split("/")[1:]
    segments = parse_rule(rule)
    filled = [
        ("/".join(given[at:]) if segment.kind == "path" else given[at])
        if segment.kind and at < len(given)
        else segment.text
        for at, segment in enumerate(segments)
    ]
    return SequenceMatcher(
        None, path[:_LONGEST].casefold(), "/" + "/".join(filled).casefold()
    ).ratio()
