"""State that clients keep for the app: sessions, messages, CSRF and one-time tokens."""

import os
import time

import orjson
import skitai

from atila import Atila
from atila.was import generate_otp

app = Atila(__name__)

with skitai.preference() as pref:
    pref.securekey = "ds8fdsflksdjf9879dsf;?<>Asda"
    pref.session_timeout = 1200  # sec

# And the one that it had before.
pref.securekey = [pref.securekey, "an old key, which has been rotated out"]
# What other servers than Skitai read of this module is the app alone.
app.securekey, app.session_timeout = pref.securekey, pref.session_timeout


def answer(was, value):
    was.response.set_header("Content-Type", "application/json")
    was.response.set_header("X-Worker", str(os.getpid()))
    return orjson.dumps(value)


@app.route("/")
def index(was):
    return answer(was, "ready")


# Session ----------------------------------------------------------------------------------------


@app.route("/session")
def hello_world(was, **form):
    if "login" not in was.session:
        was.session.set("user_id", form.get("hansroh"))
        # or
        was.session["user_id"] = form.get("hansroh")
    return answer(was, dict(was.session))


@app.route("/session/set")
def set_values(was, **values):
    was.session.update(values)
    return answer(was, dict(was.session))


@app.route("/session/get")
def get_values(was):
    assert was.session is was.request.session
    return answer(was, dict(was.session))


@app.route("/session/remove")
def remove_value(was, name):
    was.session.remove(name)
    return answer(was, dict(was.session))


@app.route("/session/call")
def call(was, name, seconds=None):
    given = [] if seconds is None else [float(seconds)]
    return answer(was, getattr(was.session, name)(*given))


@app.route("/session/async")
async def from_a_coroutine(was):
    was.session["visits"] = was.session.get("visits", 0) + 1
    return answer(was, was.session["visits"])


@app.route("/session/stream")
def stream(was, value):
    yield "begun"
    was.session["streamed"] = value
    yield "done"


@app.teardown_request
def after_the_answer(was):
    if was.request.path == "/session/leaves":
        was.session["left"] = was.request.args.get("value")


@app.route("/session/leaves")
def leaves(was, value):
    return answer(was, dict(was.session))


@app.route("/session/refuse")
def refuse(was):
    was.session["refused"] = True
    raise was.Error("403 Forbidden")


@app.route("/session/fail")
def fail(was):
    was.session["failed"] = True
    raise RuntimeError("not planned")


@app.route("/session/short")
def short(was):
    was.session.mount("SHORT", session_timeout=1)
    value = was.session.get("at")
    if value is None:
        was.session["at"] = time.time()
    return answer(was, value)


@app.route("/namespaced")
def namespaced(was):
    was.session.mount("ADMIN", path="/admin")
    was.session.set("login", True)
    was.session.mount()  # resore to default session
    return answer(was, "login" in was.session)


@app.route("/admin")
def admin(was):
    was.session.mount("ADMIN", path="/admin")
    return answer(was, was.session.get("login"))


@app.route("/login")
def login(was, user):
    was.session.rotate()
    was.session["user"] = user
    return answer(was, user)


# Session of a WebSocket -------------------------------------------------------------------------


def onopen(was):
    was.request.session.set("WS_ID", was.websocket.client_id)


def onclose(was):
    was.request.session.remove("WS_ID")


@app.route("/websocket")
@app.websocket(skitai.WS_CHATTY, 60, onopen=onopen, onclose=onclose)
def websocket(was):
    while 1:
        msg = yield
        if not msg:
            break
        yield f"{was.session.get('user')} {was.websocket.client_id}"


# Message box ------------------------------------------------------------------------------------


@app.route("/msg")
def msg(was):
    was.mbox.send("This is Flash Message", "flash")
    was.mbox.send("This is Alert Message Kept by 60 seconds on every request", "alram", valid=60)
    was.mbox.send("<b>News", "info", notice="news")
    return was.redirect(was.urlfor(showmsg, "Hans Roh"), status="302 Object Moved")


@app.route("/showmsg")
def showmsg(was, name):
    assert was.mbox is was.request.mbox
    return was.render("msg.htm", name=name)


# CSRF -------------------------------------------------------------------------------------------


@app.before_request
def before_request(was):
    if was.request.args.get("username"):  # noqa: SIM102 - as the specification has it
        if not was.verify_csrf():
            return was.response("400 Bad Request")


@app.route("/form")
def form(was):
    return was.render("csrf.j2")


@app.route("/token")
def token(was):
    return answer(was, was.csrf_token)


@app.route("/hooked", methods=["POST"])
def hooked(was, username):
    return answer(was, username)


@app.route("/save", methods=["POST"])
@app.csrf_verification_required
def save(was, name=None):
    return answer(was, name)


@app.route("/remove-csrf")
def remove_csrf(was):
    was.remove_csrf()
    return answer(was, None)


# One-time passwords and tokens ------------------------------------------------------------------


def check_otp(was):
    if not was.verify_otp(was.request.get_header("x-otp")):
        raise was.Error("403 Unauthorized")


@app.route("/admin-task")
@app.testpass_required(check_otp)
def task(was):
    return answer(was, "done")


@app.route("/otp")
def otp(was):
    return answer(was, [was.generate_otp(), generate_otp(app.securekey[0])])


@app.route("/encode-ott")
def encode_ott(was, user, seconds):
    return answer(was, was.encode_ott(user, float(seconds), "pwrset"))


@app.route("/decode-ott/<token>")
def decode_ott(was, token):
    return answer(was, was.decode_ott(token))


@app.route("/revoke-ott", methods=["POST"])
def revoke_ott(was, token):
    return answer(was, was.revoke_ott(token))


if __name__ == "__main__":
    if "TLS_CERTIFICATE" in os.environ:
        skitai.enable_ssl(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    skitai.mount("/", app, pref)
    skitai.run(port=5000, name="sealed")
