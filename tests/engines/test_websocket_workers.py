"""Many worker processes: whoever sends, in whichever worker, reaches the client of a WebSocket; and
one of them runs the maintenance job that is to run once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest
from support.listeners import Listener, listening
from support.servers import USUAL, Server, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from atila.testing.waits import PATIENCE, patience, wait_until

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "sockets.py"
WORKERS = 4
CLIENTS = 200
PUSHES = 1000
LISTENERS = 20
EVENTS = 100
PUSHERS = 8
"""Pushes under way at a time."""
WAIT = PATIENCE

pytestmark = pytest.mark.unable("gunicorn", "WSGI has no WebSocket")


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    """A server of apps/sockets.py with four workers."""
    with serving(engine, SCRIPT, WORKERS) as server:
        yield server


class Client:
    """A client that connects again whenever it loses the connection, and counts what it gets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pid = 0
        self.client_id = ""
        self.got: Counter[str] = Counter()
        self.ready = asyncio.Event()
        self.socket: ClientConnection | None = None

    async def run(self) -> None:
        while True:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(self.url, proxy=None, compression=None) as socket:
                    await self._listen(socket)
            await asyncio.sleep(0.05)

    async def move(self) -> None:
        """Connect anew."""
        self.ready.clear()
        if self.socket is not None:
            await self.socket.close()
        await self.ready.wait()

    async def _listen(self, socket: ClientConnection) -> None:
        self.socket = socket
        pid, _, self.client_id = str(await socket.recv()).partition(" ")
        self.pid = int(pid)
        self.ready.set()
        try:
            while True:
                self.got[str(await socket.recv())] += 1
        except ConnectionClosed:
            self.ready.clear()


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[list[Client]]:
    clients = [Client(server.url("/clients", "ws")) for _ in range(CLIENTS)]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    try:
        async with asyncio.timeout(WAIT):
            await asyncio.gather(*(client.ready.wait() for client in clients))
            while len(spread := Counter(client.pid for client in clients)) < WORKERS:
                # The kernel chooses the worker; whoever came first may have got most of them.
                most, _ = spread.most_common(1)[0]
                moving = [client for client in clients if client.pid == most][:20]
                await asyncio.gather(*(client.move() for client in moving))
        yield clients
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(server: Server, path: str, **params: str) -> str:
    """GET on a connection of its own, so that any worker may answer it.

    Raises:
        OSError: it was not answered.
    """
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            target = f"{path}?{urlencode(params)}"
            writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head:
        raise ConnectionResetError
    assert head.split()[1] == b"200", head
    return body.decode() if b"chunked" not in head.lower() else body.split(b"\r\n")[1].decode()


async def push(server: Server, client: Client, text: str) -> int:
    """Push until it is delivered; the worker that answered.

    What was not answered, since the worker died, may have been delivered: so the client is asked
    whether it has it, when it is connected again.
    """
    async with asyncio.timeout(WAIT):
        while True:
            with contextlib.suppress(OSError):
                pid, _, delivered = (
                    await ask(server, "/push", client_id=client.client_id, text=text)
                ).partition(" ")
                if delivered == "True":
                    return int(pid)
            await asyncio.sleep(0.1)
            await client.ready.wait()
            if client.got[text]:
                return 0


async def push_all(
    server: Server, clients: list[Client], numbers: range, kill: int | None = None
) -> set[int]:
    """Push the numbers to the clients in turn; the workers that answered."""
    left = list(numbers)
    answered: set[int] = set()

    async def pusher() -> None:
        while left:
            number = left.pop()
            if kill is not None and len(left) == len(numbers) // 2:
                psutil.Process(kill).kill()
            client = clients[number % len(clients)]
            answered.add(await push(server, client, f"push {number}"))

    await asyncio.gather(*(pusher() for _ in range(PUSHERS)))
    return answered


async def has_all(clients: list[Client], expected: Counter[str]) -> None:
    deadline = time.monotonic() + patience()
    while (found := sum((client.got for client in clients), Counter())) != expected:
        assert time.monotonic() < deadline, (found - expected, expected - found)
        await asyncio.sleep(0.05)


def test_pushes_reach_clients_of_all_workers_once(server: Server) -> None:
    async def run() -> None:
        async with connected(server) as clients:
            answered = await push_all(server, clients, range(PUSHES))
            assert len(answered) > 1
            await has_all(clients, Counter({f"push {n}": 1 for n in range(PUSHES)}))
            for index, client in enumerate(clients):
                assert all(int(text.split()[1]) % CLIENTS == index for text in client.got)

    asyncio.run(run())


@pytest.mark.unable("hypercorn", "it replaces no worker that died, but ends")
def test_pushes_while_a_worker_is_killed(engine: str) -> None:
    async def run(server: Server) -> None:
        async with connected(server) as clients:
            victim = random.choice(clients).pid
            orphans = [client for client in clients if client.pid == victim]
            await push_all(server, clients, range(PUSHES), kill=victim)
            await has_all(clients, Counter({f"push {n}": 1 for n in range(PUSHES)}))
            await asyncio.gather(*(c.ready.wait() for c in clients))
            assert all(client.pid != victim for client in orphans)
            # The new worker's clients are reached as well.
            await push_all(server, orphans, range(PUSHES, PUSHES + len(orphans)))
            await has_all(clients, Counter({f"push {n}": 1 for n in range(PUSHES + len(orphans))}))

    with serving(engine, SCRIPT, WORKERS) as server:
        asyncio.run(run(server))


def test_broadcasts_reach_the_room_in_all_workers_once(server: Server, name: str) -> None:
    rounds, members = 50, 60

    async def member(pids: set[str], texts: list[list[str]]) -> None:
        url = server.url(f"/rooms/{name}?room={name}", "ws")
        async with connect(url, proxy=None, compression=None) as socket:
            await entered.put(None)
            got: list[str] = []
            texts.append(got)
            while len(got) < 2 * rounds:
                got.append(str(await socket.recv()))
            # Not one too many.
            with contextlib.suppress(TimeoutError):
                got.append(str(await asyncio.wait_for(socket.recv(), 0.3)))

    async def say(who: str) -> None:
        for number in range(rounds):
            counts.add(await ask(server, f"/rooms/{name}/say", text=f"{who}{number}"))

    async def run() -> None:
        nonlocal entered
        entered = asyncio.Queue()
        texts: list[list[str]] = []
        tasks = [asyncio.create_task(member(set(), texts)) for _ in range(members)]
        for _ in range(members):
            await asyncio.wait_for(entered.get(), WAIT)
        await asyncio.gather(say("a"), say("b"))
        await asyncio.wait_for(asyncio.gather(*tasks), WAIT)
        for got in texts:
            assert [t for t in got if t[0] == "a"] == [f"a{n}" for n in range(rounds)]
            assert [t for t in got if t[0] == "b"] == [f"b{n}" for n in range(rounds)]
            assert len(got) == 2 * rounds

    entered: asyncio.Queue[None] = asyncio.Queue()
    counts: set[str] = set()
    asyncio.run(run())
    assert counts == {str(members)}


@pytest.mark.unable("hypercorn", "it replaces no worker that died, but ends")
def test_events_while_a_worker_is_killed(server: Server, name: str) -> None:
    async def said(text: str, listeners: list[Listener]) -> list[str]:
        """Broadcast it until it is known to be sent; all that was."""
        try:
            await ask(server, f"/rooms/{name}/broadcast", text=text)
        except OSError:
            # The worker that was to answer was killed: was it kept before? A later message that has
            # come tells, since they come in order.
            after = await said(f"after {text}", listeners)
            while not listeners[0].got[after[-1]]:  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.05)
            again = [text] if listeners[0].got[text] else await said(text, listeners)
            return [*after, *again]
        return [text]

    async def run() -> None:
        urls = [server.url(f"/rooms/{name}/updates")] * LISTENERS
        async with listening(urls, WAIT, WORKERS) as listeners:
            left, sent = list(range(EVENTS)), list[str]()

            async def speaker() -> None:
                while left:
                    number = left.pop()
                    if number == EVENTS // 2:
                        psutil.Process(listeners[-1].pid).kill()
                    sent.extend(await said(f"event {number}", listeners))

            began, connections = time.monotonic(), listeners[-1].connections
            await asyncio.gather(*(speaker() for _ in range(PUSHERS)))
            expected = Counter(sent)
            assert set(expected.values()) == {1}
            deadline = time.monotonic() + patience()
            while any(listener.got != expected for listener in listeners):
                assert time.monotonic() < deadline, [x.got - expected for x in listeners]
                await asyncio.sleep(0.05)
            print(f"{len(sent)} events to {LISTENERS}: {time.monotonic() - began:.2f} s")
            # All in one order, whichever worker they came from.
            assert all(listener.order == listeners[0].order for listener in listeners)
            assert listeners[-1].connections > connections
            assert len(listeners[0].order) >= EVENTS

    asyncio.run(run())


def test_a_job_of_one_worker_goes_to_another_when_that_is_killed(server: Server) -> None:
    seconds = 1.0

    def digests() -> list[tuple[int, float]]:
        lines = server.board.text("digests").split("\n")[:-1]
        return [(int(pid), float(at)) for pid, at in map(str.split, lines)]

    begun = len(digests())
    wait_until(lambda: len(digests()) >= begun + 3, log=server.log)
    holder, killed_at = digests()[-1][0], time.monotonic()
    psutil.Process(holder).kill()
    wait_until(lambda: digests()[-1][0] != holder, log=server.log)
    assert digests()[-1][1] - killed_at < patience(2 * seconds)
    wait_until(lambda: len(digests()) >= begun + 6, log=server.log)
    times = [at for _, at in digests()]
    # However many workers there are: not more often than one would. One run may begin late, though.
    assert times[-1] - times[0] > 0.7 * seconds * (len(times) - 1)
