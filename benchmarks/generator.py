"""A load generator of our own: keep-alive connections over non-blocking sockets, no pipelining.

Each connection sends its next request when the answer to the last one is complete. Every answer
is checked: status 200 and the very body which was expected.
"""

import selectors
import socket
import time
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 "
STALL_SECONDS = 2.0
CHUNK_BYTES = 65536


@dataclass(slots=True)
class Tally:
    """What one run has counted. ``latencies`` and ``elapsed`` are seconds, ``cpu`` our own."""

    right: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def fail(self, reason: str) -> None:
        self.errors[reason] = self.errors.get(reason, 0) + 1


class Connection:
    """One keep-alive connection with at most one request under way."""

    __slots__ = ("buffer", "sent_at", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=STALL_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.sent_at = 0.0


class Generator:
    """Sends one request to one address, over and over, for a given time.

    ``body`` is the answer's; ``sent`` the request's, which makes it a POST of JSON.
    """

    def __init__(
        self,
        address: tuple[str, int],
        path: str,
        body: bytes,
        connections: int,
        sent: bytes = b"",
    ) -> None:
        self.address = address
        self.body = body
        self.connections = connections
        host, port = address
        head = f"{'POST' if sent else 'GET'} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        if sent:
            head += f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        self.request = head.encode() + b"\r\n" + sent
        self.usual_size = -1
        """Length of a whole answer seen before: one of this length needs no parsing."""

    def run(self, seconds: float) -> Tally:
        tally = Tally()
        started, cpu_started = time.perf_counter(), time.process_time()
        with selectors.DefaultSelector() as selector:
            try:
                for _ in range(self.connections):
                    self._connect(selector)
                self._exchange(selector, tally, started + seconds)
            except OSError as error:
                tally.fail(f"cannot connect: {error.strerror or error}")
            finally:
                tally.elapsed = time.perf_counter() - started
                tally.cpu = time.process_time() - cpu_started
                for key in list(selector.get_map().values()):
                    key.data.socket.close()
        return tally

    def _connect(self, selector: selectors.BaseSelector) -> None:
        connection = Connection(self.address)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        self._send(connection)

    def _send(self, connection: Connection) -> None:
        connection.sent_at = time.perf_counter()
        connection.socket.send(self.request)

    def _exchange(self, selector: selectors.BaseSelector, tally: Tally, deadline: float) -> None:
        clock, body, request = time.perf_counter, self.body, self.request
        while clock() < deadline:
            for key, _ in selector.select(0.1):
                connection: Connection = key.data
                try:
                    data = connection.socket.recv(CHUNK_BYTES)
                    if (
                        len(data) == self.usual_size
                        and not connection.buffer
                        and data.startswith(OK)
                        and data.endswith(body)
                    ):
                        now = clock()
                        tally.right += 1
                        tally.latencies.append(now - connection.sent_at)
                        connection.sent_at = now
                        connection.socket.send(request)
                    else:
                        self._read(selector, connection, data, tally)
                except OSError as error:
                    tally.fail(error.strerror or str(error))
                    self._replace(selector, connection)
        for key in selector.get_map().values():
            if clock() - key.data.sent_at > STALL_SECONDS:
                tally.fail(f"no answer in {STALL_SECONDS:.0f} s")

    def _read(
        self,
        selector: selectors.BaseSelector,
        connection: Connection,
        data: bytes,
        tally: Tally,
    ) -> None:
        """Whatever is not the usual answer in one piece."""
        if not data:
            tally.fail("connection closed without a whole answer")
            self._replace(selector, connection)
            return
        connection.buffer += data
        answer = parse(connection.buffer)
        if answer is None:
            return
        if answer.status != 200:
            tally.fail(f"status {answer.status}")
        elif answer.body != self.body:
            tally.fail("another body than expected")
        else:
            tally.right += 1
            tally.latencies.append(time.perf_counter() - connection.sent_at)
        if answer.closes:
            self._replace(selector, connection)
            return
        if answer.status == 200 and len(data) == len(connection.buffer):
            self.usual_size = len(data) if data.endswith(self.body) else -1
        connection.buffer = b""
        self._send(connection)

    def _replace(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        selector.unregister(connection.socket)
        connection.socket.close()
        self._connect(selector)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP/1.1 answer; ``closes`` when no other one follows on its connection."""

    status: int
    body: bytes
    closes: bool


def parse(data: bytes) -> Answer | None:
    """The answer in ``data`` (RFC 9112), or nothing as long as it is not complete."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _join_chunks(rest)
    else:
        size = int(headers.get("content-length", 0))
        body = rest if len(rest) >= size else None
    if body is None:
        return None
    closes = headers.get("connection", "").lower() == "close" or first.startswith("HTTP/1.0")
    return Answer(int(first.split(" ", 2)[1]), body, closes)


def _join_chunks(data: bytes) -> bytes | None:
    body = b""
    while True:
        line, separator, data = data.partition(b"\r\n")
        if not separator:
            return None
        size = int(line.split(b";")[0], 16)
        if len(data) < size + 2:
            return None
        if size == 0:
            return body
        body, data = body + data[:size], data[size + 2 :]
