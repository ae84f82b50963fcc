"""What type checkers must report: each line with a mark, for the word that stands there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import msgspec
from right import Visit
from right import app as shop

import atila.was
import atila_tasks
from atila import Atila, Header, Was
from atila_auth import User

app = Atila(__name__)
app.sekurekey = "a secret that nothing reads"  # error: "sekurekey"
app.session_timeout = "600"  # error: "float"
app.websocket_sent("1", "hello")  # error: "websocket_sent"
app.websocket_send("1")  # error: argument
app.alias("@shop")  # error: arguments
app.jinja_env.get_template()  # error: "name"


@app.provide(scope="process")  # error: argument
def shelf() -> dict[str, int]:
    return {"pens": 3}


@app.provide
def stock() -> str:
    return 5  # error: "str"


@app.provide
def drawer() -> Iterator[dict[str, int]]:
    yield ["pens"]  # error: "dict[str, int]"


@app.provide(scope="app")
async def cellar() -> AsyncIterator[str]:
    yield 5  # error: "str"


app.override(["cups"])  # error: argument


class Order(msgspec.Struct):
    item: str
    count: int = "one"  # error: "int"


@app.route("/orders")
def orders(was: Was, page: int = "first") -> list[Order]:  # error: "int"
    return [{"item": "pen"}]  # error: dict


@app.route("/order")
async def order(was: Was, item: Annotated[str, Header()] = 5) -> Order:  # error: "str"
    return Order(5)  # error: "str"


@app.route("/ordered", methods=["POST"])
def ordered(was: Was, order: Order) -> tuple[Order, Literal[201]]:
    order.colour  # error: "colour"
    return order, 200  # error: 201


@app.route("/double/<int:number>")
@app.permission_required(["user"])
@app.rate_limit(10)
def double(was: Was, number: int) -> int:
    return number * 2


@app.route("/")
@app.permission_required(5)  # error: "Iterable[str]"
def index(was: Was) -> Any:
    was.Thread()  # error: argument
    was.Thread(double, timeout="soon")  # error: float
    was.sesion["user"] = "hans"  # error: "sesion"
    was.session.expires()  # error: "expires"
    was.session.set_expiry()  # error: "timeout"
    was.mbox.send()  # error: "msg"
    was.Mapp(first=1)  # error: "Mapp"
    was.render(template=1)  # error: argument
    was.request.JTW.get("user")  # error: "JTW"
    was.request.JWT.wrong()  # error: "wrong"
    was.get("@shop/items", tymeout=3)  # error: tymeout
    was.stub("@shop").get("/").fetched()  # error: "fetched"
    was.db("@shop", timeout="5")  # error: float
    was.verify_otp("123456", twice=True)  # error: twice
    was.after(work, was)  # error: argument
    was.after(work, was, 5)  # error: "str"
    was.EventStream(5)  # error: argument
    was.EventStream(rooms=["a"], retry=1.5)  # error: retry
    was.g.own = 5  # error: "own"
    was.own = User("hans", "Shop")  # error: "own"
    return double(was, "2")  # error: "int"


def nothing() -> None: ...


@app.route("/chat")
@app.websocket(timeout="60")  # error: float
async def chat(was: Was) -> None:
    was.websocket.send()  # error: "message"
    await was.websocket.receives()  # error: "receives"


@app.route("/watch")
@app.websocket(onopen=nothing)  # error: argument
@app.run_before(nothing)  # error: argument
async def watch(was: Was) -> None: ...


def work(was: Was, what: str) -> None: ...


def hook(was: Was) -> None: ...


# Each of these leaves a function its type, or the call below would not be reported.
@app.route("/all")
@app.inspect(ints=["number"])
@app.require("URL", number__gte=1)
@app.run_before(hook)
@app.run_after(hook, hook)
@app.testpass_required(hook)
@app.if_file_modified("prices.csv", work)
@app.if_cache_updated(["prices"], work)
@app.maintain(10, threading=True, once=True)
@app.on("sold")
@app.before_mount
@app.mounted
@app.before_reload
@app.reloaded
@app.mounted_or_reloaded
@app.before_umount
@app.umounted
@app.before_request
@app.finish_request
@app.failed_request
@app.teardown_request
@app.error_handler(404)
@app.default_error_handler
@app.permission_handler
@app.permission_required(["user"], number=["staff"])
@app.login_required
@app.identification_required
@app.authorization_handler
@app.authorization_required("digest")
@app.bearer_handler
@app.csrf_verification_required
@app.rate_limit(10, 60, key=hook)
@app.template_global("prices")
@app.template_filter("prices")
@app.websocket(onopen=hook, onclose=hook)
def decorated(was: Was, number: int) -> str:
    return f"{number}"


decorated(5)  # error: "number"
atila.was.generate_otp()  # error: "secret_key"
atila.was.generate_opt("a secret")  # error: "generate_opt"
atila.Wass()  # error: "Wass"
atila_tasks.Taks()  # error: "Taks"


@shop.route("/colour")
def colour(was: Visit) -> str:
    shop.add_colour(5)  # error: "str"
    shop.greeting = 5  # error: "str"
    was.colour.shade()  # error: "shade"
    return was.paint()  # error: argument


double(number=2)  # error: "was"
