"""The API reference that `pytest --docs` writes: Markdown, from requests and their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from atila.serving.route_header import ANSWER

LONGEST = 4000
"""Characters of a body that are shown."""
_SHOWN_HEADERS = ("accept", "authorization", "content-type")
_BREAK = "  "
"""At the end of a line of Markdown: the next one is a line of its own."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request or an answer.

    Attributes:
        kind: the media type.
        text: the text to show.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a test, and its answer.

    Attributes:
        method: "GET".
        url: path and query.
        headers: the headers of the request, names in lower case.
        body: the body of the request; None if there was none.
        status: "200 OK".
        answer: the body of the answer; None if there was none.
        route: the server's header about the route: rule, name, parameters, authorization.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Body | None
    status: str
    answer: Body | None
    route: Mapping[str, Any]

    @property
    def is_success(self) -> bool:
        """Whether the status is below 400."""
        return int(self.status[:3]) < 400


@dataclass(slots=True)
class Reference:
    """All calls of a test run, to become a document.

    Attributes:
        calls: the calls, in order.
        unnamed: the number of calls whose answer did not name a route.
    """

    calls: list[Call] = field(default_factory=list)
    unnamed: int = 0

    def add(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None,
        status: str,
        answer_headers: Mapping[str, str],
        answer: Body | None,
    ) -> None:
        """Take a request and its answer."""
        encoded = {name.lower(): value for name, value in answer_headers.items()}.get(ANSWER)
        if encoded is None:
            self.unnamed += 1
            return
        headers = {name.lower(): value for name, value in headers.items()}
        route = json.loads(encoded)
        self.calls.append(Call(method, url, headers, body, status, answer, route))

    def markdown(self) -> str:
        """The whole document."""
        resources = self._resources()
        anchors = _Anchors()
        anchors.add("Table of Content")
        parts = [(resource, *_headings(resource, anchors)) for resource in resources]
        lines = ["## Table of Content", ""]
        for number, (resource, anchor, methods) in enumerate(parts, 1):
            links = " ".join(f"[**{_code(m)}**](#{target})" for m, target in methods.items())
            rule = resource.rule.replace("<", "\\<")
            lines.append(f"{number}. [{rule}](#{anchor}) {links}")
        for resource, *_ in parts:
            lines += ["", *resource.lines()]
        return "\n".join(lines) + "\n"

    def _resources(self) -> list[Resource]:
        found: dict[tuple[str, str], Resource] = {}
        for call in self.calls:
            key = (call.route["name"], call.route["rule"])
            found.setdefault(key, Resource(*key)).calls.append(call)
        return sorted(found.values(), key=lambda resource: (resource.rule, resource.name))


@dataclass(slots=True)
class Resource:
    """A route, and the requests to it.

    Attributes:
        name: "product.tickers".
        rule: "/apis/tickers/<int:product_code>".
        calls: the requests, in order.
    """

    name: str
    rule: str
    calls: list[Call] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """The methods that were used."""
        return sorted({call.method for call in self.calls})

    def heading(self, method: str) -> str:
        """The heading of a method's examples."""
        return f"{_code(method)} {_code(self.rule)}"

    def lines(self) -> Iterator[str]:
        """Its part of the document."""
        parameters = ", ".join(map(_code, self.calls[0].route["parameters"])) or "none"
        yield f"## {self.name}"
        yield ""
        yield f"**URL Parameters**: {parameters}{_BREAK}"
        yield f"**Authorization Required**: {self._authorization()}"
        for method in self.methods:
            yield ""
            yield f"#### {self.heading(method)}"
            for call in _examples(call for call in self.calls if call.method == method):
                yield ""
                yield from _example(call)

    def _authorization(self) -> str:
        scheme = self.calls[0].route["authorization"]
        if scheme:
            return f"YES ({scheme})"
        # Whatever asks for it: a stranger was turned away.
        refused = (c for c in self.calls if c.status.startswith("401"))
        return "YES" if any(refused) else "NO"


class _Anchors:
    """The anchors that Markdown viewers give to headings; repeated ones get a number."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def add(self, heading: str) -> str:
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = self._seen[slug] = self._seen.get(slug, -1) + 1
        return f"{slug}-{count}" if count else slug


def _headings(resource: Resource, anchors: _Anchors) -> tuple[str, dict[str, str]]:
    """The anchors of a resource and, by method, of its examples."""
    anchor = anchors.add(resource.name)
    return anchor, {method: anchors.add(resource.heading(method)) for method in resource.methods}


def _examples(calls: Iterable[Call]) -> list[Call]:
    """The first call for each status; successes before errors."""
    first: dict[str, Call] = {}
    for call in calls:
        first.setdefault(call.status, call)
    return sorted(first.values(), key=lambda call: call.status)


def _example(call: Call) -> Iterator[str]:
    yield f"**{'Success' if call.is_success else 'Error'} Response Example**"
    yield ""
    yield f"> **_URL_**: {_code(call.url)}{_BREAK}"
    shown = [f"{name}: {_masked(name, call.headers[name])}" for name in _SHOWN_HEADERS
             if call.headers.get(name, "*/*") != "*/*"]  # fmt: skip
    if shown:
        yield f"> **_Request Headers_**: {', '.join(map(_code, shown))}{_BREAK}"
    if call.body is not None:
        yield f"> **_Request Data_** ({call.body.kind})"
        yield from _block(call.body)
        yield ""
    yield f"> **_Response_**: {_code(call.status)}{_BREAK}"
    if call.answer is not None:
        yield f"> **_Response Data_** ({call.answer.kind})"
        yield from _block(call.answer)


def _masked(name: str, value: str) -> str:
    return f"{value.split(' ')[0]} ********" if name == "authorization" else value


def _block(body: Body) -> Sequence[str]:
    longest = max((len(run) for run in re.findall("`+", body.text)), default=0)
    fence = "`" * max(3, longest + 1)
    language = {"application/json": "json", "text/html": "html"}.get(body.kind, "")
    return ["", fence + language, body.text, fence]


def _code(text: str) -> str:
    """Text as code within a line, whatever is in it."""
    text = text.replace("\n", " ")
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def body_of(content: bytes | None, content_type: str | None) -> Body | None:
    """A body as it is shown: JSON in lines, text as it is, anything else by its size."""
    if not content:
        return None
    kind = (content_type or "").partition(";")[0].strip().lower() or "application/octet-stream"
    if kind.startswith("multipart/"):
        return Body(kind, "\n".join(_form_parts(content)))
    try:
        text = content.decode()
        if kind.endswith("json"):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return Body(kind, f"({len(content)} bytes)")
    if len(text) > LONGEST:
        text = text[:LONGEST] + "\n…"
    return Body(kind, text.rstrip("\n"))


def _form_parts(content: bytes) -> Iterator[str]:
    """The fields of a form with files, by their heads (RFC 7578)."""
    boundary = content.partition(b"\r\n")[0]
    for part in content.split(boundary)[1:-1]:
        head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        file = re.search(rb'filename="([^"]*)"', head)
        shown = f"<FILE: {file[1].decode(errors='replace')}>" if file else value.decode(
            errors="replace"
        )  # fmt: skip
        yield f"{name[1].decode(errors='replace') if name else ''}={shown}"
