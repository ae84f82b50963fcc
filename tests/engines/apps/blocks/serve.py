"""The specification's blocks about requests and answers, each in an app, with what it needs."""

import os
import re
import time
from datetime import datetime
from pathlib import Path

import skitai
from support import specified
from support.board import Board

from atila import Atila, current

board = Board(os.environ["ATILA_BOARD"])
HERE = Path(__file__).parent
block = specified.blocks(HERE.parent.parent / "blocks.txt")


def mount(point, app):
    with skitai.preference() as pref:
        pref.set_static(f"{point}/static", str(HERE / "static"))
    skitai.mount(point, app, pref)


def adapted(name, *changes):
    """A block with what it leaves out, or what must lie elsewhere here, put in."""
    text = block[name]
    for written, meant in changes:
        assert written in text, (name, written)
        text = text.replace(written, meant)
    return text


def package(point, name, **given):
    """Mount a block that has hooks of a package; `__mount__` may be among what it is given."""
    given = {"__app__": lambda: Atila(__name__), **given}
    skitai.mount(point, specified.module(name, block[name], given))


def routed(point, *names, **given):
    """Mount an app of blocks that begin with `@app`."""
    app = Atila(__name__)
    for name in names:
        specified.run(block[name], {"app": app, **given})
    mount(point, app)
    return app


def handled(point, name, alone=False, **given):
    """Mount an app of handlers, made of a block that is the inside of one, or of each statement."""
    app = Atila(__name__)
    pieces = specified.statements(block[name]) if alone else [block[name]]
    for number, piece in enumerate(pieces):
        app.route(f"/{number}")(specified.body(piece, {"app": app, **given}))
    mount(point, app)
    return app


# Request ----------------------------------------------------------------------------------------


class Resource:
    def open(self):
        board.note("resource-opened")
        return self

    def close(self):
        board.note("resource-closed")


def counting(app, mntopt):
    @app.route("/")
    def index(was, fail=""):
        if fail:
            raise RuntimeError(fail)
        return was.API({name: app.g[f"{name}_REQUEST"] for name in ("TOTAL", "SUCCES", "FAILED")})


class PermissionHandler:
    def __call__(self, was):
        return "early" if was.request.args.get("early") else None


def something_is_wrong():
    return bool(current.get().request.args.get("wrong"))


def saying_hello(app, mntopt):
    @app.route("/")
    def index(was, **args):
        return "hello"


def noting(app, mntopt):
    # The block's own handlers do nothing; these show that both are called, or only logged.
    @app.on("finish_request")
    def finish(was, response):
        board.note("event-finish")
        raise LookupError("an event cannot harm a request")

    @app.route("/")
    def index(was):
        return "hello"


package("/request-hooks", "request hooks", resource=Resource(), __mount__=counting)
package(
    "/composed-hooks",
    "composed hooks",
    something_is_wrong=something_is_wrong,
    PermissionHandler=PermissionHandler,
    __mount__=saying_hello,
)
package("/request-events", "request events", __mount__=noting)
package("/emitter", "event: emitter")
package("/life-cycle", "life cycle event", load_my_models=lambda: None, __mount__=saying_hello)

app = routed("/globals", "globals", time=time)


@app.route("/")
def totals(was):
    return str(was.app.g["TOTAL_REQUEST"])


app = Atila(__name__)
app.route("/0")(specified.body("return " + block["environment"], {}))
mount("/environment", app)
routed("/routing", "routing")
app = Atila(__name__)
for number, line in enumerate(block["restrictions"].splitlines()):
    source = line.replace("/hello", f"/{number}") + "\ndef hello_world(was): return 'hello'"
    specified.run(source, {"app": app})
mount("/restrictions", app)

routed("/optional", "parameters: optional")
routed("/any", "parameters: any")
routed("/special", "parameters: special values")
routed("/left-out", "parameters: optional in URL")
app = Atila(__name__)
specified.run(block["parameters: all"] + "    return 'same'", {"app": app})
mount("/all", app)
routed("/inspecting", "inspecting")

app = Atila(__name__)
specified.run(
    block["inspecting: every keyword"] + "@app.route('/', methods=['POST'])\n"
    "def nothing(was, n): return str(n)",
    {"app": app, "kargs": {"n": int}},
)
mount("/every", app)


def lines_of(name):
    """The keywords that a block lists one by one, without the remarks beside them."""
    lines = [line.removeprefix("- ") for line in block[name].strip().splitlines()]
    return ", ".join(re.sub(r"( #| if ).*", "", line) for line in lines)


for name in ("keywords", "values"):
    app = Atila(__name__)
    specified.run(
        f"@app.route('/', methods=['POST'])\n@app.inspect({lines_of(f'inspecting: {name}')})\n"
        "def inspected(was, **DATA): return was.API(DATA)",
        {"app": app, "re": re, "dt": datetime},
    )
    mount(f"/{name}", app)

uploads = board.folder / "upload"
uploads.mkdir(exist_ok=True)
app = Atila(__name__)
specified.run(adapted("upload", ("/var/tmp/upload", str(uploads))), {"app": app})
mount("/upload", app)
routed("/stream", "input stream")
handled("/cookie", "cookie")


# Helpers ----------------------------------------------------------------------------------------


class User:
    def __init__(self, name):
        self.name = name


def set_user(was):
    was.user = User(was.request.args.get("user"))


app = Atila(__name__)
app.before_request(set_user)
specified.run(
    adapted(
        "testpass",
        ("reutrn", "return"),
        ("@app.test", "@app.route('/')\n@app.test"),
        ("modify_profile (was):\n    ...", "modify_profile (was, user):\n    return 'modified'"),
    ),
    {"app": app},
)
mount("/testpass", app)

watched = board.folder / "watched"
watched.write_text("1")
app = Atila(__name__)
specified.run(
    adapted(
        "conditional prework",
        ("/opt/myapp/config", str(watched)),
        ("    ...", "    note('reloaded-config')"),
        ("interval = 1", "interval = 0"),
        ("@app.if_file", "@app.route('/')\n@app.if_file"),
    ),
    {"app": app, "note": board.note},
)
mount("/prework", app)

app = Atila(__name__)
noting_each = re.sub(r"(def (\w+) \(was\):\n    )\.\.\.", r"\1note('\2 ')", block["chain"])
specified.run(noting_each, {"app": app, "note": lambda name: board.write("chain", name)})
mount("/chain", app)


# Answers ----------------------------------------------------------------------------------------


def answering(point, name, **given):
    """Mount an app of a block that does something with an answer, and answers "done"."""
    app = Atila(__name__)
    app.route("/")(specified.body(block[name] + "\nreturn 'done'", given))
    mount(point, app)


answering("/headers", "response: headers")
app = Atila(__name__)
code, reason = specified.statements(block["response: status"])
app.route("/")(specified.body(f"return was.API(code={code}, reason={reason})", {}))
mount("/status", app)
for number, line in enumerate(specified.statements(block["response: caching"])):
    app = Atila(__name__)
    app.route("/")(specified.body(line + "\nreturn 'done'", {"time": time}))
    mount(f"/caching/{number}", app)
handled("/errors", "errors", alone=True)
handled("/string", "string")
handled("/string-headers", "string with headers")
handled("/api", "api", alone=True)
handled("/rendered", "rendered")
handled("/either", "render_or_API", result=[1, 2])
data = board.folder / "data.xlsx"
data.write_bytes(b"cells")
app = Atila(__name__)
for number, piece in enumerate(specified.statements(block["file"])):
    app.route(f"/{number}")(specified.body(piece.replace("/path/to/data.xlsx", str(data)), {}))
mount("/file", app)

handled("/static-url", "static")
routed("/robots", "static: robots")

app = Atila(__name__)
specified.run(
    adapted("generator", ("def build", "@app.route('/')\ndef build")),
    {"app": app, "iter_all_rows": lambda: [["a", "b"], ["1", "2"]]},
)
mount("/generator", app)
app = Atila(__name__)
for number, piece in enumerate(specified.statements(block["redirecting"])):
    app.route(f"/{number}")(specified.body(piece, {}))


@app.route("/showmsg/<name>")
def showmsg(was, name):
    return name


mount("/redirecting", app)
app = Atila(__name__)
app.route("/")(lambda was: "ready")
mount("/", app)
skitai.run(port=5000)
