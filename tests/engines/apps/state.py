"""State that workers share, and logs."""

import os

import skitai

from atila import Atila

app = Atila(__name__)
# A first value, written by each worker when it starts.
app.store.set("num-nodes", 1)
app.config.ACCESS_LOG = "json"
seen = []


@app.on("setlu:tables.users")
def updated(was, *args):
    seen.append(list(args))


@app.before_mount
def prepare(was):
    app.g["TOTAL_REQUEST"] = 0


@app.before_request
def count(was):
    app.g.incr("TOTAL_REQUEST")


def answer(was, value):
    was.response.set_header("Content-Type", "application/json")
    was.response.set_header("X-Worker", str(os.getpid()))
    import orjson

    return orjson.dumps(value)


@app.route("/")
def index(was):
    return answer(was, "ready")


@app.route("/set")
def set_value(was, value):
    app.store.set("num-nodes", int(value))
    was.g["LOADED_MODELS"] = ["a", value]
    skitai.g["from skitai"] = value
    return answer(was, None)


@app.route("/get")
def get_value(was):
    values = [app.store.get("num-nodes"), was.g.get("LOADED_MODELS"), skitai.g.get("from skitai")]
    return answer(was, values)


@app.route("/incr")
def incr(was):
    return answer(was, app.store.incr("hits"))


@app.route("/setlu")
def setlu(was, detail):
    return answer(was, was.setlu("tables.users", detail))


@app.route("/getlu")
def getlu(was):
    return answer(was, {"time": was.getlu("tables.users"), "seen": seen})


@app.route("/total")
def total(was):
    return answer(was, app.g["TOTAL_REQUEST"])


@app.route("/log")
def log(was, text, password=""):
    was.log(text)
    try:
        raise LookupError("as planned")
    except LookupError:
        was.traceback("find-me")
    return answer(was, was.request_id)


@app.route("/fail")
def fail(was):
    raise RuntimeError("not planned")


@app.route("/stream")
def stream(was, n=""):
    return iter(["one", "two"])


if __name__ == "__main__":
    skitai.register_g("tables.users", "tables.photos")
    skitai.mount("/", app)
    skitai.run(port=5000, name="state")
