"""The port that a server listens on: refused at once, in one line, where it cannot be had."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from atila.errors import SetupError

Place = tuple[str, int]
"""Host and port."""


class PortError(SetupError):
    """The port cannot be had."""

    exit_status = 1


def refusal(host: str, port: int, error: OSError) -> PortError:
    """Why a port cannot be had, and how to mend that."""
    place = f"{f'[{host}]' if ':' in host else host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return PortError(
                f"{place} is in use. Mend: end the program that listens there, or use --port"
            )
        case errno.EACCES:
            return PortError(f"{place} is not for this user. Mend: use a --port from 1024 on")
        case errno.EADDRNOTAVAIL:
            return PortError(f"{host} is no address of this machine. Mend: use another --host")
    return PortError(f"{place} cannot be listened on: {error.strerror or error}")


def check(host: str, port: int) -> None:
    """Make sure that a port can be had now.

    Raises:
        PortError: another server listens there, or nobody may.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Else connections that are just over would be in the way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise refusal(host, port, error) from None


@contextlib.contextmanager
def all_claimed(places: Iterable[Place]) -> Iterator[None]:
    """The same as `claimed` for several places.

    Raises:
        PortError: see `check`.
    """
    with contextlib.ExitStack() as stack:
        for host, port in places:
            stack.enter_context(claimed(host, port))
        yield


def place_of(text: str, host: str) -> Place:
    """The place that "50051" or "0.0.0.0:50051" names.

    Args:
        text: as it is set.
        host: that of a port alone.
    """
    named, _, port = text.rpartition(":")
    return named.strip("[]") or host, int(port)


@contextlib.contextmanager
def claimed_socket(path: Path) -> Iterator[None]:
    """Make sure that no other server listens on a Unix socket, or begins to. One that a server left
    behind is removed.

    Raises:
        PortError: another listens there, or it cannot be made.
    """
    taken = PortError(f"{path} is in use. Mend: end the program that listens there, or use --uds")
    if not path.parent.is_dir():
        raise PortError(f"there is no folder {path.parent} for the socket. Mend: make it")
    with _locked(f"atila {path}", taken):
        if path.exists() or path.is_symlink():
            if not path.is_socket():
                raise PortError(f"{path} is there, and no socket. Mend: use another --uds")
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(os.fspath(path))
                except OSError:
                    path.unlink(missing_ok=True)
                else:
                    raise taken
        yield


@contextlib.contextmanager
def claimed(host: str, port: int) -> Iterator[None]:
    """Make sure that no other server listens on a port, or begins to; for one that would share it.

    granian's workers each listen by themselves (SO_REUSEPORT), and so would those of another.

    Raises:
        PortError: see `check`.
    """
    check(host, port)
    with _locked(f"atila {host} {port}", refusal(host, port, OSError(errno.EADDRINUSE, ""))):
        yield


@contextlib.contextmanager
def _locked(name: str, taken: PortError) -> Iterator[None]:
    """Hold a name that one process may have; where there are none, on Linux alone, do nothing."""
    if sys.platform != "linux":
        yield
        return
    # For the time until the first worker listens, in which the port itself shows nothing.
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind("\0" + name)
        except OSError:
            raise taken from None
        yield
