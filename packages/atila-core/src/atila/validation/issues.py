"""Collects all faults of a request's input, each with its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from atila.errors import HTTPError
from atila.values.places import place
from atila.values.secret_names import is_secret_input

MOST = 100
"""The most issues that an answer lists; reading stops there."""
SHOWN = 10
"""Issues that the detail of an error names."""

Path = tuple[str | int, ...]

INVALID: Any = object()
"""Stands for a value that could not be read."""


class TooMany(Exception):
    """`MOST` issues have been found, so that nothing more is looked at."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault of a request.

    Attributes:
        where: the part of the request: "path", "query", "body", "header", "cookie" or "params", the
            latter for the arguments of a call (XML-RPC, JSON-RPC, `was.pipe`).
        at: the place in it: "lines[2].count"; "" for the whole body.
        message: the fault in words: "must be at least 1, not 0".
        rule: for programs: "required", "unknown", "type", or the name of a constraint: "ge".
    """

    where: str
    at: str
    message: str
    rule: str

    def __str__(self) -> str:
        if not self.at:
            return f"the {self.where} {self.message}"
        named = {"header": "header", "cookie": "cookie"}.get(self.where, "parameter")
        if self.rule == "unknown":
            return f"unknown {named} {self.at!r}{self.message.removeprefix('is unknown')}"
        return f"{named} {self.at!r} {self.message}"

    def as_dict(self) -> dict[str, str]:
        """As an error answer has it."""
        return {"in": self.where, "at": self.at, "message": self.message, "rule": self.rule}


class Issues:
    """Collects the faults of a request."""

    def __init__(self) -> None:
        self.found: list[Issue] = []

    def add(self, where: str, path: Path, message: str, rule: str) -> None:
        """Note an issue.

        Raises:
            TooMany: there are `MOST` of them.
        """
        self.take(Issue(where, place(path), message, rule))

    def take(self, issue: Issue) -> None:
        """The same of an issue that was noted elsewhere."""
        if is_secret_input(issue.at):
            # Answers are shown on pages, and kept in logs of clients.
            issue = replace(issue, message=issue.message.partition(", not ")[0])
        self.found.append(issue)
        if len(self.found) >= MOST:
            raise TooMany

    def error(self) -> HTTPError:
        """The answer to a request with these issues: 400, with `errors`."""
        texts = [str(issue) for issue in self.found[:SHOWN]]
        if len(self.found) > SHOWN:
            texts.append("and more")
        return HTTPError(400, "; ".join(texts), errors=[issue.as_dict() for issue in self.found])


@dataclass(slots=True)
class Reading:
    """The state of reading values.

    Attributes:
        issues: collects the faults.
        where: the part of the request; see `Issue`.
        is_text: numbers, dates and the like come as text: a query, a form, a header. JSON has types
            of its own, and they must fit.
    """

    issues: Issues
    where: str
    is_text: bool

    def fail(self, path: Path, message: str, rule: str) -> Any:
        """Note an issue.

        Returns:
            `INVALID`.
        """
        self.issues.add(self.where, path, message, rule)
        return INVALID
