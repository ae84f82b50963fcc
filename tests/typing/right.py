"""An app that uses names of all layers as it should. Type checkers have nothing to say of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

from atila import PROTOCOL, PROVIDED, Atila, Event, EventStream, HTTPError, Layer, Was, made
from atila.was import generate_otp
from atila_auth import User
from atila_tasks import DB_SQLITE3, Result, Task
from atila_ws import WS_CHATTY, WS_REPORTY


def paint(was: Was, what: str, *, twice: bool = False) -> str:
    return f"{what} in {was.request.args.get('colour', 'red')}{'!' * twice}"


def add_colour(app: Atila, name: str) -> None:
    app.g["colour"] = name


def colour_of(was: Was) -> str:
    return str(was.app.g["colour"])


class ColoursOfWas:
    """What a layer by somebody else adds to the context."""

    colour = made(colour_of)
    paint = paint


class ColoursOfApp:
    """What it adds to the app."""

    add_colour = add_colour


colours = Layer(
    name="colours",
    protocol=PROTOCOL,
    was=ColoursOfWas,
    app=ColoursOfApp,
)


class Shop(Atila, ColoursOfApp):
    """What this app has of its own: a preference, which a launch script may set."""

    greeting: str = "Hello"


class Visit(Was, ColoursOfWas):
    """The context, for annotations."""


app = Shop(__name__, layers={"colours": colours})
app.add_colour("green")
app.securekey = ["the secret that is in use now, 2026", "the one before, still accepted"]
app.session_timeout = 600
app.users = {"hans": ("1234", False)}
app.realm = "Shop"
app.access_control_allow_origin = ["https://example.com"]
app.config.MAX_FIELDS = 100
app.alias("@shop", DB_SQLITE3, ":memory:")
app.jinja_env.trim_blocks = True


@app.before_mount
def prepare(was: Was) -> None:
    was.app.store["visits"] = 0
    was.g.set("open", True)


@app.permission_handler
def permit(was: Was, permissions: list[str]) -> bool:
    was.request.user = was.session.get("user") or was.request.JWT.get("user")
    return not permissions or was.request.user is not None


@app.before_request
def count(was: Was) -> None:
    was.request.g["visits"] = was.app.store.incr("visits")


@app.error_handler(404)
def not_found(was: Was, error: HTTPError) -> str:
    return f"{error.code} {was.request.path}"


@app.template_filter("shout")
def shout(text: str) -> str:
    return text.upper()


@app.provide(scope="app")
def shelf() -> Iterator[dict[str, int]]:
    yield {"pens": 3}


@app.provide
async def stock(shelf: dict[str, int]) -> AsyncIterator[list[str]]:
    yield sorted(shelf)


@app.route("/stock")
async def show_stock(was: Was, stock: list[str]) -> list[str]:
    return stock


def restock(name: str, shelf: dict[str, int] = PROVIDED) -> None:
    shelf[name] = 1


def entered(was: Was, stock: list[str]) -> None:
    was.log(f"{len(stock)} things")


def by_stock(was: Was, stock: list[str]) -> str:
    return ",".join(stock)


@app.route("/restock")
@app.run_before(entered)
@app.rate_limit(10, key=by_stock)
def restocked(was: Was) -> str:
    was.after(restock, "cups")
    return "soon"


def fill(queue: Any, stock: list[str]) -> None:
    queue.put(",".join(stock))


@app.route("/filled")
def filled(was: Was) -> Any:
    return was.Queue(fill)


@app.route("/watch")
@app.websocket(onopen=entered, onclose=entered)
async def watch(was: Was, stock: list[str]) -> None:
    await was.websocket.send(stock[0])


def with_another_stock() -> None:
    with app.override(stock=["cups"], shelf=lambda: {"cups": 1}):
        app.test_client().get("/stock")


@app.on("sold")
def sold(was: Was, amount: int) -> None:
    was.log(f"{amount} sold")


def is_open(was: Was) -> bool:
    return bool(was.g.get("open"))


def in_colour(was: Visit) -> None:
    was.request.g["colour"] = was.colour


def double(number: int) -> int:
    return number * 2


@app.route("/")
@app.testpass_required(is_open)
def index(was: Was) -> Any:
    return was.API(greeting=app.greeting, visits=was.request.g["visits"])


@app.route("/double/<int:number>")
@app.inspect(ints=["number"])
@app.rate_limit(1000, key=lambda was: was.request.get_remote_addr())
def doubled(was: Was, number: int) -> Any:
    task: Task = was.Thread(double, number, timeout=2)
    tasks = was.Tasks(first=task, second=was.Mask(number))
    if number < 0:
        raise was.Error("400 Bad Request", "less than nothing")
    outcome: Result = task.dispatch()
    was.response.set_header("x-status", str(outcome.status))
    return was.Map(result=tasks, same=double(number))


@app.route("/later", coroutine=True)
def later(was: Was) -> Generator[Task, Task, str]:
    task = yield was.Thread(double, 21)
    return str(task.fetch())


@app.route("/rows")
async def rows(was: Was) -> Any:
    with was.db("@shop", timeout=5) as db:
        task = await db.execute("SELECT 42 AS answer")
    return was.API(rows=task.fetch())


@app.route("/elsewhere")
def elsewhere(was: Was) -> Any:
    with was.stub("http://127.0.0.1:1", timeout=1) as stub:
        task = stub.get("/items/{}", 7, headers={"x-from": "shop"})
    other = was.get("http://127.0.0.1:1/items", timeout=1)
    return {"first": task.dispatch().status, "second": other.dispatch().status}


@app.route("/login", methods=["POST"])
def login(was: Was, name: str) -> Any:
    was.session["user"] = name
    was.session.set_expiry(60)
    was.mbox.send(f"Welcome, {name}", "notice")
    token = was.encode_ott({"name": name}, 60)
    was.user = User(name, app.realm)
    return was.API(
        token=token,
        name=was.decode_ott(token),
        form=was.csrf_token_input,
        messages=len(was.request.mbox.get()),
    )


@app.route("/password")
def password(was: Was) -> str:
    return str(was.verify_otp(generate_otp("a secret that both sides know"), once=False))


@app.route("/mine")
@app.permission_required(["user"])
def mine(was: Was) -> str:
    return f"{was.user}'s"


@app.route("/hidden")
@app.login_required
def hidden(was: Was) -> str:
    return mine(was)


@app.route("/colour")
@app.run_before(count, in_colour)
def colour(was: Visit) -> str:
    return was.colour + was.paint(" box", twice=True)


@app.route("/chat")
@app.websocket(WS_CHATTY, 60, onopen=count, onclose=in_colour)
def chat(was: Was) -> Generator[str | None, str | None, None]:
    client_id = was.websocket.client_id
    was.websocket.join("all")
    while message := (yield None):
        app.websocket_send(client_id, message)
        app.websocket_broadcast("all", message)
        yield "ECHO: " + message


@app.route("/echo")
@app.websocket(WS_REPORTY, timeout=None, encoding="json")
async def echo(was: Was, message: Any) -> None:
    await was.websocket.send({"echo": message})


def send_mail(address: str, *, subject: str = "") -> None:
    app.broadcast("mails", {"to": address, "subject": subject}, event="sent")


async def send_later(address: str) -> None:
    await app.broadcast("mails", Event(address))


@app.route("/mails")
def mails(was: Was) -> EventStream:
    was.after(send_mail, "hans@example.com", subject="Hello")
    was.after(send_later, "hans@example.com")
    return was.EventStream(rooms=["mails"], retry=1000, heartbeat=5.0)


@app.route("/ticks")
async def ticks(was: Was) -> EventStream:
    async def events() -> AsyncIterator[Event]:
        yield was.Event({"n": 1}, event="tick", id=was.request.last_event_id)

    return was.EventStream(events())


@app.route("/pieces")
async def pieces(was: Was) -> AsyncIterator[str]:
    yield was.urlfor(mine)
    yield was.baseurl(index)


@app.maintain(10, once=True)
def clean(was: Was, now: float, count: int) -> None:
    app.emit("sold", count)
