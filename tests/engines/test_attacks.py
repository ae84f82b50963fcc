"""Attacks that need more than one piece of software: requests that an Nginx in front and the server
behind it may read differently, and messages of WebSockets that never end.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.nginx import nginx
from support.servers import Server
from support.sockets import UPGRADE
from support.wire import Broken, Connection

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "attacked.py"

engines = ("skitai", "granian")

CONF = """
log_format plain '$request_method $request_uri $upstream_status';
upstream app {{ server 127.0.0.1:{port}; keepalive 4; }}
ignore_invalid_headers off;
underscores_in_headers on;
proxy_ignore_client_abort on;
proxy_http_version 1.1;
proxy_set_header Host $http_host;
server {{
    listen 80;
    server_name buffered;
    access_log {folder}/buffered.log plain;
    location / {{ proxy_pass http://app; proxy_set_header Connection ""; }}
}}
server {{
    listen 80;
    server_name unbuffered;
    access_log {folder}/unbuffered.log plain;
    location / {{
        proxy_pass http://app; proxy_set_header Connection ""; proxy_request_buffering off;
    }}
}}
server {{
    listen 80;
    server_name upgrading;
    access_log {folder}/upgrading.log plain;
    location / {{
        proxy_pass http://app;
        proxy_set_header Connection $http_connection;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header HTTP2-Settings $http_http2_settings;
    }}
}}
"""

CHUNKED = "Transfer-Encoding: chunked"
OBSCURED = {
    "plain": CHUNKED,
    "upper-case": "TRANSFER-ENCODING: CHUNKED",
    "space-before-colon": "Transfer-Encoding : chunked",
    "tab": "Transfer-Encoding:\tchunked",
    "vertical-tab": "Transfer-Encoding: \x0bchunked",
    "no-break-space": "Transfer-Encoding: \xa0chunked",
    "nul": "Transfer-Encoding: chunked\0",
    "unknown": "Transfer-Encoding: xchunked",
    "quoted": 'Transfer-Encoding: "chunked"',
    "parameter": "Transfer-Encoding: chunked;q=1",
    "comma-before": "Transfer-Encoding: ,chunked",
    "identity-after": "Transfer-Encoding: chunked, identity",
    "twice": f"{CHUNKED}\r\n{CHUNKED}",
    "other-after": f"{CHUNKED}\r\nTransfer-Encoding: cow",
    "other-before": f"Transfer-Encoding: identity\r\n{CHUNKED}",
    "folded": "Transfer-Encoding:\r\n chunked",
    "folded-into-another": f"X-One: 1\r\n {CHUNKED}",
    "behind-a-line-feed": f"X-One: 1\n{CHUNKED}",
    "behind-a-carriage-return": f"X-One: 1\r{CHUNKED}",
    "underscore": "Transfer_Encoding: chunked",
    "none": "X-One: 1",
}
"""Headers of chunks that one program may take for such, and another may not."""
CHUNKS = {
    "line-feed-after-size": "1\nZ\r\n0\r\n\r\n",
    "line-feed-after-chunk": "1\r\nZ\n0\r\n\r\n",
    "prefix-of-size": "0x1\r\nZ\r\n0\r\n\r\n",
    "sign-of-size": "+1\r\nZ\r\n0\r\n\r\n",
    "underscore-in-size": "1_0\r\n" + "Z" * 16 + "\r\n0\r\n\r\n",
    "size-that-overflows": "10000000000000001\r\nZ\r\n0\r\n\r\n",
    "extension": "1;a=b\r\nZ\r\n0\r\n\r\n",
    "line-feed-in-extension": "1;a\nb\r\nZ\r\n0\r\n\r\n",
    "carriage-return-in-extension": "1;a\rb\r\nZ\r\n0\r\n\r\n",
    "spills": "1\r\nZZ0\r\n\r\n",
    "trailer-with-length": "1\r\nZ\r\n0\r\nContent-Length: 60\r\n\r\n",
    "line-feed-after-trailer": "1\r\nZ\r\n0\r\nX: 1\n\r\n",
    "last-of-many-zeros": "1\r\nZ\r\n000000\r\n\r\n",
}
"""Bodies whose end is a matter of opinion, or of none."""
TWICE = "{}\r\nContent-Length: 0", "0\r\nContent-Length: {}"
LENGTHS = ("+{}", "0{}", "{},{}", "{} ", "{}\x0b", *TWICE)


class Proxy:
    """An Nginx in front of a server."""

    def __init__(self, port: int, folder: Path, server: Server) -> None:
        self.port, self._folder, self._server = port, folder, server

    def send(self, kind: str, request: str) -> bytes:
        """Send bytes, and no more after them; all that came back."""
        with Connection(self.port) as connection, contextlib.suppress(OSError, Broken):
            connection.send(request)
            connection.end_sending()
            return connection.read_to_end()
        return b""

    def check(self, kind: str, name: str) -> None:
        """No request reached the app that Nginx did not forward as one, and others get their
        answers and no one else's.
        """
        for number in range(3):
            with Connection(self.port) as other:
                headers = f"Host: {kind}\r\nConnection: close"
                target = f"/notes?name={name}&target=other{number}"
                other.send(f"GET {target} HTTP/1.1\r\n{headers}\r\n\r\n")
                answer = other.read()
                assert (answer.status, answer.text) == (200, f"other{number} 0")
        log = self._folder / f"{kind}.log"
        wait_until(lambda: f"name={name}&target=other2 " in log.read_text("latin-1"), "logged")
        pattern = rf"(\S+) \S+name={name}&target=(\w+) [^-]"
        lines = re.findall(pattern, log.read_text("latin-1"))
        forwarded = Counter(f"{method} {target}" for method, target in lines)
        reached = Counter(self._server.board.text(name).splitlines())
        assert not reached - forwarded, (reached, forwarded)
        assert all(reached[f"GET other{number}"] == 1 for number in range(3))


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    with nginx(folder, CONF.format(port=server.port, folder=folder)) as port:
        yield Proxy(port, folder, server)


def outer(kind: str, name: str, *lines: str, method: str = "POST", body: str = "") -> str:
    first = f"{method} /notes?name={name}&target=outer HTTP/1.1"
    return "\r\n".join((first, f"Host: {kind}", *lines)) + "\r\n\r\n" + body


def hidden(kind: str, name: str) -> str:
    return f"GET /notes?name={name}&target=hidden HTTP/1.1\r\nHost: {kind}\r\n\r\n"


KINDS = ("buffered", "unbuffered")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", OBSCURED.values(), ids=OBSCURED.keys())
def test_length_and_chunks(proxy: Proxy, name: str, kind: str, line: str) -> None:
    """CL.TE, TE.CL, TE.TE, and chunks alone."""
    inner = hidden(kind, name)
    by_length = f"0\r\n\r\n{inner}"
    by_chunks = f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n"
    size = f"Content-Length: {len(by_length)}"
    short = f"Content-Length: {by_chunks.index('G')}"
    for order in (1, -1):
        proxy.send(kind, outer(kind, name, *[size, line][::order], body=by_length))
        proxy.send(kind, outer(kind, name, *[short, line][::order], body=by_chunks))
    proxy.send(kind, outer(kind, name, line, body=by_length))
    proxy.send(kind, outer(kind, name, line, body=by_chunks))
    proxy.check(kind, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS.keys())
def test_ends_of_chunks(proxy: Proxy, name: str, kind: str, body: str) -> None:
    proxy.send(kind, outer(kind, name, CHUNKED, body=body + hidden(kind, name)))
    proxy.check(kind, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_lengths(proxy: Proxy, name: str, kind: str, method: str) -> None:
    """Those that are written oddly, and CL.0 and 0.CL, with a client that waits for 100, too."""
    inner = hidden(kind, name)
    for value in LENGTHS:
        line = f"Content-Length: {value.format(len(inner), len(inner))}"
        proxy.send(kind, outer(kind, name, line, method=method, body=inner))
    for expected in ("100-continue", "y 100-continue", "100-continue\r\nExpect: x"):
        lines = f"Content-Length: {len(inner)}", f"Expect: {expected}"
        proxy.send(kind, outer(kind, name, *lines, method=method, body=inner))
    proxy.check(kind, name)


@pytest.mark.parametrize("connection", ["Upgrade, HTTP2-Settings", "Upgrade"])
def test_no_tunnel_by_an_upgrade_to_http2(proxy: Proxy, name: str, connection: str) -> None:
    """With a proxy that passes on any upgrade, the rest would reach the server unseen."""
    lines = ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]
    lines.append(f"Connection: {connection}")
    inner = hidden("upgrading", name)
    came = proxy.send("upgrading", outer("upgrading", name, *lines, method="GET", body=inner))
    assert not came.startswith(b"HTTP/1.1 101"), came
    proxy.check("upgrading", name)


# Messages that never end ------------------------------------------------------------------------

MEGABYTE = 1024 * 1024
MOST = {"skitai": MEGABYTE // 4, "granian": 64 * MEGABYTE}
"""Bytes of a message that a server holds: WS_MAX_MESSAGE; granian's limit cannot be set."""
ALLOWED = {"skitai": 4 * MEGABYTE, "granian": 160 * MEGABYTE}
"""Bytes of memory for one such message, and for what is read at once."""


def frame(opcode: int, size: int) -> bytes:
    """A fragment of zeros, masked by zeros, with more to come."""
    if size < 126:
        head = bytes((opcode, 0x80 | size))
    else:
        head = bytes((opcode, 0xFF)) + size.to_bytes(8, "big")
    return head + bytes(4 + size)


@pytest.mark.memory
@pytest.mark.parametrize("size", [2, MEGABYTE // 8], ids=["tiny", "large"])
def test_a_message_that_never_ends(server: Server, size: int) -> None:
    if server.engine == "granian" and size == 2:
        pytest.skip("its limit would take minutes to be reached by tiny fragments")
    with server.connect() as connection:
        connection.ask("/echo", headers=UPGRADE)
        assert connection.read_head().status == 101
        before, grown, sent, round_ = server.resident(), 0, size, 0
        pieces = [frame(0, size)] * max(1, MEGABYTE // 16 // size)
        connection.send(frame(1, size))
        ended = False
        while not ended and sent < 2 * MOST[server.engine]:
            try:
                connection.send(b"".join(pieces))
            except OSError:
                ended = True
            sent += size * len(pieces)
            round_ += 1
            if round_ % 16 == 0:
                grown = max(grown, server.resident() - before)
        with contextlib.suppress(OSError):
            # 1009, or of granian no code, where the kernel has not dropped it, since more came than
            # the server read.
            assert re.match(rb"\x88.\x03\xf1|\x88\0|$", connection.read_to_end(), re.DOTALL)
            ended = True
        assert ended
        grown = max(grown, server.resident() - before)
        print(f"{server.engine}: {sent:,} bytes sent, {grown:,} more in memory")
        assert grown < ALLOWED[server.engine]
    assert server.get("/").text == "ready"
