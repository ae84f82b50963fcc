"""A chat: one room, reached by WebSocket and by event stream, in any worker."""

from typing import Annotated, Literal

import skitai
from msgspec import Meta, Struct

from demo.site import app


class Message(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=30, pattern=r"\S")]
    text: Annotated[str, Meta(min_length=1, max_length=300, pattern=r"\S")]


def join(was):
    was.websocket.join("chat")


@app.route("/chat/socket")
@app.websocket(skitai.WS_REPORTY, 3600, onopen=join, encoding="json")
def speak(was, message: Message):
    app.broadcast("chat", {"name": message.name, "text": message.text})


@app.route("/chat/events", methods=["GET"])
async def listen(was):
    return was.EventStream(rooms=["chat"])


@app.route("/chat", methods=["POST"], content_types=["application/json"])
def post(was, message: Message) -> tuple[dict[str, int], Literal[202]]:
    return {"listeners": app.broadcast("chat", {"name": message.name, "text": message.text})}, 202
