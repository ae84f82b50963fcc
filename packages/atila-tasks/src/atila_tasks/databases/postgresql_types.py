"""Types whose values asyncpg's own way would change: JSON and intervals."""

from __future__ import annotations

import json as standard
from decimal import Decimal
from typing import Any

from atila.values import json
from atila_tasks.databases.sql.intervals import of_parts, to_parts


async def set_types(connection: Any) -> None:
    """Have a connection write and read these types exactly.

    Args:
        connection: of asyncpg.
    """
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=_to_json, decoder=_from_json, schema="pg_catalog"
        )
    await connection.set_type_codec(
        "interval", encoder=to_parts, decoder=of_parts, schema="pg_catalog", format="tuple"
    )


def _to_json(value: Any) -> str:
    return json.dumps(value).decode()


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.NotJSON:
        # PostgreSQL keeps numbers that no float can be.
        return standard.loads(text, parse_float=_to_number, parse_int=_to_integer)


def _to_number(text: str) -> float | Decimal:
    number = float(text)
    return number if abs(number) != float("inf") else Decimal(text)


def _to_integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        # More digits than Python takes for an int.
        return Decimal(text)
