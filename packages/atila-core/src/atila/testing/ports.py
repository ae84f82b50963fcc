"""Ports for servers of tests, which nobody else takes before the server binds them."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_DYNAMIC = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST = 10_000
_ENOUGH = 1_000


def _reserve() -> range:
    # Ports that the kernel gives to nobody by itself. Elsewhere than on Linux it takes those from
    # 49152 on (RFC 6335, section 6).
    first = int(_DYNAMIC.read_text().split()[0]) if _DYNAMIC.exists() else 49_152
    return range(_LEAST, first) if first >= _LEAST + _ENOUGH else range(first, 65_536)


def free_port() -> int:
    """A TCP port on which nobody listens, and which nobody else is given soon.

    A port that the kernel chooses, for a socket bound to port 0, may be given to another process as
    soon as that socket is closed: before the server, which is started meanwhile, binds it. A socket
    that stays bound until then does not suit all servers: they would have to set SO_REUSEADDR. So
    the port is outside of the range that the kernel chooses from, and the processes of a user on a
    machine count through these ports together: each is given again only after all the others.
    """
    ports = _reserve()
    counter = Path(tempfile.gettempdir(), f"atila-ports-{os.getuid()}")
    handle = os.open(counter, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        # Users begin at different places.
        last = int(text) if text.isdecimal() else random.choice(ports)
        for step in range(1, len(ports) + 1):
            port = ports[(last - ports[0] + step) % len(ports)]
            if _is_free(port):
                file.seek(0)
                file.write(f"{port:5d}")
                return port
    raise OSError("no TCP port is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of an earlier server that still linger are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
