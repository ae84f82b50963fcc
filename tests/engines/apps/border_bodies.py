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


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="border_bodies")
