"""Handlers that wait for what others hold: a connection, a lock, a password hash, a hook.

Two worker threads, and three spare ones. What is scarce is held until a gate opens.
"""

import os
from contextlib import contextmanager

import skitai
from support.board import Board

from atila import Atila
from atila_auth import hash_password
from atila_auth.login import passwords

board = Board(os.environ["ATILA_BOARD"])
passwords._at_once = passwords.Gate(1)

app = Atila(__name__)
app.config.THREADS = 2
app.config.SPARE_THREADS = 3
app.realm = "scarce"
app.users = {"hans": hash_password("right", cost=4, block=1, parallel=1)}
skitai.alias("@one", skitai.DB_SQLITE3, str(board.folder / "one.db"), max_conns=1)


@app.route("/")
def index(was):
    return "ready"


# What holds it runs in a thread of its own, so that all of the handlers' are there for the others.


@app.route("/hold")
def hold(was, what, gate):
    was.Thread(holding[what], was, gate)
    board.wait_count(f"{gate}-held")
    return "held"


@contextmanager
def noted(gate):
    board.note(f"{gate}-held")
    yield
    board.pass_gate(gate)


def hold_connection(was, gate):
    with was.db("@one") as db:
        db.execute("create table if not exists seen (x)").commit()
    with was.db("@one", transaction=True) as db:
        db.execute("insert into seen values (1)").commit()
        with noted(gate):
            pass


def hold_store(was, gate):
    with was.g, noted(gate):
        pass


def hold_memory(was, gate):
    with app.g, noted(gate):
        pass


def hold_hash(was, gate):
    with passwords._at_once, noted(gate):
        pass


def hold_nothing(was, gate):
    board.note(f"{gate}-held")


holding = {
    "connection": hold_connection,
    "store": hold_store,
    "memory": hold_memory,
    "password": hold_hash,
    "hook": hold_nothing,
    "thread": hold_nothing,
}


@app.route("/connection")
def connection(was, gate):
    board.note(f"{gate}-asked")
    with was.db("@one") as db:
        db.execute("insert into seen values (2)").commit()
    return "done"


@app.route("/store")
def store(was, gate):
    board.note(f"{gate}-asked")
    was.g.incr("asked")
    return "done"


@app.route("/memory")
def memory(was, gate):
    board.note(f"{gate}-asked")
    with app.g:
        return "done"


async def waits(was):
    board.note(f"{was.request.args['gate']}-asked")
    await board.pass_gate_async(was.request.args["gate"])


@app.route("/hook")
@app.run_before(waits)
def hook(was, gate):
    return "done"


@app.route("/thread")
def thread(was, gate):
    board.note(f"{gate}-asked")
    was.Thread(board.pass_gate, gate).fetch()
    return "done"


@app.route("/password", authenticate="basic")
def password(was):
    return "done"


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
