"""What the app of calling.py calls: a server of our own."""

import os

import skitai

from atila import Atila

app = Atila(__name__)
app.config.MAX_BODY_SIZE = 64 * 1024 * 1024


@app.route("/")
def index(was):
    return "ready"


@app.route("/api/profiles/<int:id>")
def profile(was, id, limit=0, name=None):
    return was.API(method=was.request.method, id=id, limit=limit, name=name)


@app.route("/add")
def add(was, a, b):
    return a + b


@app.route("/echo", methods=["GET", "POST"])
def echo(was, **_):
    kind = was.request.get_header("content-type")
    body = bytes(was.exchange.body)
    return was.response(200, body, [("content-type", kind)] if kind else [])


@app.route("/told", methods=["GET", "POST"])
def told(was, **_):
    return was.API(
        headers=dict(was.exchange.headers()), query=was.exchange.query, path=was.exchange.path
    )


@app.route("/form", methods=["POST"])
def form(was, name, file):
    return was.API(name=name, file=file.name, size=file.size)


@app.route("/file")
def file(was):
    was.response.set_header("cache-control", "max-age=7")
    return was.File(os.path.abspath(__file__))


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="upstream")
