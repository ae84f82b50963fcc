"""The app under trial: something of each kind, and an account of what was written."""

import asyncio
import gc
import hashlib
import os
import sys
import threading
from pathlib import Path

import skitai

from atila import Atila

PIECE = b"0123456789abcdef" * 256
TABLES = (
    "CREATE TABLE IF NOT EXISTS paid (key text, side text)",
    "CREATE INDEX IF NOT EXISTS paid_key ON paid (key)",
    "CREATE TABLE IF NOT EXISTS item (id int PRIMARY KEY, name text)",
    "INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 200) n ON CONFLICT DO NOTHING",
)
BLOB = Path(os.environ["TRIAL_BLOB"])

app = Atila(__name__)
app.securekey = "a key of the trials alone"
app.config.HEALTH_PATH = "/health"
app.config.MAX_UPLOAD_SIZE = 64 << 20
if folder := os.environ.get("TRIAL_UPLOADS"):
    app.config.UPLOAD_FOLDER = folder
if shared := os.environ.get("TRIAL_SHARED"):
    app.shared = shared

with skitai.preference() as pref:
    lasting = {"synchronous_commit": "on"}
    skitai.alias(
        "@pg", skitai.DB_PGSQL, [os.environ["TRIAL_POSTGRESQL"]], max_conns=8, settings=lasting
    )
    if bad := os.environ.get("TRIAL_UPSTREAM"):
        skitai.alias("@bad", skitai.PROTO_HTTP, [bad])


@app.route("/")
def plain(was):
    return "hello"


@app.route("/pid")
def pid(was):
    return str(os.getpid())


@app.route("/setup")
def setup(was):
    for statement in TABLES:
        was.db("@pg").execute(statement).commit()
    return ""


@app.route("/item/<int:id>")
def item(was, id):
    row = was.db("@pg").execute("SELECT id, name FROM item WHERE id = $1", id).one()
    return was.API(id=row.id, name=row.name)


@app.route("/pay", methods=["POST"])
def pay(was, key):
    with was.db("@pg", transaction=True) as db:
        db.insert("paid").set(key=key, side="from").execute()
        db.insert("paid").set(key=key, side="to").execute()
    return "paid"


@app.route("/pay/async", methods=["POST"])
async def pay_async(was, key):
    async with was.db("@pg", transaction=True) as db:
        _ = await db.insert("paid").set(key=key, side="from").execute()
        _ = await db.insert("paid").set(key=key, side="to").execute()
    return "paid"


@app.route("/page")
def page(was):
    rows = [{"id": n, "name": f"<{n}>"} for n in range(30)]
    return was.render("page.j2", title="Trial", rows=rows)


@app.route("/visit")
def visit(was):
    count = (was.session.get("visits") or 0) + 1
    was.session.set("visits", count)
    return str(count)


@app.route("/upload", methods=["POST"])
def upload(was, file):
    with file.open() as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@app.route("/keep", methods=["POST"])
def keep(was, file):
    """An upload that lasts: beside what it replaces until it is whole."""
    file.save(os.environ["TRIAL_UPLOADS"], name=file.name, dup="o")
    return "kept"


@app.route("/download")
def download(was):
    return was.File(str(BLOB), "application/octet-stream")


@app.route("/stream")
async def stream(was):
    async def pieces():
        for _ in range(16):
            yield PIECE
            await asyncio.sleep(0)

    return pieces()


@app.route("/events")
def events(was):
    was.response.set_header("X-Pid", str(os.getpid()))
    return was.EventStream(rooms=["trial"])


@app.route("/say", methods=["POST"])
def say(was, text):
    return str(app.broadcast("trial", text))


@app.route("/echo")
@app.websocket(skitai.WS_CHATTY, 60)
def echo(was):
    while True:
        message = yield
        if not message:
            break
        yield message


@app.route("/count", methods=["POST"])
def count(was):
    return str(app.store.incr("count"))


@app.route("/note", methods=["POST"])
def note(was, text):
    app.store.set("note", text)
    return ""


@app.route("/counted")
def counted(was):
    return str(app.store.get("count") or 0)


@app.route("/ask/<kind>")
async def ask(was, kind):
    answer = await was.get(f"@bad/{kind}", timeout=2)
    return str(answer.fetch())


@app.route("/inside")
async def inside(was):
    """What a process knows of itself."""
    return was.API(
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        blocks=sys.getallocatedblocks(),
        objects=len(gc.get_objects()),
        pid=os.getpid(),
    )


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="trial")
