"""A board of notes: a login, a database, and news over a WebSocket to all who have it open."""

import os
from typing import Any

import skitai

from atila import Atila, Was
from atila_auth import verify_password

app = Atila(__name__)
app.securekey = os.environ["SECRET_KEY"]
app.shared = os.environ["REDIS_URL"]
app.config.HEALTH_PATH = "/health"
app.login_page = "login"

PAGE = """<!doctype html><title>Board</title>
<form method=post action=/notes><input name=text><button>Note</button></form><ul id=news></ul>
<script>
  new WebSocket(location.href.replace("http", "ws") + "news").onmessage =
    (event) => news.append(event.data, document.createElement("br"));
</script>"""


@app.permission_handler
def permit(was: Was, permissions: list[str]) -> None:
    was.request.user = was.session.get("user")


@app.route("/login", methods=["GET", "POST"])
def login(was: Was, name: str = "", password: str = "") -> Any:
    if name:
        found = was.db("@board").execute("SELECT hash FROM accounts WHERE name = $1", name).fetch()
        if found and verify_password(password, found[0].hash):
            was.session["user"] = name
            return was.redirect(was.after_login("/"), "303 See Other")
        was.response.set_status(403)
    return "<form method=post><input name=name><input name=password type=password><button>Log in"


@app.route("/", methods=["GET"])
@app.login_required
def index(was: Was) -> str:
    return PAGE


@app.route("/notes", methods=["GET"])
@app.login_required
def notes(was: Was) -> Any:
    found = was.db("@board").execute("SELECT author, text FROM notes ORDER BY id").fetch()
    return was.API(notes=[dict(note) for note in found])


@app.route("/notes", methods=["POST"])
@app.login_required
def write(was: Was, text: str) -> Any:
    db = was.db("@board")
    db.execute("INSERT INTO notes (author, text) VALUES ($1, $2)", was.user, text).commit()
    # To the clients of all workers and containers, by Redis.
    app.websocket_broadcast("news", f"{was.user}: {text}")
    return was.redirect("/", "303 See Other")


@app.route("/news")
@app.login_required
@app.websocket(skitai.WS_REPORTY, 300, onopen=lambda was: was.websocket.join("news"))
def news(was: Was, message: str) -> None:
    """Clients only listen."""
