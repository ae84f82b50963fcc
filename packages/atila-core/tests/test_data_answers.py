"""Models, dicts and lists as answers, on core alone, and what a handler says that it answers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from atila import PROTOCOL, Atila, Layer, Was
from atila.layers import Responder
from atila.testing import TestClient

ALONE = {"tasks": None, "auth": None, "render": None, "ws": None}


class Receipt(msgspec.Struct, rename="camel"):
    order_number: int
    when: datetime.datetime
    price: Decimal = Decimal("1.50")
    proof: bytes = b"hi"
    lasts: datetime.timedelta = datetime.timedelta(hours=1)


class User(pydantic.BaseModel):
    name: str = pydantic.Field(serialization_alias="fullName")
    born: datetime.date


@attrs.define
class Point:
    x: int


@dataclass
class Everything:
    receipt: Receipt
    user: User
    points: set[int]


class Shape(TypedDict):
    width: int


WHEN = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)
RECEIPT = Receipt(7, WHEN)
USER = User(name="Hans", born=datetime.date(1970, 1, 31))
AS_JSON = {
    "orderNumber": 7,
    "when": "2026-01-31T12:30:00Z",
    "price": "1.50",
    "proof": "aGk=",
    "lasts": "PT3600S",
}
USER_AS_JSON = {"fullName": "Hans", "born": "1970-01-31"}


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=ALONE)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


def _same_moment(value: Any) -> Any:
    """RFC 3339 has two ways to write UTC."""
    if isinstance(value, dict):
        return {key: _same_moment(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_same_moment(each) for each in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


ANSWERS: dict[str, tuple[Any, Any]] = {
    "dict": ({"a": [1, None, True, 1.5], "ä": {}}, {"a": [1, None, True, 1.5], "ä": {}}),
    "list": ([1, "a"], [1, "a"]),
    "empty": ([], []),
    "struct": (RECEIPT, AS_JSON),
    "pydantic": (USER, USER_AS_JSON),
    "attrs": (Point(1), {"x": 1}),
    "dataclass": (
        Everything(RECEIPT, USER, {1}),
        {"receipt": AS_JSON, "user": USER_AS_JSON, "points": [1]},
    ),
    "list of models": ([RECEIPT, USER, Point(1)], [AS_JSON, USER_AS_JSON, {"x": 1}]),
    "models in a dict": (
        {1: RECEIPT, "b": {"c": (USER,)}},
        {"1": AS_JSON, "b": {"c": [USER_AS_JSON]}},
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(app: Atila, client: TestClient, name: str) -> None:
    value, expected = ANSWERS[name]
    app.route("/sync")(lambda was: value)

    @app.route("/async")
    async def later(was: Was) -> Any:
        return value

    for path in ("/sync", "/async"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert _same_moment(answer.json()) == expected
    assert client.request("HEAD", "/sync").headers["content-length"] == str(len(answer.content))


def test_status_and_headers_of_the_handler_hold(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def made(was: Was) -> Receipt:
        was.response.set_status(201)
        was.response.set_header("content-type", "application/vnd.receipt+json")
        return RECEIPT

    answer = client.get("/")
    assert (answer.status_code, answer.json()["orderNumber"]) == (201, 7)
    assert answer.headers["content-type"] == "application/vnd.receipt+json"


@pytest.fixture(params=["plain", "hooked"])
def paired(app: Atila, request: pytest.FixtureRequest) -> Atila:
    if request.param == "hooked":

        @app.finish_request
        def finish(was: Was, value: Any) -> None:
            assert not (isinstance(value, tuple) and 201 in value)

    return app


def test_a_value_and_a_status(paired: Atila, client: TestClient) -> None:
    async def waited() -> Any:
        return {"a": 1}

    @paired.route("/async")
    async def later(was: Was) -> Any:
        return RECEIPT, 202

    paired.route("/model")(lambda was: (RECEIPT, 201))
    paired.route("/text")(lambda was: ("gone", 410))
    paired.route("/dict")(lambda was: ({"a": 1}, 201))
    paired.route("/nothing")(lambda was: (None, 205))
    paired.route("/stream")(lambda was: (iter(["a", "b"]), 203))
    paired.route("/waited")(lambda was: (waited(), 201))
    paired.route("/headers")(lambda was: ("a", 201, {"X-A": 1, "content-type": "text/a"}))
    paired.route("/pairs")(lambda was: ("a", 201, [("x-a", "1"), ("x-a", "2")]))
    for path, status in {"/model": 201, "/async": 202}.items():
        answer = client.get(path)
        assert (answer.status_code, answer.json()["orderNumber"]) == (status, 7)
    assert (client.get("/text").status_code, client.get("/text").text) == (410, "gone")
    for path in ("/dict", "/waited"):
        assert (client.get(path).status_code, client.get(path).json()) == (201, {"a": 1})
    assert client.get("/nothing").status_code == 205
    assert (client.get("/stream").status_code, client.get("/stream").text) == (203, "ab")
    answer = client.get("/headers")
    assert (answer.status_code, answer.headers["x-a"]) == (201, "1")
    assert answer.headers["content-type"] == "text/a"
    given = client.get("/pairs").header_list
    assert [value for name, value in given if name == "x-a"] == ["1", "2"]


async def _soon(value: Any) -> Any:
    return value


ALONE_OR_NOT: dict[str, Callable[[], Any]] = {
    **{name: (lambda value=value: value) for name, (value, _) in ANSWERS.items()},
    "text": lambda: "grüße",
    "bytes": lambda: b"\xff",
    "iterator": lambda: iter(["a", "b"]),
    "awaitable": lambda: _soon(RECEIPT),
    "awaited text": lambda: _soon("a"),
}


@pytest.mark.parametrize("name", ALONE_OR_NOT)
def test_what_is_an_answer_alone_is_one_with_a_status(
    app: Atila, client: TestClient, name: str
) -> None:
    make = ALONE_OR_NOT[name]
    app.route("/alone")(lambda was: make())
    app.route("/pair")(lambda was: (make(), 203))
    app.route("/response")(lambda was: was.response(203, make()))
    alone = client.get("/alone")
    assert (alone.status_code, bool(alone.content)) == (200, True)
    for path in ("/pair", "/response"):
        answer = client.get(path)
        assert (answer.status_code, answer.content) == (203, alone.content)
        assert answer.headers["content-type"] == alone.headers["content-type"]


def test_other_tuples(paired: Atila, client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    class Named(NamedTuple):
        text: str
        status: str

    paired.route("/texts")(lambda was: ("a", "b"))
    paired.route("/named")(lambda was: Named("a", "201 Created"))
    paired.route("/none")(lambda was: ())
    for path, text in {"/texts": "ab", "/named": "a201 Created", "/none": ""}.items():
        assert (client.get(path).status_code, client.get(path).text) == (200, text)
    paired.route("/high")(lambda was: ("a", 1000))
    paired.route("/true")(lambda was: ("a", True))
    paired.route("/swapped")(lambda was: (201, "a"))
    paired.route("/long")(lambda was: ("a", 201, {}, 1))
    for path in ("/high", "/true", "/swapped", "/long"):
        assert client.get(path).status_code == 500
        assert "a tuple is `value, status`" in caplog.text
        caplog.clear()


def test_a_status_from_hooks_and_error_handlers(app: Atila, client: TestClient) -> None:
    @app.before_request
    def before(was: Was) -> Any:
        return ("no", 401) if was.request.path == "/closed" else None

    @app.error_handler(404)
    def missing(was: Was, error: Any) -> Any:
        return "<p>lost</p>", 410, {"x-a": "1"}

    app.route("/closed")(lambda was: "never")
    assert (client.get("/closed").status_code, client.get("/closed").text) == (401, "no")
    answer = client.get("/else", headers={"accept": "text/html"})
    assert (answer.status_code, answer.text) == (410, "<p>lost</p>")
    assert [value for name, value in answer.header_list if name == "x-a"] == ["1"]
    assert client.get("/else", headers={"accept": "application/json"}).json()["code"] == 404


def test_what_is_said_of_a_pair(app: Atila, client: TestClient) -> None:
    app.debug = True

    @app.route("/<int:status>")
    def made(was: Was, status: int) -> tuple[Shape, Literal[201]]:
        return ({"width": 1} if status == 201 else {"height": 1}), status  # type: ignore[return-value]

    assert client.get("/201").json() == {"width": 1}
    assert client.get("/200").status_code == 500
    assert client.get("/404").json() == {"height": 1}


def test_hooks_see_the_model(app: Atila, client: TestClient) -> None:
    app.route("/")(lambda was: Point(1))

    @app.finish_request
    def finish(was: Was, value: Any) -> Any:
        return Point(value.x + 1)

    assert client.get("/").json() == {"x": 2}


def test_what_is_no_answer(app: Atila, client: TestClient) -> None:
    app.route("/number")(lambda was: 7)
    app.route("/inside")(lambda was: {"a": object()})
    app.route("/in-model")(lambda was: Everything(RECEIPT, object(), set()))  # type: ignore[arg-type]
    for path in ("/number", "/inside", "/in-model"):
        assert client.get(path).status_code == 500


def test_streams_and_files_are_no_models(app: Atila, client: TestClient) -> None:
    @dataclass
    class Lines:
        left: int

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return "line "

    app.route("/")(lambda was: Lines(2))
    assert client.get("/").text == "line line "


def says(hint: Any, value: Any) -> Any:
    def handler(was: Was) -> Any:
        return value

    handler.__annotations__["return"] = hint
    return handler


@pytest.mark.parametrize(
    ("hint", "value", "problem"),
    [
        (Receipt, RECEIPT, ""),
        (Receipt, {"orderNumber": 7, "when": "2026-01-31T12:30:00Z"}, ""),
        (Shape, {"width": 1}, ""),
        (list[Shape], [{"width": 1}], ""),
        (Receipt | None, None, ""),
        (User, USER, ""),
        (Everything, Everything(RECEIPT, USER, {1}), ""),
        (str, {"a": 1}, ""),
        (Any, object, ""),
        (Receipt, {"orderNumber": "7", "when": WHEN}, "'orderNumber' must be a whole number"),
        (Receipt, Receipt("7", WHEN), "'orderNumber' must be a whole number, not '7'"),  # type: ignore[arg-type]
        (list[Shape], [{"width": 1}, {}], "'[1].width' is required"),
        (Receipt, None, "has returned NoneType: the answer must be an object"),
        (Shape, "text", "must be an object, not 'text'"),
    ],
)
def test_what_is_returned_is_checked_in_development(
    app: Atila,
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    hint: Any,
    value: Any,
    problem: str,
) -> None:
    app.debug = True
    app.route("/")(says(hint, value if value is not object else "x"))
    answer = client.get("/")
    if problem:
        assert answer.status_code == 500
        assert problem in caplog.text
        assert "handler says -> " in caplog.text
    else:
        assert answer.status_code in (200, 204)


def test_otherwise_it_is_not(app: Atila, client: TestClient) -> None:
    app.route("/")(says(Receipt, {"a": 1}))
    assert client.get("/").json() == {"a": 1}
    (endpoint,) = app.endpoints
    assert endpoint._after is None


def test_responses_are_not_checked(app: Atila, client: TestClient) -> None:
    app.debug = True

    @app.route("/")
    def redirect(was: Was) -> Receipt:
        return was.redirect("/other")  # type: ignore[return-value]

    assert client.get("/").status_code == 302


def test_a_responder_of_dicts_may_have_one_for_each_class_of_models() -> None:
    def respond(was: Was, value: dict[str, Any]) -> str:
        return "a dict"

    def for_models(kind: type, of: Atila) -> Responder:
        assert of is app
        asked.append(kind)
        return lambda was, value: f"{kind.__name__} {value.x}"

    respond.for_models = for_models  # type: ignore[attr-defined]
    asked: list[type] = []
    layer = Layer("render", PROTOCOL, responders={dict: respond})
    app = Atila(__name__, layers={**ALONE, "render": layer})
    app.route("/dict")(lambda was: {})
    app.route("/model")(lambda was: Point(1))
    client = app.test_client()
    assert client.get("/dict").text == "a dict"
    assert [client.get("/model").text for _ in range(2)] == ["Point 1"] * 2
    assert asked == [Point]
    assert Point in app.never_awaited
    # A module that was reloaded has another class.
    app.compile_routes()
    assert Point not in app.never_awaited
