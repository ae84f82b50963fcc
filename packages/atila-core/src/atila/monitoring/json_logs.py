"""Structured logs: each record of `logging` as one JSON object on one line."""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import Any

import orjson

from atila.runtime.context import current

_OF_RECORDS = {*vars(logging.makeLogRecord({})), "asctime", "message", "taskName"}
"""The attributes of each record; all others came by `extra=`."""

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def request_id() -> str | None:
    """The id of the request that the running code belongs to; None outside of requests."""
    was = current.get(None)
    # What logs while there is no request has a context, but an empty one.
    return was.request_id if was is not None else None


class JSONFormatter(logging.Formatter):
    """Makes a JSON object from a record: `time` (RFC 3339, in UTC), `level`, `logger`, `message`;
    `request_id` within requests, `exception` and `stack` where there is one, and the values of
    `extra=`. A name of `extra` that is one of these gets an underscore.

    For a configuration of logging: `{"()": "atila.json_logs.JSONFormatter"}` in a dictConfig.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as text without a line break."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        own = getattr(record, "request_id", None) or request_id()
        if own is not None and own != "-":
            fields["request_id"] = own
        if record.exc_info and not record.exc_text:
            # Kept there by logging itself, for other handlers.
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            fields["exception"] = record.exc_text
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        for name, value in vars(record).items():
            if name not in _OF_RECORDS and name != "request_id":
                fields[f"{name}_" if name in fields else name] = value
        return _to_json(fields)


def _to_json(fields: dict[str, Any]) -> str:
    try:
        return orjson.dumps(fields, _shown, _OPTIONS).decode()
    except TypeError:
        # Integers above 64 bits, and halves of surrogate pairs, which UTF-8 cannot have.
        fields["time"] = fields["time"].isoformat().replace("+00:00", "Z")
        return json.dumps(_plain(fields), default=_shown)


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _plain(value: Any, depth: int = 20) -> Any:
    """A value that `json` can write: keys are text, numbers finite, and nothing is too deep."""
    if isinstance(value, dict):
        if not depth:
            return _shown(type(value))
        return {_shown(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if not depth:
            return _shown(type(value))
        return [_plain(inner, depth - 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # As orjson has it; JSON has no such number.
    return value
