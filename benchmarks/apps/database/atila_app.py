"""Atila: plain functions in worker threads; the second one gives its thread back at once."""

from typing import Any

from atila import Atila
from atila_tasks import DB_PGSQL
from benchmarks.apps.database.stock import ADDRESS, CONNECTIONS, FEW, LOW, ROW, SUMMARY, UP_TO

app = Atila(__name__)
app.alias("@stock", DB_PGSQL, ADDRESS, max_conns=CONNECTIONS)


@app.route("/row/<int:number>")
def row(was: Any, number: int) -> Any:
    return was.API(was.db("@stock").execute(ROW, number).one())


@app.route("/two")
def two(was: Any) -> Any:
    with was.db("@stock") as db:
        return was.Map(low=db.execute(LOW, FEW), summary__one=db.execute(SUMMARY, UP_TO))
