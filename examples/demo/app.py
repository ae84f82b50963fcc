"""The demo's handlers: each a function whose first argument is `was`, the request's context."""

import hashlib
import inspect
import os
import time
from typing import Annotated, Literal

import skitai
import store
from msgspec import Meta

from atila import Atila

app = Atila(__name__)


# A plain function -------------------------------------------------------------------------------


@app.route("/hello/<name>")
def hello(was, name, greeting="Hello"):
    return was.render("hello.j2", name=name, greeting=greeting)


# A coroutine ------------------------------------------------------------------------------------


@app.route("/three", coroutine=True)
def three(was):
    start = time.perf_counter()
    # They run at once; until the last of them has ended, this handler needs no thread.
    tasks = yield was.Tasks(
        query=was.Thread(clocked, start, store.mean_temperatures),
        hash=was.Thread(clocked, start, hash_password, "correct horse"),
        wait=was.Thread(clocked, start, time.sleep, 0.3),
    )
    return was.API(total=milliseconds(start), **tasks.fetch())


def clocked(start, func, *args):
    """When func(*args) began and ended, both in ms after `start`."""
    began = milliseconds(start)
    func(*args)
    return {"began": began, "ended": milliseconds(start)}


def milliseconds(start):
    return round((time.perf_counter() - start) * 1000, 1)


def hash_password(password):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), os.urandom(16), 300_000)


# An API -----------------------------------------------------------------------------------------


@app.route("/temperature", methods=["GET"])
def temperature(was, celsius: Annotated[float, Meta(ge=-273.15, le=1e6)]):
    # Anything else than such a number is answered with 400 and the reason.
    return {"fahrenheit": celsius * 9 / 5 + 32, "kelvin": celsius + 273.15}


# A WebSocket ------------------------------------------------------------------------------------


@app.route("/echo")
@app.websocket(skitai.WS_CHATTY, 60)
def echo(was):
    while True:
        message = yield
        if message is None:  # The client has left.
            break
        yield f"ECHO: {message}"


# Something stored -------------------------------------------------------------------------------


@app.route("/guestbook", methods=["GET"])
def guestbook(was):
    return {"entries": store.entries()}


# JSON only: a page of another site cannot send that here without asking (CORS), a form it could.
@app.route("/guestbook", methods=["POST"], content_types=["application/json"])
def sign(
    was,
    name: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"\S")],
    text: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")],
) -> tuple[dict[str, list[dict[str, str]]], Literal[201]]:
    store.add(name.strip(), text.strip())
    return {"entries": store.entries()}, 201


# The page ---------------------------------------------------------------------------------------


@app.route("/")
def index(was):
    return was.render("index.j2", sources=SOURCES)


def source(*functions):
    """The code of these functions as it runs, so that what the page shows cannot be outdated."""
    return "\n\n".join(inspect.getsource(function).rstrip() for function in functions)


SOURCES = {
    "hello": source(hello),
    "three": source(three, clocked, milliseconds, hash_password, store.mean_temperatures),
    "temperature": source(temperature),
    "echo": source(echo),
    "guestbook": source(guestbook, sign, store.entries, store.add, store.connect),
}
