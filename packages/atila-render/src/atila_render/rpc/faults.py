"""Fault codes of XML-RPC and JSON-RPC."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila.layers import explain

if TYPE_CHECKING:
    from atila import Was

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
"""JSON-RPC 2.0, section 5.1; the fault codes of XML-RPC for EPI are the same numbers."""

TITLES = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid Request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params",
    INTERNAL_ERROR: "Internal error",
}

log = logging.getLogger("atila.app")


class CallFault(Exception):
    """A failed call, as its caller sees it.

    Args:
        code: one of the above; or a number of the application; or a status of HTTP.
        detail: the fault, for a reader.
        data: more for programs: the fields of an HTTP error answer.
    """

    def __init__(self, code: int, detail: str = "", data: dict[str, Any] | None = None) -> None:
        self.code = code
        self.title = TITLES.get(code, "")
        self.detail = detail
        self.data = data
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """Title and detail as one."""
        return ": ".join(part for part in (self.title, self.detail) if part)


def of_error(was: Was, error: Exception) -> CallFault:
    """The fault that reports an error; an unexpected error is logged, and its details are not sent.

    Args:
        was: the request.
        error: the error of a call. The code is the `errno` of an `HTTPError` if it has one; else
            INVALID_PARAMS for a 400, and its status for any other.
    """
    if isinstance(error, CallFault):
        return error
    if not isinstance(error, HTTPError):
        explain(error)
        log.error("request %s failed", was.request_id, exc_info=error)
        return CallFault(INTERNAL_ERROR, "", {"request_id": was.request_id})
    code = error.errno or (INVALID_PARAMS if error.code == 400 else error.code)
    fault = CallFault(
        code,
        error.detail,
        {
            "code": error.code,
            "message": error.message,
            "detail": error.detail,
            "errno": error.errno,
            "request_id": was.request_id,
            **({"errors": list(error.errors)} if error.errors else {}),
        },
    )
    fault.title = fault.title or f"{error.code} {error.message}"
    return fault


def http_status(error: HTTPError) -> int:
    """The status of an answer that reports an error before any call was made.

    RPC clients read the fault of a 200 only; errors that HTTP itself acts upon keep their status.
    """
    return error.code if error.code in (401, 407, 429, 503) else 200
