"""Pages, answers for programs and error pages, as the specification has them, and OpenAPI."""

import datetime
import enum
import os
import threading
import uuid
from dataclasses import dataclass
from decimal import Decimal

import over
import skitai
import under
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.MINIFY_HTML = "minify"
app.config.OPENAPI_PATH = "/openapi"
app.config.OPENAPI_INFO = {"title": "Rendering", "version": "1.0"}
app.extends(under)
app.overrides(over)
app.add_jinja_ext("jinja2.ext.i18n")
app.jinja_env.install_null_translations()


@app.template_global("form_token")
def generate_form_token():
    return "<token>"


@app.template_filter("reverse")
def reverse_filter(s):
    return s[::-1]


@app.route("/")
def index(was):
    return "ready"


# Templates


@app.route("/choice")
def choice(was):
    was.response.set_status("202 Accepted")
    return was.render("index.html", choice=2, product="Apples")


@app.route("/checkout/<int:number>")
def checkout(was, number):
    return str(number)


@app.route("/profiles/<int:id>", methods=["GET"])
def profile(was, id, detail="yes"):
    return was.render("profile.j2", id=id, detail=detail)


@app.route("/customized")
def customized(was):
    return was.render("customized.j2")


@app.route("/overlay")
def overlay(was):
    return was.render("overlay.j2", name="overlay")


@app.route("/escaped")
def escaped(was, text):
    return was.render("escaped.html", text=text)


@app.route("/table")
def table(was, count):
    rows = [{"id": number, "name": f"<{number}>"} for number in range(int(count))]
    return was.render("table.html", rows=rows)


@app.route("/broken/<name>")
def broken(was, name):
    return was.render(f"broken/{name}.html", text="a\ud800")


# Tasks in templates


def waiting(gate):
    board.note(f"{gate}-waits")
    board.pass_gate(gate)
    return [gate, threading.current_thread().name]


@app.route("/tasks")
def tasks(was, gate):
    return was.render(
        "tasks.html", task1=was.Thread(waiting, args=(gate,)), task2=was.Mask(["one"])
    )


@app.route("/tasks/async")
async def tasks_async(was, gate):
    return was.render(
        "tasks.html", task1=was.Thread(waiting, args=(gate,)), task2=was.Mask(["one"])
    )


@app.route("/tasks/coroutine", coroutine=True)
def tasks_coroutine(was, gate):
    task2 = yield was.Mask(["one"])
    page = yield was.render("tasks.html", task1=was.Thread(waiting, args=(gate,)), task2=task2)
    return page


@app.route("/loop")
async def on_the_loop(was):
    return "the loop is free"


# Answers for programs


class Color(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: Decimal


class Row(dict):
    __getattr__ = dict.get


@app.route("/api")
def api(was):
    return was.API({"name": "Hans Roh"})


@app.route("/api/keywords")
def api_keywords(was):
    return was.API("201 Created", name="Hans Roh")


@app.route("/api/types")
async def api_types(was):
    seoul = datetime.timezone(datetime.timedelta(hours=9))
    return was.API(
        at=datetime.datetime(2024, 2, 29, 10, tzinfo=seoul),
        price=Decimal("0.10"),
        id=uuid.UUID(int=1),
        point=Point(1, Decimal("2.0")),
        row=Row(a=1, b=Row(c=None)),
        color=Color.RED,
        set={1},
    )


@app.route("/api/rows")
def api_rows(was, count):
    return was.API(rows=[{"id": n, "name": f"row {n}"} for n in range(int(count))])


endless = []
endless.append(endless)
UNWRITABLE = {
    "type": {"rows": [1, object()]},
    "surrogate": {"text": "a\udc80"},
    "endless": {"list": endless},
    "number": {"number": 2**70},
}


@app.route("/api/unwritable/<kind>")
def unwritable(was, kind):
    return was.API("201 Created", UNWRITABLE[kind])


@app.route("/either")
def either(was):
    return was.render_or_API("profile.j2", id=7, detail="no")


@app.route("/either/tasks")
def either_of_tasks(was):
    return was.render_or_Map("profile.j2", id=was.Thread(int, args=("7",)), detail="no")


@app.route("/orders/<int:number>", methods=["POST"])
@app.inspect(ints=["count"], count__between=(1, 9), emails=["mail"])
def order(was, number, count, mail=None):
    """Order something.

    The count is limited.
    """
    return was.API(number=number, count=count, mail=mail)


# Errors


@app.route("/fault")
def fault(was):
    return was.Fault("409 Conflict", "taken", 40901)


@app.route("/gone")
def gone(was):
    raise was.Error("410 Gone", "it was <sold>", 41001)


@app.route("/teapot")
def teapot(was):
    raise was.Error("418 I'm a teapot", "short and stout")


@app.default_error_handler
def default_error_handler(was, error):
    return was.render("errors/default.j2", error=error)


@app.error_handler(404)
def not_found(was, error):
    return was.render("404.j2", error=error)


@app.route("/by-key")
def by_key(was):
    raise was.Error("423 Locked", "by another", 42301)


@app.error_handler(423)
def locked(was, error):
    # As apps have it that come from where an error was a dict.
    was.response["X-Code"] = str(error["code"])
    return was.render("errors/default.j2", error=dict(error))


@app.error_handler(418)
def i_am_a_teapot(was, error):
    return was.render("errors/broken.j2", error=error)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="rendering")
