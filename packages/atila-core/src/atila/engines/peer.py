"""Finds the TCP connection of a client where the server hides it.

granian's RSGI neither lets a streamed answer be broken off, nor waits for a client that reads
slowly (its issue 885 is mended for ASGI and WSGI only), nor sends a WebSocket's closing code. The
kernel can do the first and the last, and knows the other; the connection is found among the
descriptors of this process, by its two addresses.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import sys
import threading
import time

from atila.http.exchange import Address, ClientGone

AHEAD = 1024 * 1024
"""Bytes that may be on their way to a client, in the buffers of server and kernel."""

_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6})
_CLOSE_WAIT = 8
_OPEN_STATES = frozenset({1, _CLOSE_WAIT})  # The first is TCP_ESTABLISHED.
_TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_LAST_DATA_RECEIVED = 52
"""Where tcpi_last_data_recv is in Linux's struct tcp_info, in ms."""
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
        """Wait until the client has taken all but `AHEAD` of the bytes that it was sent; before
        more than that at once, all that it was sent before.

        Args:
            size: the number of bytes to send now.

        Raises:
            ClientGone: the client takes nothing any more.
        """
        self._sent += size
        pause, ahead = _SHORTEST, max(AHEAD, size)
        while self._sent - self._acknowledged() > ahead:
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


def has_left(connection: socket.socket, patience: float) -> bool:
    """Whether a client is known to wait for its answer no more.

    Args:
        connection: the client's connection.
        patience: seconds. A client that has closed its half of the connection has left if nothing
            came from it for as long: there are clients that do so and read on.
    """
    if _TCP_INFO is None:
        return False
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
    except OSError:
        return False  # No TCP.
    if info[0] not in _OPEN_STATES:
        return True
    silent: int = struct.unpack_from("I", info, _LAST_DATA_RECEIVED)[0]
    return info[0] == _CLOSE_WAIT and silent > patience * 1000


def tell(client: Address, server: Address, data: bytes, *, insist: bool = False) -> bool:
    """Send some bytes beside the server, which must have nothing on its way just then.

    Args:
        client: the address of the client.
        server: the address that it is connected to.
        data: the bytes.
        insist: look for the connection however long that takes, so not on a loop.

    Returns:
        Whether they were sent, all of them.
    """
    try:
        with _find(client, server, insist=insist) as found:
            return found.send(data, socket.MSG_DONTWAIT) == len(data)
    except (LookupError, OSError):
        return False


class _Directory:
    """Where the connections of this process are, as far as it was looked. For any thread."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._places: dict[tuple[Address, int], int] = {}
        self._again_at = 0.0

    def find(self, client: Address, port: int) -> socket.socket | None:
        """The connection of a client to a port of this server."""
        found = self._checked(client, port)
        if found is None and time.monotonic() >= self._again_at:
            self._look()
            found = self._checked(client, port)
        return found

    def insist(self, client: Address, port: int) -> socket.socket | None:
        """Like `find`, but also looks when the last look has just been taken."""
        found = self._checked(client, port)
        if found is None:
            # One look serves all that wait for it meanwhile.
            with self._looking:
                found = self._checked(client, port)
                if found is None:
                    self._look()
                    found = self._checked(client, port)
        return found

    def _checked(self, client: Address, port: int) -> socket.socket | None:
        place = self._places.get((client, port))
        found = None if place is None else _copy_of(place)
        if found is None:
            return None
        # Another connection may have got the descriptor since.
        if _ends(found) == (client, port):
            return found
        found.close()
        return None

    def _look(self) -> None:
        # Of this thread alone: on a busy machine a short look may take long by the clock.
        began = time.thread_time()
        places = {}
        for name in os.listdir(_DESCRIPTORS):
            found = _copy_of(int(name))
            if found is not None:
                ends = _ends(found)
                if ends is not None:
                    places[ends] = int(name)
                found.close()
        self._places = places
        # With thousands of connections this takes its time, which others need.
        took = time.thread_time() - began
        if took > _LONG_LOOK:
            self._again_at = time.monotonic() + _REST * took


_LONG_LOOK = 0.005
"""Seconds of a processor; a look at all descriptors that took longer is not taken again"""
_REST = 50
"""before so many times as long have passed."""

_directory = _Directory()


def _find(client: Address, server: Address, *, insist: bool = False) -> socket.socket:
    look = _directory.insist if insist else _directory.find
    found = look(client, server[1])
    if found is None:
        raise LookupError(f"no connection to {client}")
    return found


def _ends(found: socket.socket) -> tuple[Address, int] | None:
    try:
        return found.getpeername()[:2], found.getsockname()[1]
    except OSError:
        return None


def _copy_of(descriptor: int) -> socket.socket | None:
    """A connected TCP socket by a copy of its descriptor, which nobody can close and open anew
    between two looks at it; None if it is anything else.
    """
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        return _socket_of(os.dup(descriptor))
    except OSError:
        return None


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
