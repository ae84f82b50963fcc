"""Atila: ``async def`` handlers that await their tasks."""

from typing import Any

from atila import Atila
from atila_tasks import DB_PGSQL
from benchmarks.apps.database.stock import ADDRESS, CONNECTIONS, FEW, LOW, ROW, SUMMARY, UP_TO

app = Atila(__name__)
app.alias("@stock", DB_PGSQL, ADDRESS, max_conns=CONNECTIONS)


@app.route("/row/<int:number>")
async def row(was: Any, number: int) -> Any:
    task = await was.db("@stock").execute(ROW, number)
    return was.API(task.one())


@app.route("/two")
async def two(was: Any) -> Any:
    with was.db("@stock") as db:
        return was.Map(low=db.execute(LOW, FEW), summary__one=db.execute(SUMMARY, UP_TO))
