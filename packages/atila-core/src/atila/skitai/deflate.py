"""permessage-deflate (RFC 7692): the compression of WebSocket messages, by websockets."""

from __future__ import annotations

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

# A context that is kept from message to message takes some 300 KB.
_FACTORY = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True, client_no_context_takeover=True
)


def agree(offers: str | None) -> tuple[Extension, str] | None:
    """The compression that a client offers and we take, with the header of the answer; None for
    none.

    Args:
        offers: the Sec-WebSocket-Extensions of the handshake.
    """
    if not offers:
        return None
    try:
        parsed = parse_extension(offers)
    except InvalidHeader:
        return None
    for name, parameters in parsed:
        if name == _FACTORY.name:
            try:
                answer, extension = _FACTORY.process_request_params(parameters, [])
            except NegotiationError:
                continue
            return extension, build_extension([(name, answer)])
    return None
