"""Answers of gRPC without a message: errors, and servers that cannot serve gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atila import ClientGone
from atila_render.grpc.status import UNIMPLEMENTED, GrpcError, trailers_of
from atila_render.grpc.wire import ENCODINGS

if TYPE_CHECKING:
    from atila import HTTPError, Was
    from atila.http.exchange import Headers

GRPC_TYPE = "application/grpc"
HEAD = (("content-type", GRPC_TYPE), ("grpc-accept-encoding", ENCODINGS))

NO_TRAILERS = (
    "gRPC is not served here: this server sends no HTTP/2 trailers. Ask the port that"
    " `atila serve --grpc-port` or the setting GRPC_PORT opens"
)


def answer_error(was: Was, error: HTTPError) -> None:
    """Answer a call with an error alone. From any thread."""
    trailers = trailers_of(error)
    if was.exchange.can_trail:
        was.site.loop.spawn(_send_trailers(was, trailers))
    else:
        # The head and the trailers in one ("Trailers-Only"), which is all that can be sent here.
        was.exchange.respond(200, [("content-type", GRPC_TYPE), *trailers], b"")


async def _send_trailers(was: Was, trailers: Headers) -> None:
    try:
        stream = await was.exchange.respond_trailing(200, HEAD)
        await stream.close(trailers)
    except ClientGone:
        pass


def check_transport(was: Was) -> None:
    """Refuse a call where it could not be answered.

    Raises:
        GrpcError: this server sends no trailers.
    """
    if not was.exchange.can_trail:
        raise GrpcError(UNIMPLEMENTED, NO_TRAILERS)
