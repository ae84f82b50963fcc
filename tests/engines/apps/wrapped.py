"""An app within middleware that others have written: of ASGI, or of WSGI."""

from __future__ import annotations

from collections.abc import Iterator
from os import environ
from typing import Any
from wsgiref.validate import validator

import skitai
from support.board import Board
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from atila import Atila, Was

board = Board(environ["ATILA_BOARD"])
inner = Atila(__name__)


@inner.route("/")
def ready(was: Was) -> str:
    return "ready"


@inner.route("/client")
def client(was: Was) -> dict[str, Any]:
    return {"address": was.exchange.client[0], "scheme": was.exchange.scheme}


@inner.route("/pieces")
def pieces(was: Was) -> Iterator[str]:
    yield "one, "
    yield "two"


@inner.route("/echo", methods=["POST"])
async def echo(was: Was) -> bytes:
    return bytes(was.request.body)


@inner.on("startup")
def began(was: Was) -> None:
    board.note("began")


@inner.on("shutdown")
def ended(was: Was) -> None:
    board.note("ended")


@inner.route("/socket")
@inner.websocket(skitai.WS_REPORTY, 300)
def socket(was: Was, message: str) -> str:
    return message


app: Any
if environ.get("WRAPPED") == "asgi":
    app = ProxyHeadersMiddleware(inner, trusted_hosts="127.0.0.1")  # type: ignore[arg-type]
else:
    # It raises an AssertionError for whatever PEP 3333 forbids.
    app = validator(inner)
