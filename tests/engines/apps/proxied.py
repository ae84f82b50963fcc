"""An app behind a proxy on this machine."""

import skitai

from atila import Atila

app = Atila(__name__)
app.config.TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.0/8"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/who")
def who(was):
    was.cookie.set("seen", "yes")
    return f"{was.request.get_remote_addr()} {was.request.scheme} {was.env['REMOTE_ADDR']}"


@app.route("/leaves")
@app.websocket(skitai.WS_CHATTY, 60)
async def leaves(was):
    await was.websocket.send(was.request.get_remote_addr())
    await was.websocket.close(4001, "as it is")


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
