"""Spans of database queries, by the semantic conventions of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from atila.runtime import spans
from atila_tasks.upstream.interfaces import (
    DB_MONGODB,
    DB_PGSQL,
    DB_REDIS,
    DB_SQLITE3,
    Command,
)

if TYPE_CHECKING:
    from atila_tasks.upstream.aliases import Alias, Member

_SYSTEMS = {
    DB_PGSQL: "postgresql",
    DB_SQLITE3: "sqlite",
    DB_REDIS: "redis",
    DB_MONGODB: "mongodb",
}


def traced(
    alias: Alias, member: Member, request: Any, perform: Callable[[Any], Awaitable[Any]]
) -> Awaitable[Any]:
    """An awaitable of the result of perform(request), within a span if it is a query and there are
    traces.

    The text of the query is as it was sent: with placeholders, its values are not in it.

    Args:
        alias: the alias of the database; those of other servers make spans of their own.
        member: the server that is asked.
        request: a query or command.
        perform: carries it out.
    """
    if spans.active is None or alias.kind not in _SYSTEMS:
        return perform(request)
    text = getattr(request, "sql", "")
    if not text and not isinstance(request, Command):
        return perform(request)
    return _within_span(spans.active, alias, member, request, perform(request))


async def _within_span(
    tracer: spans.Spans, alias: Alias, member: Member, request: Any, work: Awaitable[Any]
) -> Any:
    text = getattr(request, "sql", "")
    operation = text.split(None, 1)[0] if text.strip() else request.name
    if alias.kind != DB_MONGODB:
        # Each as it is written in the manual of its database.
        operation = operation.upper()
    attributes: dict[str, str | int] = {
        "db.system.name": _SYSTEMS[alias.kind],
        "db.operation.name": operation,
    }
    if text:
        attributes["db.query.text"] = text
    if alias.kind == DB_SQLITE3:
        attributes["db.namespace"] = member.location
    else:
        address = urlsplit("//" + member.location)
        attributes["server.address"] = address.hostname or ""
        if address.port:
            attributes["server.port"] = address.port
        if name := address.path.strip("/"):
            attributes["db.namespace"] = name
    with tracer.client(f"{operation} {alias.name}", attributes):
        return await work
