"""Handlers of bodies of unusual types, and of answers that are seldom asked for."""

import datetime
import io

import skitai

from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


@app.route("/named", methods=["POST"])
def named(was, name):
    return name


@app.route("/raw", methods=["POST"])
def raw(was, mode="r"):
    return f"{mode} {len(was.request.body)}"


@app.route("/upload", methods=["POST"])
def upload(was, file):
    return f"{file.name} {file.size}"


@app.route("/written")
def written(was):
    file = io.BytesIO()
    file.write(b"written")
    return was.File(file, "text/plain")


@app.route("/reason/<way>")
def reason(was, way):
    if way == "raised":
        raise was.Error("488 Not My Fault")
    was.response.set_status("488 Not My\r\nX-Bad: 1" if way == "unsafe" else "488 Not My Fault")
    return iter(("a", "b")) if way == "streamed" else "ab"


@app.route("/created", methods=["POST"])
def created(was):
    answer = was.API(id=1, at=datetime.datetime(2024, 7, 1, 12))
    return was.response("201 Created", answer, {"X-One": "1"})


@app.route("/wanted")
def wanted(was):
    return was.API(name="x")


@app.route("/received")
def received(was):
    one = [value for name, value in was.exchange.headers() if name == "x-one"]
    return {"cookie": was.cookie.get("c"), "one": was.exchange.header("x-one"), "all": one}


@app.route("/set", methods=["POST"])
def set_header(was, name, value, way="set"):
    if way == "added":
        was.response.add_header(name, value)
    elif way == "raised":
        raise was.Error("409 Conflict", "no", headers=[(name, value)])
    else:
        was.response.set_header(name, value)
    return iter(("hel", "lo")) if way == "streamed" else "hello"


@app.route("/twice")
def twice(was):
    was.response.add_header("Content-Length", "3")
    was.response.add_header("Content-Length", "4")
    return "hello"


@app.route("/go", methods=["POST"])
def go(was, to):
    return was.redirect(to)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="border_bodies")
