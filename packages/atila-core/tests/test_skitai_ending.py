"""The end of a worker of Skitai: what it has answered last is still sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rs4 import asyncore

from atila.skitai.loop_bridge import Pump
from atila.skitai.worker import Worker


class Ending(Worker):
    """It polls as Skitai does, without its resolver of names, which only a server has."""

    def __init__(self) -> None:
        pass

    def _poll(self, seconds: float = 0.1) -> None:
        asyncore.poll(seconds, asyncore.socket_map)


@pytest.fixture
def pump() -> Iterator[Pump]:
    pump = Pump()
    yield pump
    pump.close()


def test_calls_of_a_thread_that_has_ended_are_made(pump: Pump) -> None:
    worker, made = Ending(), []
    for number in range(50):
        # So short that it has mostly ended before it is looked at.
        worker._poll_beside(lambda seconds, number=number: pump.call(made.append, number), 1.0)
        assert made[-1:] == [number]
