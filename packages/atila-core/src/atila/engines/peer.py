"""The TCP connection of a client, where a server hides it.

granian's RSGI neither lets a streamed answer be broken off, nor waits for a client that reads
slowly (its issue 885 is mended for ASGI and WSGI only). The kernel can do the one and knows the
other; the connection is found among the descriptors of this process, by its two addresses.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import sys

from atila.exchange import Address, ClientGone

AHEAD = 1024 * 1024
"""Bytes that may be on their way to a client, in the buffers of server and kernel."""

_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6})
_OPEN_STATES = frozenset({1, 8})  # TCP_ESTABLISHED, TCP_CLOSE_WAIT
_TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_BYTES_ACKED = 120
"""Where tcpi_bytes_acked is in Linux's struct tcp_info, since 4.1."""
_SHORTEST, _LONGEST = 0.001, 0.05
"""Seconds between two looks at a slow client."""


class Peer:
    """The client's end of a connection.

    Args:
        client: its address.
        server: the address that it is connected to.

    Raises:
        ClientGone: the connection is being closed.
        LookupError: no such connection is found; it is closed, or is no TCP.
    """

    def __init__(self, client: Address, server: Address) -> None:
        self._socket = _find(client, server)
        self._sent = self._acknowledged()

    def close(self) -> None:
        """Forget the connection; the server keeps its own hold of it."""
        self._socket.close()

    def break_off(self) -> None:
        """End the connection, whatever is still to be sent."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The client was faster.

    async def take(self, size: int) -> None:
        """Wait until the client has taken all but `AHEAD` of the bytes that it was sent.

        Args:
            size: how many bytes it is sent now.

        Raises:
            ClientGone: it takes nothing any more.
        """
        self._sent += size
        pause = _SHORTEST
        while self._sent - self._acknowledged() > AHEAD:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)

    def _acknowledged(self) -> int:
        """How many bytes the client's end has ever acknowledged; all, where it is not known."""
        if _TCP_INFO is None:
            return sys.maxsize
        info = self._socket.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
        if info[0] not in _OPEN_STATES:
            raise ClientGone
        if len(info) < _BYTES_ACKED + 8:
            return sys.maxsize
        acknowledged: int = struct.unpack_from("Q", info, _BYTES_ACKED)[0]
        return acknowledged


def _find(client: Address, server: Address) -> socket.socket:
    for name in os.listdir(_DESCRIPTORS):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            # Of a copy, which nobody can close and open anew between two looks at it.
            copy = os.dup(int(name))
        except OSError:
            continue
        found = _socket_of(copy)
        if found is None:
            continue
        if found.getpeername()[:2] == client and found.getsockname()[1] == server[1]:
            return found
        found.close()
    raise LookupError(f"no connection to {client}")


def _socket_of(descriptor: int) -> socket.socket | None:
    """A connected TCP socket by its descriptor; of all others it closes the descriptor."""
    try:
        found = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return None
    try:
        if found.family in _FAMILIES and found.getpeername():
            return found
    except OSError:
        pass  # It listens, or its peer is gone.
    found.close()
    return None
