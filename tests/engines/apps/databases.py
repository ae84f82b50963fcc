"""Databases, as the specification writes them."""

import os
import threading

import skitai
from sqlphile import Q
from support.board import Board

from atila import Atila
from atila_tasks.upstream.aliases import resolve
from atila_tasks.upstream.balancing import seats_of

board = Board(os.environ["ATILA_BOARD"])
address = os.environ["ATILA_POSTGRESQL"]
app = Atila(__name__)
app.config.THREADS = int(os.environ.get("ATILA_THREADS", "32"))

skitai.register_g("tables.users", "table.photos")

with skitai.preference() as pref:
    skitai.alias("@mypg", skitai.DB_PGSQL, [address], max_conns=5)
    skitai.alias("@mylite", skitai.DB_SQLITE3, [str(board.folder / "sqlite3.db")])
    skitai.alias("@mydb", skitai.DB_SQLITE3, [str(board.folder / "sqlite3.db")])
    skitai.alias("@members", skitai.DB_PGSQL, [f"{address} 20", f"{address} 10"])
    skitai.alias("@pool", skitai.DB_PGSQL, [address], max_conns=1, pool_timeout=0.3)
    skitai.alias("@wrong", skitai.DB_PGSQL, [os.environ["ATILA_WRONG"]])


@app.route("/")
def index(was):
    return "ready"


TABLES = """
DROP TABLE IF EXISTS my_table, foo, tble, pair, cached, single;
CREATE TABLE my_table (id serial PRIMARY KEY, name text);
INSERT INTO my_table (name) VALUES ('Hans');
CREATE TABLE foo (id serial, created_at timestamp, from_wallet_id int, detail text);
INSERT INTO foo (created_at, from_wallet_id, detail)
    SELECT now() + i * interval '1 s', i % 10, 'Tx' FROM generate_series(1, 200) i;
CREATE TABLE tble (id int PRIMARY KEY, name text);
INSERT INTO tble SELECT i, 'name ' || i FROM generate_series(1, 250) i;
CREATE TABLE pair (key text, side text);
CREATE TABLE cached (n text);
INSERT INTO cached VALUES ('0');
CREATE TABLE single (a text PRIMARY KEY)
"""


@app.route("/setup")
def setup(was):
    for statement in TABLES.split(";"):
        was.db("@mypg").execute(statement).commit()
    db = was.db("@mylite")
    db.execute("CREATE TABLE user (id integer PRIMARY KEY, password text)").commit()
    db.insert("user").set(password="hunter2").execute().commit()
    return ""


# Statements


@app.route("/sqlphile")
def sqlphile(was, name):
    with was.db("@mypg") as db:
        task = (
            db.select("my_table")
            .filter(name="Hans")
            .with_("a", db.insert("my_table").set(name=name).returning("name"))
        ).execute()
    rows = task.fetch()
    row = was.db("@mypg").select("my_table").filter(name=name).execute().one()
    return was.API(rows=rows, id=row.id, name=row["name"])


@app.route("/bench/sp", methods=["GET"])
def bench_sp(was):
    with was.db("@mypg") as db:
        root = (
            db.select("foo")
            .order_by("-created_at")
            .limit(10)
            .filter(Q(from_wallet_id=8) | Q(detail="ReturnTx"))
        )

        return was.Map(
            was.Thread(int, args=("3",)),  # no need map
            files=was.Subprocess("ls /"),
            result=root.clone().execute(),
            record_count__one=root.clone().aggregate("count (id) as cnt").execute(),
        )


def hide_password(rows):
    for row in rows:
        row.password = "****"
    return rows


@app.route("/users")
def users(was):
    return was.Map(
        files=was.Subprocess("echo a b", filter=lambda x: x.replace(" ", "_")),
        result=was.db("@mydb", filter=hide_password).execute("select * from user"),
    )


@app.route("/datalist")
def datalist(was):
    task = was.db("@mylite").execute("select * from user")
    return was.API(result=task.fetch())


@app.route("/datalist/map")
def datalist_map(was):
    task = was.db("@mylite").execute("select * from user")
    return was.Map(result=task)


@app.route("/then")
def then(was):
    def respond(was, task):
        return was.API(result=task.fetch(), a=task.meta.get("a"))

    return was.db("@mylite", meta={"a": 1}).execute("select * from user").then(respond)


@app.route("/thread_future", methods=["GET"])
def thread_future_respond(was):
    def respond(was, a):
        was.db("@mydb").execute("select * from user").commit()
        return was.API(result=a)

    return was.ThreadPass(respond, args=(4.0,))


@app.route("/download_csv", coroutine=True)
def download_csv(was):
    fetch_count = 100
    yield "ID, NAME\n"
    current_id = 0
    while 1:
        # fmt: off
        task = yield (was.db("@mypg").select("tble")
                        .get("id, name")
                        .filter(id__gt = current_id).
                        limit(fetch_count)).execute()
        # fmt: on
        rows = task.fetch()
        if not rows:
            break
        current_id += fetch_count
        yield "\n".join(['{}, "{}"'.format(row.id, row.name) for row in rows])  # noqa: UP032


@app.route("/million", coroutine=True)
def million(was):
    statement = "SELECT i, repeat('x', 90) AS t FROM generate_series(1, 1000000) i"
    cursor = was.db("@mypg").cursor(statement, size=2000)
    while rows := (yield cursor.next()).fetch():
        board.note("pieces")
        yield "".join(f"{row.i} {row.t}\n" for row in rows)


@app.route("/two/async")
async def two_async(was):
    db = was.db("@mypg")
    tasks = await was.Tasks(
        one=db.execute("SELECT $1::int AS a", 1), two=db.execute("SELECT $1::int AS a", 2)
    )
    return was.API(tasks.fetch())


@app.route("/members")
def members(was):
    results = was.db.map("@members").execute("SELECT 1 AS one").dispatch()
    good = [result.data for result in results if result.status == skitai.STA_NORMAL]
    return was.API(map=good, lb=was.db.lb("@members").execute("SELECT 1 AS one").fetch())


# Transactions


@app.route("/pay")
def pay(was, key, fail=False):
    with was.db("@mypg", transaction=True) as db:
        db.insert("pair").set(key=key, side="from").execute().commit()
        if fail:
            raise was.Error("409 Conflict", "changed my mind")
        db.insert("pair").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/coroutine", coroutine=True)
def pay_coroutine(was, key, fail=False):
    with was.db("@mypg", transaction=True) as db:
        yield db.insert("pair").set(key=key, side="from").execute()
        if fail:
            raise was.Error("409 Conflict", "changed my mind")
        yield db.insert("pair").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/async")
async def pay_async(was, key, fail=False):
    async with was.db("@mypg", transaction=True) as db:
        _ = await db.insert("pair").set(key=key, side="from").execute()
        if fail:
            raise was.Error("409 Conflict", "changed my mind")
        _ = await db.insert("pair").set(key=key, side="to").execute()
    return "paid"


@app.route("/paid")
def paid(was, key):
    return str(len(was.db("@mypg").select("pair").filter(key=key).execute().fetch()))


@app.route("/twice")
def twice(was):
    with was.db("@mypg", transaction=True) as db:
        for _ in range(2):
            db.execute("SELECT pg_sleep(0.01)").fetch()
    return "twice"


# Cache


@app.route("/update")
def update(was, value):
    was.db("@mypg", rm_cache="tables.users").execute("UPDATE cached SET n = $1", value).commit()
    return ""


@app.route("/query")
def query(was):
    rows = was.db("@mypg", use_cache="tables.users").execute("SELECT n FROM cached").fetch()
    row = dict(rows[0])
    # What a handler does with its rows is its own affair.
    rows[0].n = "changed"
    return was.API(n=row["n"], pid=os.getpid())


@app.route("/query2")
def query2(was):
    names = ["tables.users", "table.photos"]
    task = was.db("@mypg", use_cache=names).execute("SELECT n FROM cached")
    return was.API(n=task.one().n)


@app.route("/behind")
def behind(was, value):
    was.db("@mypg").execute("UPDATE cached SET n = $1", value).commit()
    return ""


@app.on("setlu:tables.users")
def table_updated(was, *args, **kargs):
    board.note("updated")


# Faults


@app.route("/one")
def one(was):
    return was.API(was.db("@mypg").execute("SELECT 1 AS a").one())


@app.route("/sleep")
def sleep(was, timeout=600.0):
    was.db("@mypg", timeout=float(timeout)).execute("SELECT pg_sleep(600)").commit()
    return "slept"


@app.route("/sleep/async")
async def sleep_async(was, timeout=600.0):  # noqa: ASYNC109 - a parameter of the request
    task = await was.db("@mypg", timeout=float(timeout)).execute("SELECT pg_sleep(600)")
    task.commit()
    return "slept"


@app.route("/unique")
def unique(was):
    was.db("@mypg").insert("single").set(a="hunter2").execute().commit()
    return "first"


@app.route("/wrong")
def wrong(was):
    was.db("@wrong").execute("SELECT 1").fetch()
    return "right"


@app.route("/hold")
def hold(was, gate):
    with was.db("@pool", transaction=True) as db:
        db.execute("SELECT 1").commit()
        board.note(f"{gate}-held")
        board.pass_gate(gate)
    return "held"


@app.route("/wait")
def wait(was):
    return was.API(was.db("@pool").execute("SELECT 1 AS a").one())


@app.route("/blocking")
async def blocking(was):
    try:
        was.db("@mypg").execute("SELECT 1").fetch()
    except RuntimeError as error:
        return str(error)


@app.route("/counts")
def counts(was):
    interface = seats_of(was.site, resolve(was, "@mypg")).all[0]._interface
    return was.API(
        threads=threading.active_count(),
        tasks=was.site.loop.busy,
        connections=interface.pool.open,
        busy=interface.pool.busy,
        held=len(interface.holders),
    )


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="databases")
