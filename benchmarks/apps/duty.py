"""What any request is owed besides its answer, for the bare functions with a framework's duty.

A request is refused without one Host, or with headers that the server does not show; has a body or
not; finds its handler by method and path, or 404 or 405; has parameters that are checked by name
and type, or 400; and is known to the code that it runs through. Written for these pages alone: it
is the least that can be done, not a framework.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from benchmarks.apps.raw_wsgi import JSON, decode

MAX_BODY = 1048576
MAX_FIELDS = 1000


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request:
    """What a handler is given."""

    __slots__ = ("body", "head", "params")

    def __init__(self, head: Any, params: dict[str, Any]) -> None:
        self.head = head
        self.params = params
        self.body = b""


current: ContextVar[Request] = ContextVar("current")

LITERAL: dict[str, dict[str, str]] = {
    "/plain": {"GET": "plain"},
    "/json": {"GET": "items"},
    "/typed": {"POST": "typed"},
}
POSTS = {"GET": "posts"}


def find(path: str, method: str) -> tuple[str, dict[str, Any]]:
    """The name of the handler, and the parameters of the path."""
    params: dict[str, Any] = {}
    methods = LITERAL.get(path)
    if methods is None:
        parts = path.split("/")
        if len(parts) != 4 or parts[1] != "users" or parts[3] != "posts":
            raise Refused(404, "not found")
        if not parts[2].isdecimal():
            raise Refused(404, "not found")
        params["user_id"] = int(parts[2])
        methods = POSTS
    name = methods.get(method)
    if name is None:
        raise Refused(405, "method not allowed")
    return name, params


def read_query(name: str, query: str, params: dict[str, Any]) -> None:
    """Add the parameters of the query."""
    found = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    if name == "posts":
        try:
            params["limit"] = int(found.pop("limit"))
            params["q"] = found.pop("q")
        except (KeyError, ValueError) as error:
            raise Refused(400, f"a parameter is missing or wrong: {error}") from None
    if found:
        raise Refused(400, f"unknown parameters: {', '.join(found)}")


def length_of(name: str, head: Mapping[str, str], length: str, kind: str) -> int:
    """How long the body is that a request announces."""
    announced = head.get(length, "")
    if not announced.isdecimal() or int(announced) > MAX_BODY:
        raise Refused(413, f"a body may have {MAX_BODY} bytes, and says how many it has")
    if name != "typed" or head.get(kind) != JSON:
        raise Refused(415, "the body must be JSON")
    return int(announced)


def read_body(body: bytes, length: int, request: Request) -> None:
    """Add the parameter of a body."""
    if len(body) != length:
        raise Refused(400, "the body ended too soon")
    request.body = body
    try:
        request.params["stock"] = decode(body)
    except msgspec.MsgspecError as error:
        raise Refused(400, str(error)) from None
