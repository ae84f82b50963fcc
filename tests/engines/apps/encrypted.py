"""An app that is served over TLS."""

import os

import skitai

from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    return {"scheme": was.request.scheme, "version": was.request.version}


@app.route("/echo", methods=["POST"])
def echo(was):
    return was.request.body


@app.route("/socket")
@app.websocket(skitai.WS_CHATTY, 60, protocols=["v1.chat"])
def socket(was):
    yield repr(was.websocket.protocol)


if __name__ == "__main__":
    options = {}
    if folder := os.environ.get("CERTIFICATES"):
        names = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]
        if os.environ["WAY"] == "run":
            options = dict(zip(("certfile", "keyfile"), names, strict=True))
        else:
            skitai.enable_ssl(*names)
    skitai.mount("/", app)
    skitai.run(**options)
