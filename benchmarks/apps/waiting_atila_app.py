"""Atila: an ``async def`` and a generator coroutine that wait for another site."""

import os
from typing import Any

from atila import Atila
from atila_tasks import PROTO_HTTP

UPSTREAM = os.environ["UPSTREAM"]

app = Atila(__name__)


@app.route("/late")
async def late(was: Any) -> Any:
    task = await was.stub("@upstream").get("/")
    return was.API(task.fetch())


@app.route("/late-yielding", coroutine=True)
def late_yielding(was: Any) -> Any:
    with was.stub("@upstream") as stub:
        task = yield stub.get("/")
    return was.API(task.fetch())


app.alias("@upstream", PROTO_HTTP, [UPSTREAM.removeprefix("http://")], max_conns=2000)
