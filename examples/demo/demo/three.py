"""Three tasks at once."""

import hashlib
import os
import time

from demo import store
from demo.site import app


@app.route("/three", methods=["GET"], coroutine=True)
def three(was):
    start = time.perf_counter()
    # They run at once; until the last has ended, this handler needs no thread.
    tasks = yield was.Tasks(
        query=was.Thread(clocked, start, store.mean_temperatures),
        hash=was.Thread(clocked, start, hash_password, "correct horse"),
        wait=was.Thread(clocked, start, time.sleep, 0.3),
    )
    return was.API(total=milliseconds(start), **tasks.fetch())


def clocked(start, func, *args):
    """When func(*args) began and ended, in ms after `start`."""
    began = milliseconds(start)
    func(*args)
    return {"began": began, "ended": milliseconds(start)}


def milliseconds(start):
    return round((time.perf_counter() - start) * 1000, 1)


def hash_password(password):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), os.urandom(16), 300_000)
