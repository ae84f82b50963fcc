"""Transactions whose statements nobody waits for, while their database is restarted."""

import os

import skitai

from atila import Atila

app = Atila(__name__)

with skitai.preference() as pref:
    # The servers of tests keep nothing on the disk, unless they are asked to.
    lasting = {"synchronous_commit": "on"}
    address = os.environ["ATILA_POSTGRESQL"]
    skitai.alias("@mypg", skitai.DB_PGSQL, [address], max_conns=8, settings=lasting)


@app.route("/")
def index(was):
    return "ready"


@app.route("/setup")
def setup(was):
    was.db("@mypg").execute("CREATE TABLE IF NOT EXISTS paid (key text, side text)").commit()
    return ""


@app.route("/pay")
def pay(was, key):
    with was.db("@mypg", transaction=True) as db:
        db.insert("paid").set(key=key, side="from").execute()
        db.insert("paid").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/nested")
def pay_nested(was, key):
    with was.db("@mypg", transaction=True) as db:
        with was.db("@mypg", transaction=True) as inner:
            inner.insert("paid").set(key=key, side="from").execute()
        db.insert("paid").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/coroutine", coroutine=True)
def pay_coroutine(was, key):
    with was.db("@mypg", transaction=True) as db:
        yield db.insert("paid").set(key=key, side="from").execute()
        yield db.insert("paid").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/async")
async def pay_async(was, key):
    async with was.db("@mypg", transaction=True) as db:
        _ = await db.insert("paid").set(key=key, side="from").execute()
        _ = await db.insert("paid").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/once")
def pay_once(was, key):
    was.db("@mypg").execute(
        "INSERT INTO paid SELECT $1, side FROM unnest(ARRAY['from', 'to']) side", key
    ).commit()
    return "paid"


@app.route("/paid")
def paid(was):
    rows = was.db("@mypg").execute("SELECT key, count(*) AS n FROM paid GROUP BY key").fetch()
    return was.API({row.key: row.n for row in rows})


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="restarts")
