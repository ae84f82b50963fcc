"""Messages and parameters of WebSockets with types."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest

from atila import Atila, SetupError, Was
from atila_ws import WS_CHATTY, WS_REPORTY


class Order(msgspec.Struct):
    item: str
    count: Annotated[int, msgspec.Meta(ge=1)]


def test_messages_are_models(app: Atila) -> None:
    @app.route("/<int:shop>")
    @app.websocket(WS_REPORTY, encoding="json")
    def order(was: Was, message: Order, shop: int, page: int = 1) -> Any:
        return Order(f"{message.item} {shop} {page}", message.count + 1)

    ws = app.test_client().websocket("/7?page=2")
    ws.send_message(json.dumps({"item": "a", "count": 1}))
    assert json.loads(ws.receive_message()) == {"item": "a 7 2", "count": 2}
    ws.send_message(json.dumps({"item": "a", "count": 0, "more": 10**20}))
    assert ws.receive_message() is None
    assert ws.close_code == 1007
    assert "parameter 'count' must be at least 1, not 0" in ws.close_reason


WRONG = ['{"item": "a", "item": "b", "count": 1}', "[", '{"count": NaN}', '{"item": "a"}']


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_json(app: Atila, message: str) -> None:
    @app.route("/")
    @app.websocket(WS_REPORTY, encoding="json")
    async def order(was: Was, message: Order) -> None:
        pass

    ws = app.test_client().websocket("/")
    ws.send_message(message)
    assert ws.receive_message() is None
    assert ws.close_code == 1007


def test_parameters_of_the_handshake(app: Atila) -> None:
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def chat(was: Was, page: int) -> Any:
        yield repr(page)

    client = app.test_client()
    assert client.websocket("/?page=2").receive_message() == "2"
    with pytest.raises(ConnectionRefusedError, match=r"400 Bad Request: .*must be a whole number"):
        client.websocket("/?page=x")


def test_a_type_that_no_message_has(app: Atila) -> None:
    @app.route("/")
    @app.websocket(WS_REPORTY, encoding="json")
    def order(was: Was, message: complex) -> None:
        pass

    with pytest.raises(SetupError, match="the message 'message': complex is no type"):
        app.site


def test_text_is_text_whatever_its_type_says(app: Atila) -> None:
    @app.route("/")
    @app.websocket(WS_REPORTY)
    def order(was: Was, message: str) -> str:
        return message

    ws = app.test_client().websocket("/")
    ws.send_message("a")
    assert ws.receive_message() == "a"
