"""A bare HTTP/2 client for gRPC: sends any bytes as a call, and tells exactly what came back."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

TIMEOUT = 20.0
"""Seconds that a connection waits for the other end."""


@dataclass
class Reply:
    """What came back.

    Attributes:
        headers: of the head.
        trailers: those after the body; where there is none, those of the head.
        data: the body.
        reset: the stream ended with an error.
    """

    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    reset: bool = False

    @property
    def status(self) -> int:
        """The status of gRPC; -1 if there is none."""
        found = self.trailers.get("grpc-status") or self.headers.get("grpc-status")
        return int(found) if found is not None else -1

    @property
    def message(self) -> str:
        """The status message, as sent."""
        return self.trailers.get("grpc-message", self.headers.get("grpc-message", ""))


def call(
    port: int,
    path: str,
    data: bytes,
    headers: Sequence[tuple[str, str]] = (),
    *,
    content_type: str = "application/grpc",
    end: bool = True,
) -> Reply:
    """Make a call on a connection of its own.

    Args:
        port: where the server listens on this machine.
        path: of the method.
        data: the body, as it is.
        headers: more of them.
        content_type: the type of the body.
        end: whether the body ends; else the answer must come all the same.
    """
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        wire = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        wire.initiate_connection()
        head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a")]
        head += [("content-type", content_type), ("te", "trailers"), *headers]
        stream = wire.get_next_available_stream_id()
        wire.send_headers(stream, head)
        connection.sendall(wire.data_to_send())
        reply, ended = Reply(), False
        while not ended:
            window = min(wire.local_flow_control_window(stream), wire.max_outbound_frame_size)
            if data and window:
                wire.send_data(stream, data[:window])
                data = data[window:]
            if not data and end:
                wire.end_stream(stream)
                end = False
            connection.sendall(wire.data_to_send())
            if data and wire.local_flow_control_window(stream):
                continue
            received = connection.recv(65536)
            if not received:
                reply.reset = True
                break
            for event in wire.receive_data(received):
                ended |= _take(event, reply, wire)
                if ended:
                    data, end = b"", False
        return reply


def _take(event: object, reply: Reply, wire: H2Connection) -> bool:
    """Note an event; whether it is the last."""
    match event:
        case ResponseReceived():
            reply.headers = dict(event.headers)
        case TrailersReceived():
            reply.trailers = dict(event.headers)
        case DataReceived():
            reply.data += event.data
            wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        case StreamEnded():
            return True
        case StreamReset() | ConnectionTerminated():
            reply.reset = True
            return True
    return False
