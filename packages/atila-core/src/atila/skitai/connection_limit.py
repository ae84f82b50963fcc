"""How many connections one address may have to this worker: MAX_CONNECTIONS_PER_ADDRESS."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable

from atila.skitai.heads import plain_response

REFUSAL = plain_response(429, "too many connections from this address")
SHOWN_SECONDS = 0.5
"""How long a refused client has to read why, before its unread request resets the connection."""
SHOWN = 100
"""Refused clients that have that time at once; others are disconnected."""


class ConnectionLimit:
    """Counts the connections of each address. Main thread only.

    Args:
        most: the most connections of one address.
        trusts: whether an address is that of a trusted proxy, which has no limit.
        later: later(seconds, func) has func() called on the main thread after a while.
        is_secure: the connections are TLS.
    """

    def __init__(
        self,
        most: int,
        trusts: Callable[[str], bool],
        later: Callable[[float, Callable[[], object]], object],
        is_secure: bool,
    ) -> None:
        self._most = most
        self._trusts = trusts
        self._later = later
        self._is_secure = is_secure
        self._open: Counter[str] = Counter()
        self._refused: set[socket.socket] = set()

    def enter(self, address: str) -> bool:
        """Count a connection; False if it is one too many. Each that is counted must `leave`."""
        if self._open[address] >= self._most and not self._trusts(address):
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A connection has ended."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def refuse(self, connection: socket.socket) -> None:
        """Answer 429, and close. With TLS, which would take a handshake first, only that."""
        if self._is_secure or len(self._refused) >= SHOWN:
            connection.close()
            return
        with contextlib.suppress(OSError):
            connection.send(REFUSAL)
            connection.shutdown(socket.SHUT_WR)
        self._refused.add(connection)
        self._later(SHOWN_SECONDS, lambda: self._close(connection))

    def _close(self, connection: socket.socket) -> None:
        self._refused.discard(connection)
        connection.close()
