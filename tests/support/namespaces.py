"""Hosts on one machine: network namespaces of Linux, each with a link to the clients, which are
here, and another to what the hosts share, which can be cut.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Host:
    """Where a server runs.

    Attributes:
        here: the address by which it reaches this process, on the link that can be cut.
        options: of `support.servers.Server`: its namespace and its address.
        link: our end of that link; "" if the host is no more than a process.
    """

    here: str = "127.0.0.1"
    options: dict[str, Any] = field(default_factory=dict)
    link: str = ""

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing passes between it and what the hosts share; connections do not break."""
        _ip("link", "set", self.link, "down")
        try:
            yield
        finally:
            _ip("link", "set", self.link, "up")


@contextlib.contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """So many hosts in namespaces of their own; where those are not permitted, hosts without a
    network of their own, whose `link` is "".
    """
    with contextlib.ExitStack() as stack:
        yield [_host(stack, n) for n in range(number)]


def _host(stack: contextlib.ExitStack, number: int) -> Host:
    # At most 15 characters; the tests of several engines may run beside each other.
    name = f"at{os.getpid()}-{number}"
    if os.geteuid() or not shutil.which("ip") or not _ip("netns", "add", name, check=False):
        return Host()
    stack.callback(_ip, "netns", "del", name)
    if not _ip("-n", name, "link", "set", "lo", "up", check=False):
        return Host()
    # 198.18.0.0/15 is for tests of networks (RFC 2544); four addresses for each link.
    first = os.getpid() % 8192 * 16 + number * 8
    ours, link = (
        _link(stack, name, f"{name}{letter}", first + 4 * place)
        for place, letter in enumerate("cs")
    )
    prefix = ["ip", "netns", "exec", name]
    return Host(link[0], {"prefix": prefix, "address": ours[1]}, f"{name}s")


def _link(stack: contextlib.ExitStack, space: str, name: str, number: int) -> tuple[str, str]:
    """A link between this namespace and another: the addresses of both ends."""
    here, there = (_address(number + end) for end in (1, 2))
    _ip("link", "add", name, "type", "veth", "peer", "name", f"{name}x", "netns", space)
    stack.callback(_ip, "link", "del", name, check=False)
    _ip("addr", "add", f"{here}/30", "dev", name)
    _ip("link", "set", name, "up")
    _ip("-n", space, "addr", "add", f"{there}/30", "dev", f"{name}x")
    _ip("-n", space, "link", "set", f"{name}x", "up")
    return here, there


def _address(number: int) -> str:
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _ip(*arguments: str, check: bool = True) -> bool:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr}")
    return not done.returncode
