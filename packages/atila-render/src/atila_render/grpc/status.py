"""Status codes of gRPC, and the code of each error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from atila import HTTPError

if TYPE_CHECKING:
    from atila.http.exchange import Header, Headers

# https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16

_OF_HTTP = {
    400: INVALID_ARGUMENT,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: NOT_FOUND,
    405: UNIMPLEMENTED,
    409: ABORTED,
    410: NOT_FOUND,
    412: FAILED_PRECONDITION,
    413: RESOURCE_EXHAUSTED,
    416: OUT_OF_RANGE,
    422: INVALID_ARGUMENT,
    429: RESOURCE_EXHAUSTED,
    499: CANCELLED,
    500: INTERNAL,
    501: UNIMPLEMENTED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,
    507: RESOURCE_EXHAUSTED,
}
_TO_HTTP = {
    CANCELLED: 499,
    UNKNOWN: 500,
    INVALID_ARGUMENT: 400,
    DEADLINE_EXCEEDED: 504,
    NOT_FOUND: 404,
    ALREADY_EXISTS: 409,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    FAILED_PRECONDITION: 412,
    ABORTED: 409,
    OUT_OF_RANGE: 416,
    UNIMPLEMENTED: 501,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    DATA_LOSS: 500,
    UNAUTHENTICATED: 401,
}

_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte != 0x25)
"""Bytes of a message that are sent as they are."""
LONGEST_MESSAGE = 4096
"""Bytes of a status message; clients take some 8 KiB of trailers in all."""


class GrpcError(HTTPError):
    """An answer of a gRPC method other than OK; over HTTP, with the nearest status.

    Args:
        status: the code: 5, or grpc.StatusCode.NOT_FOUND.
        detail: the fault, for the client to read.
        metadata: more fields of the trailers.
    """

    def __init__(self, status: Any, detail: str = "", metadata: Sequence[Header] = ()) -> None:
        value = getattr(status, "value", status)
        self.grpc_status: int = value[0] if isinstance(value, tuple) else int(value)
        if self.grpc_status not in _TO_HTTP:
            raise ValueError(f"{status!r} is no status code of a gRPC error: 1 to 16")
        super().__init__(_TO_HTTP[self.grpc_status], detail, 0, metadata)


def status_of(error: HTTPError) -> int:
    """The status code that reports an error."""
    if isinstance(error, GrpcError):
        return error.grpc_status
    return _OF_HTTP.get(error.code, INVALID_ARGUMENT if error.code < 500 else UNKNOWN)


def trailers_of(error: HTTPError) -> Headers:
    """The trailer fields that report an error."""
    text = error.detail or ("" if isinstance(error, GrpcError) else error.message)
    fields = [("grpc-status", str(status_of(error)))]
    if text:
        fields.append(("grpc-message", encode_message(text)))
    return [*fields, *metadata_of(error.headers)]


def encode_message(text: str) -> str:
    """A status message as it is sent: percent-encoded UTF-8."""
    data = text.encode("utf-8", "replace")
    if len(data) > LONGEST_MESSAGE:
        data = data[:LONGEST_MESSAGE].decode("utf-8", "ignore").encode()
    # quote() never encodes "~", "_", "-" and ".", which need not be.
    return quote_from_bytes(data, safe=_PLAIN)


_NOT_METADATA = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "grpc-message",
        "grpc-status",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


def metadata_of(headers: Sequence[Header]) -> Headers:
    """Those of the headers of an answer that may be metadata, in ASCII, which its values are."""
    return [
        (name.lower(), value.encode("ascii", "replace").decode())
        for name, value in headers
        if name.lower() not in _NOT_METADATA
    ]
