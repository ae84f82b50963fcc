"""Handlers of bodies of unusual types."""

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


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="border_bodies")
