"""The start of a site beside a server's loop."""

from __future__ import annotations

import asyncio

import pytest

from atila import Atila
from atila.engines import start
from atila.testing.waits import PATIENCE

ALONE = dict.fromkeys(("auth", "render", "tasks", "ws"))


def test_one_that_raises_stop_iteration_ends() -> None:
    app = Atila(__name__, layers=ALONE)

    @app.on("startup")
    def look(was):
        next(iter(()))

    async def run() -> None:
        await asyncio.wait_for(start.run(app.site), PATIENCE)

    with pytest.raises(RuntimeError) as error:
        asyncio.run(run())
    assert isinstance(error.value.__cause__, StopIteration)
