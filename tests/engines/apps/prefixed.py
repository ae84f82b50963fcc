"""An app behind a proxy that serves it below a path of its own."""

import os
from pathlib import Path

import skitai

from atila import Atila

app = Atila(__name__)
app.config.TRUSTED_PROXIES = ["127.0.0.1"]
app.config.OPENAPI_PATH = "/docs"
app.securekey = "a key that is no secret"
app.config.STATIC_ROOT = Path(__file__).with_name("static_prefixed")

inner = Atila("inner")
inner.config.TRUSTED_PROXIES = ["127.0.0.1"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/where/<name>")
def where(was, name, q=0):
    was.session["seen"] = name
    was.cookie.set("own", "1")
    return was.API(
        {
            "name": name,
            "path": was.request.path,
            "uri": was.request.uri,
            "host": was.request.host,
            "script": was.env["SCRIPT_NAME"],
            "info": was.env["PATH_INFO"],
            "urlfor": was.urlfor(where, "x y", q=1),
            "other": was.urlfor("inner:deep"),
            "patched": was.urlpatch(name="z"),
            "base": was.baseurl(where),
            "static": was.static("site.css"),
            "absolute": was.absolute(was.urlfor("index")),
            "this": was.absolute(),
        }
    )


@app.route("/leave")
def leave(was):
    return was.redirect(was.urlfor(where, "there"))


@app.route("/slashed/")
def slashed(was):
    return was.request.path


@app.route("/styles")
def styles(was):
    return was.Mounted(was.static("site.css"))


@app.route("/socket")
@app.websocket(skitai.WS_CHATTY, 60)
async def socket(was):
    await was.websocket.send(was.urlfor(where, "socket"))


@app.route("/pid")
def pid(was):
    return str(os.getpid())


@inner.route("/deep")
def deep(was):
    was.cookie.set("own", "1")
    return f"{was.request.path} {was.urlfor(deep)} {was.env['SCRIPT_NAME']} {was.env['PATH_INFO']}"


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.mount("/inner", inner, name="inner")
    skitai.run(port=5000)
