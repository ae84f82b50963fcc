"""Parameters, bodies and answers with types."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import msgspec
import skitai
from annotated_types import Ge
from pydantic import BaseModel, Field

from atila import Atila, Body, Cookie, Header, Query, Upload, Was
from atila_ws import WS_CHATTY, WS_REPORTY

app = Atila(__name__)
app.config.OPENAPI_PATH = "/openapi"


class Label(enum.Enum):
    BUG = "bug"
    IDEA = "idea"


@dataclass
class Line:
    item: str
    count: Annotated[int, Ge(1)]


class Order(msgspec.Struct):
    lines: list[Line]
    due: datetime.date | None = None
    price: Decimal = Decimal(1)


class Receipt(msgspec.Struct):
    shop: int
    order: Order
    notify: bool
    token: str


class User(BaseModel):
    name: Annotated[str, Field(max_length=5)]


class Shape(TypedDict):
    width: int


@dataclass
class Picture:
    title: str
    files: list[Upload]
    tags: list[str] = field(default_factory=list)


@app.route("/")
def index(was: Was) -> str:
    return "ready"


@app.route("/shops/<int:shop>/orders", methods=["POST"])
def create(
    was: Was,
    shop: int,
    order: Order,
    notify: bool = False,
    token: Annotated[str, Header("x-token")] = "",
) -> Receipt:
    return Receipt(shop, order, notify, token)


@app.route("/search", methods=["GET"])
def search(
    was: Was,
    page: int = 1,
    size: Annotated[int, Query("n"), Ge(1)] = 10,
    labels: list[Label] = [],  # noqa: B006 - never changed
    since: datetime.datetime | None = None,
    key: UUID | None = None,
    who: int | Literal["me"] = "me",
    sid: Annotated[str, Cookie("session")] = "",
) -> dict[str, Any]:
    return {
        "page": page,
        "size": size,
        "labels": labels,
        "since": since,
        "key": key,
        "who": who,
        "sid": sid,
    }


@app.route("/users", methods=["POST"])
async def users(was: Was, user: User) -> User:
    return user


@app.route("/two", methods=["POST"])
def two(was: Was, user: User, shape: Shape) -> list[Any]:
    return [user, shape]


@app.route("/pictures", methods=["POST"])
def pictures(was: Was, picture: Picture) -> dict[str, Any]:
    sizes = {file.name: file.size for file in picture.files}
    return {"title": picture.title, "sizes": sizes, "tags": picture.tags}


@app.route("/raw", methods=["POST"])
def raw(was: Was, data: Annotated[bytes, Body()]) -> str:
    return str(len(data))


@app.route("/made", methods=["POST"])
def made(was: Was, shape: Shape) -> tuple[Shape, Literal[201]]:
    return shape, 201


@app.route("/waited", methods=["GET"])
async def waited(was: Was, status: int) -> Any:
    return {"a": 1}, status, {"x-a": "1"}


@app.route("/coroutine", methods=["GET"], coroutine=True)
def coroutine(was: Was, status: int) -> Any:
    task = yield was.Mask({"a": 1})
    return task.fetch(), status


@app.route("/plain/<int:id>", methods=["GET", "POST"])
def plain(was, id, more=None):  # type: ignore[no-untyped-def]
    return repr(id)


@app.route("/messages/<int:shop>")
@app.websocket(WS_REPORTY, encoding="json")
def messages(was: Was, message: Line, shop: int) -> Line:
    return Line(f"{message.item}{shop}", message.count + 1)


@app.route("/chat")
@app.websocket(WS_CHATTY)
def chat(was: Was, page: int) -> Any:
    yield repr(page)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
