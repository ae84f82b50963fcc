"""Building URLs, and calling resources by their names."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila, Mount, Site
from atila.http.forms import parse_query
from atila.serving import background_context
from atila.testing import TestClient

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def app() -> Atila:
    app = Atila("shop", layers=NO_LAYERS)

    @app.route("/")
    def index(was): ...

    @app.route("/users/<int:id>/<name>")
    def user(was, id, name, detail="no"): ...

    @app.route("/users", methods=["GET"])
    @app.route("/users/<int:id>", methods=["DELETE"])
    def users(was, id=None): ...

    @app.route("/profiles/<int:id>/<part>")
    def profile(was, id=None, part=None, detail="yes"): ...

    @app.route("/files/<path:rest>")
    def file(was, rest): ...

    @app.route("/half/<float:number>/ü b")
    def half(was, number): ...

    @app.route("/any")
    def anything(was, **DATA): ...

    @app.route("/free")
    def free(was): ...

    return app


@pytest.fixture
def was(app: Atila) -> Any:
    other = Atila("other", layers=NO_LAYERS)
    other.route("/cart/<id>")(_cart)
    Site([Mount("/my shop", app), Mount("/", other, name="others")])
    return background_context.context(app)


def _cart(was, id): ...


@pytest.mark.parametrize(
    ("resource", "args", "params", "url"),
    [
        ("index", (), {}, "/"),
        ("user", (7, "a b/c".replace("/", "-")), {}, "/users/7/a%20b-c"),
        ("user", (7,), {"name": "ü?#%"}, "/users/7/%C3%BC%3F%23%25"),
        ("user", (7, "x", "yes"), {}, "/users/7/x?detail=yes"),
        (
            "user",
            (),
            {"id": "me", "name": "x", "detail": "a&b=c d"},
            "/users/me/x?detail=a%26b%3Dc+d",
        ),
        ("users", (), {}, "/users"),
        ("users", (7,), {}, "/users/7"),
        ("profile", (), {}, "/profiles"),
        ("profile", (3,), {"detail": None}, "/profiles/3"),
        ("profile", (3, "x"), {"detail": True}, "/profiles/3/x?detail=true"),
        ("file", ("a/b c.txt",), {}, "/files/a/b%20c.txt"),
        ("half", (0.5,), {}, "/half/0.5/%C3%BC%20b"),
        ("half", (1e-7,), {}, "/half/0.0000001/%C3%BC%20b"),
        ("anything", (), {"a": [1, 2]}, "/any?a=1&a=2"),
        ("free", (), {"a": 1}, "/free?a=1"),
    ],
)
def test_urlfor(was, resource: str, args: Any, params: Any, url: str) -> None:
    assert was.urlfor(resource, *args, **params) == "/my%20shop" + url


def test_urlfor_of_texts_functions_and_other_apps(was) -> None:
    assert was.urlfor("/index.htm") == "/index.htm"
    assert was.urlfor("/index.htm", a=1) == "/index.htm?a=1"
    assert was.urlfor("/index.htm?a=1", b=2) == "/index.htm?a=1&b=2"
    function = next(route.handler for route in was.app.routes if route.name == "index")
    assert was.urlfor(function) == "/my%20shop/"
    assert was.urlfor("others:_cart", "x") == "/cart/x"


@pytest.mark.parametrize(
    ("resource", "args", "params", "error", "text"),
    [
        ("nothing", (), {}, LookupError, "no resource 'nothing'"),
        ("sub.user", (), {}, LookupError, "did you mean 'user'"),
        ("nobody:user", (), {}, LookupError, "no app 'nobody'"),
        (_cart, (), {}, LookupError, "'_cart' is no function with a route"),
        ("user", (7,), {}, TypeError, "needs the parameter 'name'"),
        (
            "user",
            (7, "x"),
            {"nam": 1},
            TypeError,
            "has no parameter 'nam'; it has id, name, detail",
        ),
        ("user", (7, "x"), {"id": 1}, TypeError, "the parameter 'id' twice"),
        ("user", (1, "x", "y", "z"), {}, TypeError, "has 3 parameters, 4 are given"),
        ("user", ("seven", "x"), {}, ValueError, "'seven' cannot stand for <int:id>"),
        ("user", (True, "x"), {}, ValueError, "True cannot stand"),
        ("user", (1, "a/b"), {}, ValueError, "cannot stand for <str:name>"),
        ("user", (1, ""), {}, ValueError, "cannot stand"),
        ("user", (1, ".."), {}, ValueError, "cannot stand"),
        ("file", ("a/../b",), {}, ValueError, "cannot stand"),
        ("half", (float("nan"),), {}, ValueError, "cannot stand"),
        ("profile", (), {"part": "x"}, TypeError, "needs the parameter 'id' before 'part'"),
        ("/x", (1,), {}, TypeError, "has no parameters"),
    ],
)
def test_what_cannot_be_built(
    was, resource: Any, args: Any, params: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        was.urlfor(resource, *args, **params)


def test_baseurl(was) -> None:
    assert was.baseurl("user") == "/my%20shop/users/"
    assert was.baseurl("profile") == "/my%20shop/profiles/"
    assert was.baseurl("index") == "/my%20shop/"
    assert was.baseurl("others:_cart") == "/cart/"


def test_static_and_media(was) -> None:
    assert was.static("img/logo 1.png") == "/static/img/logo%201.png"
    assert was.media("a.txt") == "/media/a.txt"
    was.app.config.STATIC_URL = "/"
    was.app.config.MEDIA_URL = "https://cdn.example.com/m"
    assert was.static("img/logo.png") == "/img/logo.png"
    assert was.static("/elsewhere.png") == "/elsewhere.png"
    assert was.media("a.txt") == "https://cdn.example.com/m/a.txt"


def test_urlpatch_keeps_the_other_parameters(app: Atila) -> None:
    @app.route("/list/<kind>")
    def listing(was, kind, page="1", order="name"):
        patched = was.urlpatch(page=int(page) + 1)
        assert was.partial("listing", page=int(page) + 1) == patched
        return f"{patched} {was.urlpatch('user', id=3, name='x')} {was.urlpatch(order=None)}"

    answer = app.test_client().get("/list/a%20b?page=2&order=age")
    assert answer.text == "/list/a%20b?page=3&order=age /users/3/x /list/a%20b?page=2"


# There and back ---------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12
).filter(lambda text: text not in (".", ".."))
VALUES: dict[str, Any] = {
    "int": st.integers(-(10**30), 10**30) | st.sampled_from(["me", "notme", "new"]),
    "float": st.floats(
        allow_nan=False, allow_infinity=False, min_value=-1e250, max_value=1e250
    ).filter(lambda number: number == 0 or abs(number) > 1e-250),
    "str": TEXT,
    "path": st.lists(TEXT, min_size=1, max_size=3).map("/".join),
}
LITERAL = st.text(string.ascii_letters + "-_~ü€ .%?&;", min_size=1, max_size=6).filter(
    lambda text: text.strip(".") != ""
)


@st.composite
def resource_and_values(draw):
    rule, values = "", {}
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["", "int", "float", "str"]))
        if kind:
            rule += f"/<{kind}:p{number}>"
            values[f"p{number}"] = draw(VALUES[kind])
        else:
            rule += "/" + draw(LITERAL)
    if draw(st.booleans()):
        rule += "/<path:rest>"
        values["rest"] = draw(VALUES["path"])
    query = draw(st.dictionaries(st.sampled_from(["q", "r"]), st.text(max_size=8)))
    return rule, values, query


@settings(max_examples=300, deadline=None)
@given(resource_and_values())
def test_a_built_url_leads_back(made) -> None:
    rule, values, query = made
    app = Atila("shop", layers=NO_LAYERS)

    @app.route(rule)
    def target(was, **params): ...

    Site([Mount("/shop", app)])
    url = background_context.context(app).urlfor("target", **values, **query)
    path, _, sent = url.partition("?")
    assert url.isascii()
    assert " " not in url
    match = app.router.match(unquote(path).removeprefix("/shop"), "GET")
    assert match is not None
    assert dict(zip(match.names, match.values, strict=True)) == values
    assert parse_query(sent, 10) == query


# Piping -----------------------------------------------------------------------------------------


@pytest.fixture
def piped() -> TestClient:
    app = Atila("shop", layers=NO_LAYERS)
    app.before_request(lambda was: was.request.g.setdefault("hooks", []).append("before"))

    @app.route("/1")
    @app.inspect(offset=int)
    def index(was, offset=1):
        return f"{offset!r} {was.request.args}"

    @app.route("/2")
    def index2(was):
        return was.pipe(index)

    @app.route("/3")
    def index3(was):
        return was.pipe(index, offset=4)

    @app.route("/4")
    def index4(was):
        return was.pipe("index", offset="t")

    @app.route("/positional")
    def positional(was):
        return was.pipe("toc", 5)

    @app.route("/toc/<int:chapter>")
    def toc(was, chapter):
        return f"Page TOC Chapter {chapter}"

    @app.route("/after")
    def after(was, **params):
        result = was.pipe("toc", chapter=3)
        return f"{result} {was.request.args} {was.endpoint.route.name} {was.request.g['hooks']}"

    @app.route("/missing")
    def missing(was):
        return was.pipe("toc")

    @app.route("/unknown")
    def unknown(was):
        return was.pipe("toc", chapter=1, page=2)

    @app.route("/object")
    def an_object(was):
        return was.pipe("index", offset=app)

    @app.route("/strict")
    @app.inspect("JSON", name__len__lte=3)
    @app.inspect(ints=["n"])
    def strict(was, name="-", n=None):
        return f"{name} {n}"

    @app.route("/to-strict", methods=["POST"])
    def to_strict(was, **body):
        return was.pipe(strict, name=["a", "list"]) + str(body)

    @app.route("/guarded")
    @app.testpass_required(lambda was: False)
    def guarded(was):
        return "never"

    @app.route("/to-guarded")
    def to_guarded(was):
        return was.pipe("guarded")

    @app.route("/async")
    async def later(was, n):
        return f"later {n}"

    @app.route("/to-async")
    @app.run_after(lambda was: was.response.set_header("X-After", "1"))
    def to_async(was):
        return was.pipe(later, n=7)

    return app.test_client()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/1?offset=2", 200, "2 {'offset': 2}"),
        ("/1?offset=t", 400, "offset"),
        ("/2", 200, "1 {'offset': 1}"),
        ("/2?anything=7", 200, "1 {'offset': 1}"),
        ("/3", 200, "4 {'offset': 4}"),
        ("/4", 200, "'t' {'offset': 't'}"),
        ("/object", 200, "<Atila shop"),
        ("/positional", 200, "Page TOC Chapter 5"),
        ("/after?x=1", 200, "Page TOC Chapter 3 {'x': '1'} after ['before']"),
        ("/missing", 500, ""),
        ("/unknown", 500, ""),
        ("/to-guarded", 403, "the test was not passed"),
        ("/to-async", 200, "later 7"),
    ],
)
def test_pipe(piped: TestClient, path: str, status: int, text: str) -> None:
    answer = piped.get(path)
    assert answer.status_code == status
    assert text in answer.text


def test_calls_of_the_program_that_do_not_fit_are_its_own_mistakes(
    piped: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert piped.get("/missing").status_code == piped.get("/unknown").status_code == 500
    assert "TypeError: toc is called wrongly: parameter 'chapter' is required" in caplog.text
    assert "TypeError: toc is called wrongly: unknown parameter 'page'" in caplog.text


def test_inspection_of_a_piped_handler_leaves_the_body_alone(piped: TestClient) -> None:
    answer = piped.post("/to-strict", json={"name": "far too long", "n": "x"})
    assert answer.text == "['a', 'list'] None{'name': 'far too long', 'n': 'x'}"
    assert piped.post("/strict", json={"name": "far too long", "n": 1}).status_code == 400


def test_after_a_piped_coroutine(piped: TestClient) -> None:
    assert piped.get("/to-async").headers["x-after"] == "1"


def test_what_cannot_be_piped(was) -> None:
    with pytest.raises(LookupError, match="no resource 'nothing'"):
        was.pipe("nothing")
    with pytest.raises(LookupError, match="of another app"):
        was.pipe("others:_cart", id=1)
