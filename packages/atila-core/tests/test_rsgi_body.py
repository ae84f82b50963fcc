"""A streamed body over RSGI whose reader gives up waiting, at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from atila.engines.rsgi_body import Incoming


def test_a_piece_that_comes_while_its_reader_gives_up_is_not_lost() -> None:
    async def run() -> list[bytes]:
        arriving = [asyncio.get_running_loop().create_future() for _ in range(3)]

        async def pieces() -> AsyncIterator[bytes]:
            for each in arriving:
                yield await each

        scope: Any = SimpleNamespace(headers={"content-length": "6"}, http_version="1.1")
        incoming = Incoming(scope, pieces())
        found = []
        for number, each in enumerate(arriving):
            reader = asyncio.create_task(incoming.read(100))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            # Both in one turn of the loop.
            each.set_result(str(number).encode() * 2)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            found.append(await incoming.read(1))
            found.append(await incoming.read(100))
        return [*found, await incoming.read(1), await incoming.read(1)]

    assert asyncio.run(run()) == [b"0", b"0", b"1", b"1", b"2", b"2", b"", b""]
