"""Access control: who asks, whether he may, and how often."""

import os
import time

import skitai
from support.board import Board

import atila_auth.login.nonces
from atila import Atila

board = Board(os.environ["ATILA_BOARD"])


class Clock:
    """The time of nonces, which a test can put forward."""

    def time(self):
        return time.time() + (1000 if board.is_open("later") else 0)


atila_auth.login.nonces.time = Clock()

app = Atila(__name__)
app.securekey = "ds8fdsflksdjf9879dsf;?<>Asda"
app.config.MAX_BODY_SIZE = 1000
app.access_control_allow_origin = ["http://www.skitai.com:5001"]
app.access_control_allow_credentials = True
app.access_control_max_age = 3600

app.authenticate = "digest"
app.realm = "Partner App Area of mysite.com"
app.users = {
    "app": ("iamyourpartnerapp", 0, {"role": "root"}),
    "hansroh": ("1234", False),
    "jürgen": "grün",
}


@app.finish_request
def finish_request(was, response):
    was.response.set_header("X-Worker", str(os.getpid()))


@app.route("/", authenticate=None)
def index(was):
    return "ready"


@app.route("/hello/<name>")
def hello(was, name="Hans Roh", **params):
    user = was.request.user
    return was.API(hello=name, name=user.name, realm=user.realm, info=user.info, params=params)


@app.route("/basic", authenticate="basic")
def basic(was):
    return was.API(name=was.request.user.name, info=was.request.user.info)


# Tokens -----------------------------------------------------------------------------------------


@app.route("/make_jwt", authenticate=None)
def make_jwt(was, lev="user", seconds="3600"):
    return was.encode_jwt(
        {"uid": "hans", "lev": lev, "nick_name": "Hans", "exp": time.time() + int(seconds)}
    )


@app.route("/verify_token", authenticate=None)
def verify_jwt(was):
    claims = was.request.JWT
    if "err" in claims:
        return claims["err"]
    return ",".join(claims)


@app.route("/api/v1/predict")
@app.authorization_required("bearer")
def predict(was):
    return was.API(was.request.user)


@app.route("/api/v1/predict/async", authenticate="bearer")
async def predict_async(was):
    return was.API(was.request.user)


# Permissions ------------------------------------------------------------------------------------


class User:
    def __init__(self, uid, lev, nick_name):
        self.uid = uid
        self.lev = lev
        self.nick_name = nick_name
        self.tuid = None

    def __str__(self):
        return self.uid


@app.permission_handler
def permission_handler(was, perms):
    if was.request.path.startswith("/pages"):
        was.request.user = was.session.get("user")
        return
    if role := was.request.get_header("x-role"):
        # Of apps whose lists are roles, one of which suffices.
        was.request.user = User("hans", role, "Hans")
        if perms and role not in perms:
            raise was.Error("403 Permission Denied")
        return

    if was.request.get_header("authorization"):
        was.request.user = None
        claims = was.dejwt()
        if "err" in claims:
            raise was.Error("401 Unauthorized", claims["err"])
        was.request.user = User(claims["uid"], claims["lev"], claims["nick_name"])

    if "uid" in was.request.PARAMS:
        tuid = was.request.PARAMS["uid"]
        if "owner" in perms and tuid != "me":
            raise was.Error("403 Permission Denied", "owners only operation")
        was.request.user.tuid = (tuid == "me" and was.request.user.uid) or (
            (tuid != "notme" and tuid) or None
        )

    if not perms:
        return

    if was.request.user.lev == "staff":
        return  # always vaild
    if "staff" in perms:
        raise was.Error("403 Permission Denied")


@app.route("/identified/<id>", authenticate=None)
@app.identification_required
def identified(was, id=None):
    if was.request.user is None:
        return "nobody"
    else:
        return str(was.request.user)


@app.route("/mine/<id>", authenticate=None)
@app.login_required
def mine(was, id=None):
    return id or was.request.user.uid


@app.route("/staff/<id>", authenticate=None)
@app.permission_required(["staff"])
def staff(was, id=None):
    return id or was.request.user.uid


@app.route("/animals/<id>", methods=["GET", "POST", "DELETE"], authenticate=None)
@app.permission_required(["user"], id=["staff"], DELETE=["admin"])
def animals(was, id=None):
    return str(id or was.request.user.uid)


@app.route("/owned/<uid>", methods=["POST"], authenticate=None)
@app.permission_required(["owner"])
def owned(was, uid=None):
    return was.request.user.tuid


# Limits -----------------------------------------------------------------------------------------


@app.route("/login", methods=["GET", "POST"], authenticate=None)
@app.rate_limit(20, 1_000_000, key=lambda was: was.request.args.get("username"))
def login(was, username):
    return "in"


# Refusals ---------------------------------------------------------------------------------------


@app.route("/post", methods=["POST"], content_types=["text/plain"], authenticate=None)
def post(was):
    return "hello"


@app.route("/chatty", authenticate=None)
@app.websocket(skitai.WS_CHATTY, 60)
def chatty(was):
    yield


@app.route("/talk", authenticate=None)
@app.permission_required(["staff"])
@app.websocket(skitai.WS_CHATTY, 60)
def talk(was):
    yield
    yield f"hello {was.request.user}"


# Pages, whose visitors are sent to a login page.
app.login_page = "page_login"


@app.route("/pages/<name>", methods=["GET"], authenticate=None)
@app.login_required
def page(was, name, q=""):
    return f"{name} {q} of {was.user}"


@app.route("/page-login", methods=["GET", "POST"], authenticate=None)
def page_login(was, user=""):
    if not user:
        return "<form method=post>"
    was.session["user"] = user
    return was.redirect(was.after_login(), "303 See Other")


@app.api_key_handler(header="X-API-Key")
def api_key(was, key):
    was.request.user = {"k-1": "hans"}.get(key)


@app.route("/by-key", methods=["GET"], authenticate="api_key")
def by_key(was):
    return str(was.user)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="access")
