"""Rooms, by WebSocket and by event stream."""

from typing import Annotated, Literal

import skitai
from msgspec import Meta, Struct

from atila import Atila

app = Atila(__name__)


class Message(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=30, pattern=r"\S")]
    text: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]


@app.route("/", methods=["GET"])
def index(was):
    return was.Static("index.html")


def enter(was):
    was.websocket.join(room_of(was.path_params["room"]))


@app.route("/rooms/<room>/socket")
@app.websocket(skitai.WS_REPORTY, 3600, onopen=enter, encoding="json")
def speak(was, message: Message, room: str):
    say(room, message)


@app.route("/rooms/<room>/events", methods=["GET"])
async def listen(was, room: str):
    return was.EventStream(rooms=[room_of(room)])


# JSON alone: a page of another site cannot send that here without asking (CORS), a form it could.
@app.route("/rooms/<room>", methods=["POST"], content_types=["application/json"])
def post(was, room: str, message: Message) -> tuple[dict[str, int], Literal[202]]:
    return {"listeners": say(room, message)}, 202


def say(room, message):
    """Gives the number of listeners, of this worker and all others."""
    return app.broadcast(room_of(room), {"name": message.name, "text": message.text})


def room_of(name):
    """Visitors choose names; other rooms of the app have others."""
    return f"chat:{name}"
