"""An app of many hosts, which share their state by Redis."""

import os

import skitai

from atila import Atila

app = Atila(__name__)
app.securekey = "a key that all hosts have in common"
app.shared = os.environ["ATILA_REDIS"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/login")
def login(was):
    was.session.set("user", "hans")
    return "in"


@app.route("/who")
def who(was):
    return was.session.get("user") or "nobody"


@app.route("/logout")
def logout(was):
    was.session.expire()
    return "out"


@app.route("/limited")
@app.rate_limit(4, 1_000_000)
def limited(was):
    return "let in"


@app.route("/token")
def token(was):
    return was.encode_ott("hans", 600, "reset")


@app.route("/take", methods=["POST"])
def take(was, token):
    return f"{was.decode_ott(token, 'reset')} {was.revoke_ott(token)}"


@app.route("/changed", methods=["POST"])
def changed(was):
    was.setlu("orders")
    return ""


@app.route("/orders")
def orders(was):
    return str(was.getlu("orders"))


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="host")
