"""permessage-deflate (RFC 7692): the compression of WebSocket messages, by wsproto."""

from __future__ import annotations

import zlib

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol


class Deflate(PerMessageDeflate):
    """Compression that keeps nothing from message to message: a context takes some 300 KB.

    Args:
        limit: the most bytes of a message; a few compressed ones can become a thousand times more.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(client_no_context_takeover=True, server_no_context_takeover=True)
        self._limit = limit

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        """See wsproto."""
        decompressor = self._decompressor
        if (
            decompressor is None
            or not self._inbound_compressed
            or not self._inbound_is_compressible
        ):
            return super().frame_inbound_payload_data(proto, data)
        try:
            piece = decompressor.decompress(bytes(data), self._limit + 1)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return CloseReason.MESSAGE_TOO_BIG if decompressor.unconsumed_tail else piece


def agree(offers: str | None, limit: int) -> tuple[Deflate, str] | None:
    """The compression that a client offers and we take, with what to answer; None for neither.

    Args:
        offers: the Sec-WebSocket-Extensions of the handshake.
        limit: see `Deflate`.
    """
    for offer in (offers or "").split(","):
        if offer.partition(";")[0].strip() != Deflate.name:
            continue
        deflate = Deflate(limit)
        try:
            answer = deflate.accept(offer)
        except ValueError:
            continue  # Malformed.
        if isinstance(answer, str):
            return deflate, f"{Deflate.name}; {answer}"
    return None
