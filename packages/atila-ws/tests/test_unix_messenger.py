"""The way to another worker that has just ended, on the event loops that servers choose."""

import asyncio
import socket

import pytest

from atila_ws.delivery.envelope import Envelope
from atila_ws.delivery.unix_messenger import PREFIX, UnixMessenger


def runner(name):
    """asyncio.run, on a loop by name."""
    return asyncio.run if name == "asyncio" else pytest.importorskip("uvloop").run


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_nothing_is_delivered_to_a_worker_that_has_ended(loop, tmp_path):
    envelope = Envelope("client", "text", "x" * 100)

    async def ask_while_it_ends():
        messenger = UnixMessenger(tmp_path, None, "this", None)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / f"{PREFIX}other"))
            other.listen()
            first = asyncio.ensure_future(messenger.ask("other", envelope, 60.0))
            other.setblocking(False)
            connection, _ = await asyncio.get_running_loop().sock_accept(other)
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_recv(connection, 1)
            connection.close()
        later = []
        for _ in range(9):
            later.append(asyncio.ensure_future(messenger.ask("other", envelope, 60.0)))
            # In one of the next turns of the loop the transport is closed, and not yet read.
            await asyncio.sleep(0)
        return await asyncio.gather(first, *later)

    assert runner(loop)(ask_while_it_ends()) == [0] * 10
