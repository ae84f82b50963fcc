"""Hooks and events around requests, as the specification writes them."""

import asyncio
import os

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)


class JWTTokenChecker:
    def __call__(self, was):
        if was.request.args.get("token") == "bad":
            raise was.Error("400 Bad Request")
        return


class PermissionHandler:
    def __call__(self, was):
        if was.request.args.get("token") == "stranger":
            return was.response("403 Forbidden", "strangers stay out")
        return None


def counting(app, mntopt):
    @app.on("before_mount")
    def on_before_mount(was):
        app.g["TOTAL_REQUEST"] = 0
        app.g["FAILED_REQUEST"] = 0
        app.g["SUCCESS_REQUEST"] = 0

    @app.before_request
    def before_request(was):
        app.g["TOTAL_REQUEST"] += 1
        was.request.g["RESOURCE"] = board.note("opened") or "resource"

    @app.finish_request
    def finish_request(was, response):
        app.g["SUCCESS_REQUEST"] += 1

    @app.failed_request
    def failed_request(was, expt):
        app.g["FAILED_REQUEST"] += 1
        board.note(f"failed-{expt[0].__name__}-{was.request.args.get('id')}")

    @app.teardown_request
    def teardown_request(was):
        assert was.request.g.pop("RESOURCE") == "resource"
        board.note("closed")


def current(name):
    """What `skitai.was` says of a request, by its own name: in whatever runs for it."""
    assert skitai.was.app is app
    return skitai.was.request.args.get("id") == name and "-".join(
        (skitai.was.request.method, skitai.was.request.g.get("note", "")),
    )


def composing(app, mntopt):
    preprocessors = [JWTTokenChecker(), PermissionHandler()]

    @app.before_request
    def before_request(was):
        for p in preprocessors:
            response = p(was)
            if response:
                return response
        return None

    @app.finish_request
    async def finish_request(was, response):
        await asyncio.sleep(0)
        was.response.add_header("X-Custom", "some-value")
        return response + "--" if isinstance(response, str) else None


def listening(app, mntopt):
    @app.on("before_request")
    def on_before_request(was):
        was.response.set_header("X-Event", "has no effect")
        board.note(f"event-before-{was.request.args.get('id')}")

    @app.on("finish_request")
    def on_finish_request(was, response):
        board.note(f"event-finish-{response}-{was.request.args.get('id')}")
        raise OSError("an event fails and nobody cares")

    @app.on("failed_request")
    def on_failed_request(was, expt):
        board.note(f"event-failed-{expt[0].__name__}-{was.request.args.get('id')}")

    @app.on("teardown_request")
    def on_teardown_request(was):
        board.note(f"event-teardown-{was.request.args.get('id')}")


def services(app, mntopt):
    @app.route("/")
    def index(was):
        return "ready"

    @app.route("/def")
    def plain(was, id="", token=""):
        return "def"

    @app.route("/async")
    async def in_async(was, id="", token=""):
        return "async"

    @app.route("/fail")
    def fail(was, id):
        raise LookupError(id)

    @app.route("/counts")
    def counts(was):
        return f"{app.g['TOTAL_REQUEST']} {app.g['SUCCESS_REQUEST']} {app.g['FAILED_REQUEST']}"


class Package:
    """What a module with one hook looks like."""

    def __init__(self, name, hook):
        setattr(self, name, hook)


for hook in (counting, composing, listening):
    app.mount("/", Package("__setup__", hook))
app.mount("/", Package("__mount__", services))


@app.route("/current/<how>")
def current_by(was, how, id):
    skitai.was.request.g["note"] = how
    skitai.was.response.set_header("x-how", how)
    match how:
        case "handler":
            return current(id)
        case "thread":
            return was.Thread(current, id).fetch()
        case "stream":
            return (current(id) for _ in range(1))
        case "then":
            return was.Thread(current, id).then(lambda was, task: current(id))


@app.route("/current/async")
async def current_async(was, id):
    skitai.was.request.g["note"] = "async"
    await asyncio.sleep(0.001)
    skitai.was.response.set_header("x-how", "async")
    return current(id)


@app.route("/current/coroutine", coroutine=True)
def current_coroutine(was, id):
    was.request.g["note"] = "coroutine"
    task = yield was.Thread(current, id)
    skitai.was.response.set_header("x-how", "coroutine")
    return task.fetch() and current(id)


@app.on("asked")
def asked(was, id):
    assert skitai.was.app is was.app
    board.note(f"asked-{id}")


@app.route("/current/event")
def current_event(was, id):
    skitai.was.app.emit("asked", id)
    return "emitted"
