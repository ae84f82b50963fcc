"""An app of modules: mounting, names, piping, URLs, chains, events, maintenance."""

import asyncio
import os
import threading

import pieces
import pieces.over
import pieces.under
import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.MAINTAIN_INTERVAL = 0.1
app.mount("/", pieces)
app.extends(pieces.under)
app.overrides(pieces.over)
app.unroute("/unrouted/*", 410)


@app.on("before_mount")
def on_before_mount(was):
    app.g["MODELS"] = "loaded"
    app.store.set("num-nodes", 0)
    board.note("before_mount")


@app.mounted
async def mounted(was):
    await asyncio.sleep(0)
    board.note("mounted")


@app.before_umount
async def before_umount(was):
    await asyncio.sleep(0)
    board.note("before_umount")


@app.umounted
def umounted(was):
    board.note("umounted")


@app.maintain(2, threading=False)
def maintain_num_nodes(was, now, count):
    num_nodes = was.getlu("cluster.num-nodes")
    if app.store["num-nodes"] != num_nodes:
        app.store["num-nodes"] = num_nodes
        app.emit("cluster:num_nodes", num_nodes)


@app.on("cluster:num_nodes")
def on_num_nodes(was, num_nodes):
    app.g["SEEN"] = num_nodes
    board.note(f"nodes-{num_nodes}")


@app.route("/ranked")
def ranked(was):
    return "own"


# URLs -------------------------------------------------------------------------------------------


@app.route("/urls")
def urls(was):
    return was.API(
        index=was.urlfor("index"),
        toc=[was.urlfor("sub.pages.toc", 1), was.urlfor("sub.pages.toc", chapter=1)],
        absolute=was.urlfor("/index.htm"),
        function=was.urlfor(urls, a="b c"),
        base=was.baseurl("sub.pages.toc"),
        static=was.static("img/logo.png"),
        media=was.media("a b.txt"),
        other=was.urlfor(f"{__name__}:urls"),
    )


@app.route("/list/<kind>")
def listing(was, kind, page="1", order="name"):
    return was.API(next=was.urlpatch(page=int(page) + 1), same=was.partial("listing", order="age"))


# Chains -----------------------------------------------------------------------------------------


def is_superuser(was):
    if was.request.args.get("name") not in ("admin", "root"):
        return was.response("403 Permission Denied")
    return None


@app.route("/modify_profile")
@app.testpass_required(is_superuser)
def modify_profile(was, name=""):
    return f"{name} may"


config = board.folder / "config"
config.write_text("old")
config.chmod(0o666)


def reload_config(was, path):
    with open(path) as file:
        app.g["CONFIG"] = file.read()


@app.route("/config")
@app.if_file_modified(str(config), reload_config, interval=0)
def show_config(was):
    return app.g.get("CONFIG", "as it was")


def clear_memory(was, name):
    app.g["CLEARED"] = app.g.get("CLEARED", 0) + 1


@app.route("/query")
@app.if_cache_updated(["tables.users", "tables.photos"], clear_memory, interval=0)
def query(was):
    return str(app.g.get("CLEARED", 0))


@app.route("/update")
def update(was, table):
    was.setlu(table, "something")
    return "updated"


@app.on("setlu:cluster.num-nodes")
def table_updated(was, *args, **kargs):
    board.note(f"updated-{'-'.join(args)}")


def pre(name):
    def run(was):
        was.request.g.setdefault("ran", []).append(name)
        return "stopped by " + name if was.request.args.get("stop") == name else None

    return run


def post(was):
    board.note(f"post-{was.request.args.get('id')}")
    return "ignored"


@app.route("/chain")
@app.run_before(pre("1"), pre("2"))
@app.run_after(post)
def chain(was, id, stop=""):
    return "-".join(was.request.g["ran"])


# Events -----------------------------------------------------------------------------------------


@app.on("custom-event")
def on_custom_event(was, detail):
    board.note(f"custom-{detail}-{threading.current_thread().name.startswith('atila-event')}")


@app.on("custom-event")
def failing(was, detail):
    raise OSError(f"handler of {detail} failed")


@app.route("/make_event")
def make_event(was, detail):
    app.emit("custom-event", detail)
    return app.g["MODELS"]


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="parts")
