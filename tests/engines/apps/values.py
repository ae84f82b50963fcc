"""Values of databases as answers, and what clients send as values for databases."""

import os
from collections import deque
from datetime import timedelta
from pathlib import Path

import skitai
from support.board import Board

from atila import Atila
from atila_ws import WS_REPORTY

app = Atila(__name__)
app.securekey = "a key of the tests, and of nothing else"
board = Board(os.environ["ATILA_BOARD"])

with skitai.preference() as pref:
    skitai.alias("@mypg", skitai.DB_PGSQL, [os.environ["ATILA_POSTGRESQL"]], max_conns=3)
    skitai.alias("@mylite", skitai.DB_SQLITE3, [str(board.folder / "values.db")])
    skitai.alias("@myredis", skitai.DB_REDIS, [os.environ["ATILA_REDIS"]])


@app.route("/")
def index(was):
    return "ready"


@app.route("/setup")
def setup(was):
    db = was.db("@mypg")
    db.execute("DROP TABLE IF EXISTS kept").commit()
    db.execute("CREATE TABLE kept (id int8 PRIMARY KEY, t text, j jsonb, n numeric)").commit()
    lite = was.db("@mylite")
    lite.execute("CREATE TABLE IF NOT EXISTS kept (id integer PRIMARY KEY, t text)").commit()
    return ""


READ = """
SELECT '6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e'::uuid AS uuid,
    '1 month 2 days'::interval AS months, '90 s'::interval AS seconds,
    '10:00+09'::timetz AS timetz, '[1,5)'::int4range AS range, '101'::bit(3) AS bits,
    '\\x00ff'::bytea AS bytes, '10.0.0.1'::inet AS inet, '10.0.0.0/8'::cidr AS cidr,
    '123456789012345678901234567890'::jsonb AS big, '1e400'::jsonb AS huge,
    '1.10'::numeric AS numeric, ARRAY['6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e'::uuid] AS uuids
"""


@app.route("/read")
def read(was):
    return was.API(was.db("@mypg").execute(READ).one())


@app.route("/row")
async def row(was):
    return was.db("@mypg").execute(READ)


@app.route("/python")
def python(was):
    return was.API(
        deque=deque([1, 2]), path=Path("/a"), delta=timedelta(days=1), big=2**70, key={2**70: 1}
    )


@app.route("/echo", methods=["GET", "POST"])
def echo(was, n):
    return was.API(n=n, kind=type(n).__name__)


@app.route("/session", methods=["POST"])
def session(was, n):
    was.session["n"] = n
    app.store["n"] = n
    return ""


@app.route("/session", methods=["GET"])
def seen(was):
    return was.API(session=was.session["n"], store=app.store["n"])


@app.route("/chat")
@app.websocket(WS_REPORTY, 60, encoding="json")
def chat(was, message):
    return {"n": message["n"] + 1, "delta": timedelta(seconds=1)}


@app.route("/<name>/keep", methods=["POST"])
def keep(was, name, id, t="", **more):
    db = was.db("@" + name)
    task = db.insert("kept").set(id=id, t=t, **more).execute()
    return was.API(count=task.fetch().rowcount)


@app.route("/<name>/async", methods=["POST"])
async def keep_async(was, name, id, t=""):
    async with was.db("@" + name, transaction=True) as db:
        task = await db.insert("kept").set(id=id, t=t).execute()
        count = task.fetch().rowcount
    return was.API(count=count)


@app.route("/<name>/kept")
def kept(was, name, id):
    return was.API(was.db("@" + name).select("kept").filter(id=id).execute().one())


@app.route("/<name>/change", methods=["POST"])
def change(was, name):
    db = was.db("@" + name)
    updated = db.update("kept").set(t="changed").filter(id__gte=100).execute().fetch().rowcount
    deleted = db.delete("kept").filter(id__gte=100).execute().fetch().rowcount
    return was.API(updated=updated, deleted=deleted)


@app.route("/document", methods=["POST"])
def document(was):
    value = was.request.JSON
    return was.API(was.db("@mypg").execute("SELECT $1::jsonb AS v", [value]).one())


@app.route("/redis", methods=["POST"])
def redis(was, n):
    db = was.db("@myredis")
    db.set("n", 2**62).commit()
    return was.API(n=db.incrby("n", n).fetch())


@app.route("/binary")
def binary(was):
    db = was.db("@myredis")
    db.set("binary", b"\x00\xff").commit()
    return was.API(v=db.get("binary").fetch())


@app.route("/prime")
def prime(was, gate):
    with was.db("@mypg", transaction=True) as db:
        db.execute("SELECT * FROM kept").commit()
        board.note(f"{gate}-primed")
        board.pass_gate(gate)
    return ""


@app.route("/alter")
def alter(was, column):
    was.db("@mypg").execute(f"ALTER TABLE kept ADD COLUMN {column} integer").commit()
    return ""


@app.route("/transaction")
def transaction(was):
    with was.db("@mypg", transaction=True) as db:
        db.execute("SELECT * FROM kept").fetch()
    return "done"


@app.route("/add")
def add(was, a, b):
    return a + b


@app.route("/durations")
def durations(was):
    return {"delta": timedelta(seconds=1), "deque": deque([1]), "path": Path("/a")}


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="values")
