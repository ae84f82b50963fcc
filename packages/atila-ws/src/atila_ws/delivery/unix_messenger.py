"""Messages between the workers of one host: a Unix socket for each worker.

A frame is its length in 4 bytes, a number that the asker gives in 8, and an envelope; the answer
is the same number and a count, 8 bytes each. Messages of one worker to another keep their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING

from atila.runtime import server_run
from atila_ws.delivery.envelope import Envelope

if TYPE_CHECKING:
    from atila.runtime.loop import TaskLoop
    from atila_ws.delivery.messengers import Deliver

log = logging.getLogger("atila.ws")

PREFIX = "ws-"
BACKLOG = 128
LONGEST_PATH = 100
"""Bytes that a path in the address of a Unix socket may have, everywhere."""


class UnixMessenger:
    """See `Messenger`.

    Args:
        folder: the folder of the run; only this user may enter it.
        loop: the task loop.
        worker: the name of this process.
        deliver: see `Hub.deliver`.
    """

    def __init__(self, folder: Path, loop: TaskLoop, worker: str, deliver: Deliver) -> None:
        self._folder = folder
        self._loop = loop
        self._worker = worker
        self._deliver = deliver
        self._peers: dict[str, _Peer] = {}
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._served: set[asyncio.StreamWriter] = set()

    def listen(self) -> None:
        """See `Messenger`."""
        server_run.make(self._folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        hidden, name = f".{PREFIX}{self._worker}", f"{PREFIX}{self._worker}"
        with _address(self._folder, hidden) as address:
            listener.bind(address)
        listener.listen(BACKLOG)
        # Nobody may find it before it listens: it would be taken for a dead worker's.
        os.rename(self._folder / hidden, self._folder / name)
        self._listener = listener
        self._loop.spawn(self._serve())

    async def _serve(self) -> None:
        self._server = await asyncio.start_unix_server(self._answer, sock=self._listener)

    async def ask(self, worker: str, envelope: Envelope, patience: float) -> int:
        """See `Messenger`."""
        return await self._ask(worker, envelope.pack(), patience)

    async def ask_all(self, envelope: Envelope, patience: float) -> int:
        """See `Messenger`."""
        names = {path.name.removeprefix(PREFIX) for path in self._folder.glob(PREFIX + "*")}
        others = names - {self._worker}
        if not others:
            return 0
        data = envelope.pack()
        return sum(await asyncio.gather(*(self._ask(name, data, patience) for name in others)))

    async def _ask(self, worker: str, data: bytes, patience: float) -> int:
        peer = self._peers.get(worker)
        if peer is None or peer.is_over:
            peer = self._peers[worker] = _Peer(self._folder, worker)
        try:
            # The other worker gives up in time by itself; this is for one that hangs.
            async with asyncio.timeout(patience + 1.0):
                return await peer.ask(data)
        except TimeoutError:
            log.warning("the worker %s does not answer", worker)
            return 0
        except OSError:
            return 0  # It ended just now.
        finally:
            if peer.is_over and self._peers.get(worker) is peer:
                del self._peers[worker]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve another worker."""
        self._served.add(writer)
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                number = await reader.readexactly(8)
                outcome = self._deliver(Envelope.unpack(await reader.readexactly(size)))
                if _is_gone(writer):
                    return
                if isinstance(outcome, int):
                    writer.write(number + outcome.to_bytes(8, "big"))
                else:
                    self._loop.spawn(_tell(writer, number, outcome))
        except (asyncio.IncompleteReadError, OSError):
            pass  # It has ended.
        finally:
            self._served.discard(writer)
            writer.close()

    async def close(self) -> None:
        """See `Messenger`."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._folder / f"{PREFIX}{self._worker}")
            # The server closes its socket itself.
            (self._server or self._listener).close()
            self._listener = None
        for writer in tuple(self._served):
            writer.close()
        for peer in self._peers.values():
            peer.close()


async def _tell(writer: asyncio.StreamWriter, number: bytes, outcome: Awaitable[int]) -> None:
    count = await outcome
    if not _is_gone(writer):
        writer.write(number + count.to_bytes(8, "big"))


def _is_gone(writer: asyncio.StreamWriter | None) -> bool:
    """Whether the other end has left: asyncio's own loop would drop what is written then, uvloop
    raises RuntimeError.
    """
    return writer is not None and writer.is_closing()


class _Peer:
    """The connection to another worker, made when it is first asked."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.is_over = False
        self._folder = folder
        self._name = PREFIX + worker
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._waiting: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._task = asyncio.ensure_future(self._run())

    async def ask(self, data: bytes) -> int:
        """Have a parcel delivered; to how many clients."""
        if self.is_over or _is_gone(self._writer):
            return 0
        number = next(self._numbers)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        frame = len(data).to_bytes(4, "big") + number.to_bytes(8, "big") + data
        try:
            if self._writer is None:
                self._waiting.append(frame)
            else:
                self._writer.write(frame)
                await self._writer.drain()
            return await answer
        finally:
            self._answers.pop(number, None)

    async def _run(self) -> None:
        try:
            reader, self._writer = await self._connect()
            self._writer.writelines(self._waiting)
            while True:
                answer = await reader.readexactly(16)
                future = self._answers.get(int.from_bytes(answer[:8], "big"))
                if future is not None and not future.done():
                    future.set_result(int.from_bytes(answer[8:], "big"))
        except (asyncio.IncompleteReadError, OSError):
            pass  # It has ended; its clients are gone with it.
        finally:
            self.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with _address(self._folder, self._name) as address:
            try:
                return await asyncio.open_unix_connection(address)
            except ConnectionRefusedError:
                # It was killed, and left its name.
                with contextlib.suppress(OSError):
                    os.unlink(self._folder / self._name)
                raise

    def close(self) -> None:
        """Close it; waiting callers get the result that nothing was delivered."""
        self.is_over = True
        self._task.cancel()
        for future in self._answers.values():
            if not future.done():
                future.set_result(0)
        if self._writer is not None:
            self._writer.close()


class _address(contextlib.AbstractContextManager[str]):
    """The address of a socket in a folder, however long the folder's path is."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._handle = -1

    def __enter__(self) -> str:
        path = os.fspath(self._folder / self._name)
        if len(os.fsencode(path)) <= LONGEST_PATH:
            return path
        self._handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._handle}/{self._name}"

    def __exit__(self, *error: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
