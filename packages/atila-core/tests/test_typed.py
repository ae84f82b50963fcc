"""Parameters with types: every type from every part of a request, and what is refused."""

from __future__ import annotations

import datetime
import enum
import json
import sys
import tracemalloc
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)

import annotated_types as at
import attrs
import msgspec
import pydantic
import pytest
from msgspec import Meta

from atila import Atila, Body, Cookie, Header, Query, SetupError, Upload, Was
from atila.testing import TestClient
from atila.testing.client_request import ClientRequest
from atila.testing.waits import PATIENCE

ALONE = {"tasks": None, "auth": None, "render": None, "ws": None}
JSON = [("content-type", "application/json")]
Item = TypeVar("Item")
UserId = NewType("UserId", int)


class Label(enum.Enum):
    BUG = "bug"
    IDEA = "idea"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Line:
    item: str
    count: Annotated[int, at.Ge(1)]


class Order(msgspec.Struct):
    lines: Annotated[list[Line], Meta(min_length=1)]
    due: datetime.date | None = None
    price: Decimal = Decimal(1)


class Comment(msgspec.Struct):
    text: Annotated[str, pydantic.Field(min_length=1)]
    replies: list[Comment] = []


class Closed(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    first_name: str


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    name: str


class Shape(TypedDict, total=False):
    width: int
    height: int


@attrs.define
class Point:
    x: int
    y: int = 0


class Pair(NamedTuple):
    key: str
    value: int = 0


class Page(msgspec.Struct, Generic[Item]):
    items: list[Item]


class User(pydantic.BaseModel):
    name: Annotated[str, pydantic.Field(max_length=5)]
    age: int = 0


class Stack(pydantic.BaseModel, Generic[Item]):
    items: list[Item]


@dataclass
class Both(Generic[Item]):
    first: Item
    second: Item


@attrs.define
class Route:
    points: list[Point]
    named: dict[str, Point] = attrs.field(factory=dict)


class Crate(TypedDict):
    shape: Required[Shape]
    lines: NotRequired[list[Line]]


class Car(pydantic.BaseModel):
    kind: Literal["car"]
    doors: int


class Bike(pydantic.BaseModel):
    kind: Literal["bike"]
    gears: int


Vehicle = Annotated[Car | Bike, pydantic.Field(discriminator="kind")]


class Parked(pydantic.BaseModel):
    vehicles: list[Vehicle]


class Kennel(msgspec.Struct):
    pets: list[Cat | Dog]


class Branch(msgspec.Struct):
    """A tree that names itself and its leaf before that is there."""

    leaf: Leaf
    other: Branch | None = None


@dataclass
class Leaf:
    colour: str


@dataclass
class Team:
    lead: User
    members: list[User] = field(default_factory=list)


@dataclass
class Picture:
    title: str
    files: list[Upload]
    tags: list[str] = field(default_factory=list)
    is_public: bool = False


@dataclass
class Odd:
    when: datetime.date | datetime.datetime | str


@dataclass
class Checked:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be more than high")


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=ALONE)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


def errors(answer: Any) -> list[tuple[str, str, str]]:
    assert answer.status_code == 400, answer.text
    return [(each["in"], each["at"], each["rule"]) for each in answer.json()["errors"]]


def taking(hint: Any, default: Any = None) -> Callable[..., str]:
    """A handler with a parameter of a type."""

    def handler(was: Was, value: Any) -> str:
        return repr(value)

    handler.__annotations__["value"] = hint
    return handler


MOMENT = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)
KEY = uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")

TYPES: list[tuple[Any, Any, str, Any]] = [
    # type, as JSON, as text, value
    (bool, True, "true", True),
    (bool, False, "off", False),
    (int, 7, "7", 7),
    (int, -(10**30), "-" + "1" + "0" * 30, -(10**30)),
    (float, 1.5, "1.5", 1.5),
    (float, 2, "2", 2.0),
    (str, "ä b", "ä b", "ä b"),
    (bytes, "aGk=", "aGk=", b"hi"),
    (Decimal, "1.50", "1.50", Decimal("1.50")),
    (Decimal, 3, "3", Decimal(3)),
    (datetime.date, "2026-01-31", "2026-01-31", datetime.date(2026, 1, 31)),
    (datetime.time, "12:30:00", "12:30:00", datetime.time(12, 30)),
    (datetime.datetime, "2026-01-31T12:30:00Z", "2026-01-31T12:30:00Z", MOMENT),
    (datetime.timedelta, "PT1H30M", "PT1H30M", datetime.timedelta(minutes=90)),
    (uuid.UUID, str(KEY), str(KEY), KEY),
    (Label, "bug", "bug", Label.BUG),
    (Level, 2, "2", Level.HIGH),
    (Literal["a", "b"], "b", "b", "b"),
    (Literal[1, 2], 2, "2", 2),
    (int | None, 7, "7", 7),
    (int | str, 7, "7", 7),
    (int | str, "x", "x", "x"),
    (datetime.date | str, "2026-01-31", "2026-01-31", datetime.date(2026, 1, 31)),
    (datetime.date | str, "soon", "soon", "soon"),
    (int | Literal["me"], "me", "me", "me"),
    (UserId, 7, "7", 7),
    (list[int], [1, 2], ["1", "2"], [1, 2]),
    (list[int], [1], "1", [1]),
    (set[int], [1, 1], ["1", "1"], {1}),
    (frozenset[str], ["a"], "a", frozenset({"a"})),
    (tuple[int, ...], [1, 2], ["1", "2"], (1, 2)),
    (tuple[int, str], [1, "a"], ["1", "a"], (1, "a")),
    (Sequence[int], [1], "1", [1]),
    (Annotated[int, Meta(ge=3)], 3, "3", 3),
    (Annotated[int, at.Interval(gt=1, lt=5)], 4, "4", 4),
    (Annotated[str, pydantic.Field(pattern="^a")], "ab", "ab", "ab"),
    (Annotated[str, at.Predicate(str.isupper)], "AB", "AB", "AB"),
]
NAMES = [f"{number}-{each[0]}" for number, each in enumerate(TYPES)]


@pytest.mark.parametrize(("hint", "value", "text", "made"), TYPES, ids=NAMES)
def test_types(app: Atila, client: TestClient, hint: Any, value: Any, text: Any, made: Any) -> None:
    handler = taking(hint)
    app.route("/any")(handler)
    for name, marker in (("query", Query()), ("body", Body("value")), ("header", Header())):
        app.route(f"/{name}")(taking(Annotated[hint, marker]))
    app.route("/cookie")(taking(Annotated[hint, Cookie()]))
    fields = {"value": text}
    json_body = json.dumps({"value": value}).encode()
    expected = repr(made)
    assert client.get("/any", params=fields).text == expected
    assert client.get("/query", params=fields).text == expected
    assert client.post("/any", fields).text == expected
    assert client.post("/body", fields).text == expected
    assert client.post("/any", data=json_body, headers=JSON).text == expected
    assert client.post("/body", data=json_body, headers=JSON).text == expected
    if isinstance(text, str) and text.isascii():
        assert client.get("/header", headers=[("value", text)]).text == expected
        assert client.get("/cookie", headers=[("cookie", f"value={text}")]).text == expected
    if isinstance(text, list):
        assert client.get("/header", headers=[("value", ", ".join(text))]).text == expected


@pytest.mark.parametrize(
    ("hint", "texts", "values"),
    [
        (bool, ["maybe", ""], [1, "true", None]),
        (int, ["x", "", "1.0", "1e3", " 1", "1_0", "１", "9" * 400], ["1", 1.5, True, None, 1e300]),
        (float, ["nan", "inf", "-Infinity", "1e400", "x", ""], ["1", True, None]),
        (Decimal, ["NaN", "Infinity", "1_0", "x"], ["NaN", "Infinity", True]),
        (str, [], [1, None, True, [], {}]),
        (bytes, ["hi!"], ["hi!", 1]),
        (datetime.date, ["2026-02-30", "1700000000", "x"], ["2026-02-30", 1700000000]),
        (datetime.datetime, ["1700000000", "x"], [1700000000]),
        (datetime.timedelta, ["5", "x"], [5]),
        (uuid.UUID, ["7"], ["7"]),
        (Label, ["BUG", "x"], ["BUG", 1]),
        (Level, ["3", "x"], [3, "1"]),
        (Literal["a"], ["b"], ["b"]),
        (list[int], ["x"], [1, "1", {"a": 1}, ["1"]]),
        (tuple[int, str], ["1"], [[1], [1, "a", 2]]),
        (Annotated[int, Meta(ge=3)], ["2"], [2]),
        (Annotated[int, at.MultipleOf(3)], ["2"], [2]),
        (Annotated[str, at.Len(2, 3)], ["a", "abcd"], ["a", "abcd"]),
        (Annotated[str, at.Predicate(str.isupper)], ["a"], ["a"]),
        (Annotated[datetime.datetime, Meta(tz=True)], ["2026-01-31T12:30:00"], []),
        (int | None, ["x"], ["1"]),
    ],
)
def test_what_is_refused(
    app: Atila, client: TestClient, hint: Any, texts: list[Any], values: list[Any]
) -> None:
    app.route("/")(taking(hint))
    for text in texts:
        where, at_, _ = errors(client.get("/", params={"value": text}))[0]
        assert (where, at_.partition("[")[0]) == ("query", "value")
    for value in values:
        where, at_, _ = errors(client.post("/", json={"value": value}))[0]
        assert (where, at_.partition("[")[0]) == ("body", "value")


MODELS: list[tuple[Any, Any, Any]] = [
    (Line, {"item": "a", "count": 1}, Line("a", 1)),
    (Order, {"lines": [{"item": "a", "count": 1}]}, Order([Line("a", 1)])),
    (Comment, {"text": "a", "replies": [{"text": "b"}]}, Comment("a", [Comment("b")])),
    (Closed, {"firstName": "Hans"}, Closed("Hans")),
    (Cat | Dog, {"type": "Dog", "name": "Rex"}, Dog("Rex")),
    (Shape, {"width": 1}, {"width": 1}),
    (Point, {"x": 1}, Point(1)),
    (Page[Line], {"items": [{"item": "a", "count": 2}]}, Page([Line("a", 2)])),
    (User, {"name": "Hans"}, User(name="Hans")),
    (Team, {"lead": {"name": "Hans"}}, Team(User(name="Hans"))),
    (User | None, {"name": "Hans"}, User(name="Hans")),
    (Stack[Line], {"items": [{"item": "a", "count": 2}]}, Stack[Line](items=[Line("a", 2)])),
    (Both[int], {"first": 1, "second": 2}, Both(1, 2)),
    (Route, {"points": [{"x": 1}]}, Route([Point(1)])),
    (Crate, {"shape": {"width": 1}}, {"shape": {"width": 1}}),
    (Vehicle, {"kind": "bike", "gears": 3}, Bike(kind="bike", gears=3)),
    (
        Parked,
        {"vehicles": [{"kind": "car", "doors": 3}]},
        Parked(vehicles=[Car(kind="car", doors=3)]),
    ),
    (Kennel, {"pets": [{"type": "Cat", "lives": 9}]}, Kennel([Cat(9)])),
    (
        Branch,
        {"leaf": {"colour": "red"}, "other": {"leaf": {"colour": "blue"}}},
        Branch(Leaf("red"), Branch(Leaf("blue"))),
    ),
    (Odd, {"when": "2026-01-31"}, Odd(datetime.date(2026, 1, 31))),
    (Odd, {"when": "soon"}, Odd("soon")),
]


@pytest.mark.parametrize(("hint", "value", "made"), MODELS)
def test_models(app: Atila, client: TestClient, hint: Any, value: Any, made: Any) -> None:
    app.route("/one", methods=["POST"])(taking(hint))

    @app.route("/two", methods=["POST"])
    def two(was: Was, value: Any, other: Line) -> str:
        return repr(value)

    two.__annotations__["value"] = hint
    assert client.post("/one", json=value).text == repr(made)
    both = {"value": value, "other": {"item": "a", "count": 1}}
    assert client.post("/two", json=both).text == repr(made)
    if all(isinstance(each, str | int) for each in value.values()):
        assert client.post("/one", value).text == repr(made)
    assert errors(client.post("/one"))[0] == ("body", "", "required")


FAULTS = [
    (Stack[Line], {"items": [{}]}, ["items[0].item", "items[0].count"]),
    (Both[int], {"first": "1", "second": "x"}, ["first", "second"]),
    (
        Route,
        {"points": [{}, {"x": "a"}], "named": {"a": {}}},
        ["points[0].x", "points[1].x", "named.a.x"],
    ),
    (
        Crate,
        {"shape": {"width": "a"}, "lines": [{}]},
        ["shape.width", "lines[0].item", "lines[0].count"],
    ),
    (
        Parked,
        {"vehicles": [{"kind": "bike"}, {"kind": "car"}]},
        ["vehicles[0].gears", "vehicles[1].doors"],
    ),
    (Kennel, {"pets": [{"type": "Cat"}, {"type": "Dog"}]}, ["pets[0].lives", "pets[1].name"]),
    (Branch, {"leaf": {}, "other": {"leaf": {}}}, ["leaf.colour", "other.leaf.colour"]),
]


@pytest.mark.parametrize(("hint", "value", "places"), FAULTS)
def test_all_faults_of_a_model_have_their_places(
    app: Atila, client: TestClient, hint: Any, value: Any, places: list[str]
) -> None:
    app.route("/", methods=["POST"])(taking(hint))
    found = [at_ for _, at_, _ in errors(client.post("/", json=value))]
    assert sorted(found) == sorted(places)


def test_other_values(app: Atila, client: TestClient) -> None:
    app.route("/pair", methods=["POST"])(taking(Pair))
    app.route("/map", methods=["POST"])(taking(Annotated[dict[int, Mapping[str, Label]], Body()]))
    app.route("/list", methods=["POST"])(taking(Annotated[list[Line], Body()]))
    app.route("/text", methods=["POST"])(taking(Annotated[str, Body()]))
    app.route("/raw", methods=["POST"])(taking(Annotated[bytes, Body()]))
    assert client.post("/pair", json={"value": ["a", 1]}).text == repr(Pair("a", 1))
    assert client.post("/map", json={"1": {"a": "bug"}}).text == repr({1: {"a": Label.BUG}})
    assert client.post("/list", json=[{"item": "a", "count": 1}]).text == repr([Line("a", 1)])
    assert errors(client.post("/list", json=[{"item": "a"}])) == [("body", "[0].count", "required")]
    text = [("content-type", "text/plain")]
    assert client.post("/text", data="grüße".encode(), headers=text).text == "'grüße'"
    assert client.post("/text", data=b"\xff", headers=text).status_code == 400
    assert client.post("/raw", data=b"\xff", headers=text).text == repr(b"\xff")
    assert client.post("/list", data=b"x", headers=text).status_code == 415


def test_all_errors_at_once(app: Atila, client: TestClient) -> None:
    @app.route("/shops/<int:shop>/orders", methods=["POST"])
    def create(
        was: Was,
        shop: int,
        order: Order,
        notify: bool = False,
        token: Annotated[str, Header("x-token"), Meta(min_length=2)] = "",
    ) -> str:
        return repr((shop, order, notify, token))

    good = {"lines": [{"item": "a", "count": 1}]}
    answer = client.post("/shops/7/orders?notify=on", json=good, headers=[("x-token", "abc")])
    assert answer.text == repr((7, Order([Line("a", 1)]), True, "abc"))
    bad = {"lines": [{"item": "a", "count": 1}, {"count": 0}], "due": "x", "price": "NaN"}
    answer = client.post("/shops/7/orders?notify=x&more=1", json=bad, headers=[("x-token", "a")])
    assert errors(answer) == [
        ("body", "lines[1].item", "required"),
        ("body", "lines[1].count", "ge"),
        ("body", "due", "type"),
        ("body", "price", "type"),
        ("query", "notify", "type"),
        ("header", "x-token", "min_length"),
        ("query", "more", "unknown"),
    ]
    told = answer.json()
    assert told["errors"][1]["message"] == "must be at least 1, not 0"
    assert "parameter 'lines[1].count' must be at least 1, not 0" in told["detail"]
    page = client.post("/shops/7/orders", json=bad, headers=[("accept", "text/html")]).text
    assert page.count("<li>") == 4
    assert "<code>lines[1].count</code> must be at least 1, not 0" in page


def test_a_page_of_errors_is_escaped(app: Atila, client: TestClient) -> None:
    app.route("/")(lambda was: None)

    @app.route("/two", methods=["GET"])
    def two(was: Was, a: int, b: int) -> None:
        pass

    accept = [("accept", "text/html")]
    page = client.get("/two", params={"a": "<script>", "b": "<b>", "<i>": "1"}, headers=accept).text
    assert "<script>" not in page
    assert "<i>" not in page


def test_a_name_in_the_rule_comes_from_the_path_alone(app: Atila, client: TestClient) -> None:
    @app.route("/users/<int:id>", methods=["GET", "POST"])
    def user(was: Was, id: int = 0) -> str:
        return repr(id)

    assert client.get("/users/7").text == "7"
    assert client.get("/users").text == "0"
    assert client.get("/users/7?id=7").text == "7"
    assert client.post("/users/7", json={"id": 7}).text == "7"
    for answer in (
        client.get("/users/7?id=8"),
        client.get("/users?id=8"),
        client.get("/users/7?id=7&id=7"),
        client.get("/users/7?id=x"),
    ):
        assert errors(answer) == [("query", "id", "path")]
    for other in (8, "x", {}, [7], None):
        assert errors(client.post("/users/7", json={"id": other})) == [("body", "id", "path")]
    assert errors(client.get("/users/me")) == [("path", "id", "type")]


def test_a_model_cannot_contradict_the_path(app: Atila, client: TestClient) -> None:
    @app.route("/points/<int:x>", methods=["PUT"])
    def point(was: Was, x: int, at: Point) -> str:
        return repr((x, at))

    assert client.put("/points/7", json={"x": 7}).text == repr((7, Point(7)))
    assert errors(client.put("/points/7", json={"x": 8})) == [("body", "x", "path")]


def test_types_of_the_rule(app: Atila, client: TestClient) -> None:
    app.route("/keys/<value>")(taking(uuid.UUID))
    app.route("/labels/<value>")(taking(Label))
    app.route("/days/<value>")(taking(datetime.date))
    app.route("/levels/<int:value>")(taking(Level))
    app.route("/prices/<float:value>")(taking(Annotated[float, Meta(gt=1)]))
    app.route("/who/<int:value>")(taking(int | Literal["me"]))
    app.route("/files/<path:value>")(taking(Annotated[str, Meta(max_length=5)]))
    assert client.get(f"/keys/{KEY}").text == repr(KEY)
    assert client.get("/labels/bug").text == repr(Label.BUG)
    assert client.get("/days/2026-01-31").text == repr(datetime.date(2026, 1, 31))
    assert client.get("/levels/2").text == repr(Level.HIGH)
    assert client.get("/prices/2").text == "2.0"
    assert (client.get("/who/me").text, client.get("/who/7").text) == ("'me'", "7")
    assert client.get("/files/a/b").text == "'a/b'"
    for path in ("/keys/7", "/labels/x", "/levels/3", "/prices/1.0", "/who/new", "/files/abcdef"):
        assert errors(client.get(path))[0][:2] == ("path", "value")


def test_without_a_type_the_body_wins_if_the_rule_could_have_it(
    app: Atila, client: TestClient
) -> None:
    @app.route("/plain/<int:id>", methods=["GET", "POST"])
    def plain(was: Was, id=None, more=None):  # type: ignore[no-untyped-def]
        return repr(id)

    @app.route("/beside/<int:id>", methods=["GET", "POST"])
    def beside(was: Was, id=None, more: int = 0):  # type: ignore[no-untyped-def]
        return repr(id)

    for path in ("/plain", "/beside"):
        assert client.post(f"{path}/7", json={"id": 8}).text == "8"
        assert client.post(f"{path}/7", {"id": "8"}).text == "8"
        assert client.get(f"{path}/me").text == "'me'"
        assert client.get(f"{path}?id=8").text == "8"
        for other in ({}, "abc", [1], True, 1.5):
            assert client.post(f"{path}/7", json={"id": other}).status_code == 400
        assert client.get(f"{path}?id=abc").status_code == 400


def test_files(app: Atila, client: TestClient) -> None:
    @app.route("/pictures", methods=["POST"])
    def picture(was: Was, picture: Picture) -> str:
        names = [(file.name, file.read()) for file in picture.files]
        return repr((picture.title, names, picture.tags, picture.is_public))

    @app.route("/one", methods=["POST"])
    def one(was: Was, photo: Upload, raw: bytes = b"") -> str:
        return repr((photo.name, raw))

    files = [("files", "a.txt", "1"), ("files", "b.txt", "2")]
    body, kind = _multipart(
        [("title", "", "A"), *files, ("tags", "", "x"), ("is_public", "", "on")]
    )
    answer = client.post("/pictures", data=body, headers=[("content-type", kind)])
    assert answer.text == repr(("A", [("a.txt", b"1"), ("b.txt", b"2")], ["x"], True))
    body, kind = _multipart([("photo", "a.txt", "1"), ("raw", "b.txt", "2")])
    assert client.post("/one", data=body, headers=[("content-type", kind)]).text == repr(
        ("a.txt", b"2")
    )
    assert errors(client.post("/one", {"photo": "no file"})) == [("body", "photo", "type")]
    assert errors(client.post("/pictures", json={"title": "A", "files": ["x"]})) == [
        ("body", "files[0]", "type")
    ]


def _multipart(fields: list[tuple[str, str, str]]) -> tuple[bytes, str]:
    parts = []
    for name, filename, value in fields:
        more = f'; filename="{filename}"' if filename else ""
        head = f'Content-Disposition: form-data; name="{name}"{more}'
        parts.append(f"--B\r\n{head}\r\n\r\n{value}\r\n")
    return ("".join(parts) + "--B--\r\n").encode(), "multipart/form-data; boundary=B"


def test_parts_of_a_request(app: Atila, client: TestClient) -> None:
    @app.route("/", methods=["GET", "POST"])
    def parts(
        was: Was,
        token: Annotated[str, Header("X-Token")],
        user_agent: Annotated[str, Header] = "",
        sid: Annotated[int | None, Cookie("session-id")] = None,
        page: Annotated[int, Query("p")] = 1,
        size: Annotated[int, Body("size")] = 10,
        **more: int,
    ) -> str:
        return repr((token, user_agent, sid, page, size, more))

    headers = [("x-token", "t"), ("user-agent", "u"), ("cookie", "session-id=7")]
    answer = client.post("/?p=2&a=3", json={"size": 4, "b": 5}, headers=headers)
    assert answer.text == repr(("t", "u", 7, 2, 4, {"a": 3, "b": 5}))
    assert errors(client.get("/?p=x&size=y&b=z")) == [
        ("header", "x-token", "required"),
        ("query", "p", "type"),
        ("query", "size", "type"),
        ("query", "b", "type"),
    ]
    # What is marked is taken from there alone.
    assert errors(client.get("/?token=t")) == [
        ("header", "x-token", "required"),
        ("query", "token", "type"),
    ]


def test_a_name_that_both_query_and_body_give(app: Atila, client: TestClient) -> None:
    """The body wins, as without types; the value that loses must not be of the type."""

    @app.route("/typed", methods=["POST"])
    def typed(was: Was, page: int = 1) -> str:
        return repr(page)

    @app.route("/plain", methods=["POST"])
    def plain(was: Was, page=1):  # type: ignore[no-untyped-def]
        return repr(int(page))

    for path in ("/typed", "/plain"):
        for query in ("page=2", "page=x"):
            assert client.post(f"{path}?{query}", json={"page": 3}).text == "3"
            assert client.post(f"{path}?{query}", {"page": "3"}).text == "3"
        assert client.post(f"{path}?page=2", json={}).text == "2"
    assert errors(client.post("/typed?page=2", json={"page": "x"})) == [("body", "page", "type")]


def test_a_query_as_a_model(app: Atila, client: TestClient) -> None:
    class Filter(msgspec.Struct, forbid_unknown_fields=True):
        labels: list[Label] = []
        page: Annotated[int, Meta(ge=1)] = 1

    @app.route("/")
    def search(was: Was, filter: Annotated[Filter, Query()]) -> str:
        return repr(filter)

    assert client.get("/?labels=bug&page=2").text == repr(Filter([Label.BUG], 2))
    assert client.get("/").text == repr(Filter())
    assert errors(client.get("/?labels=x&page=0&z=1")) == [
        ("query", "labels[0]", "enum"),
        ("query", "page", "ge"),
        ("query", "z", "unknown"),
    ]


def test_fields_beside_a_model(app: Atila, client: TestClient) -> None:
    @app.route("/", methods=["POST"])
    def signup(was: Was, who: Closed, agreed: bool = False) -> str:
        return repr((who, agreed))

    body = {"firstName": "Hans", "agreed": "on"}
    assert client.post("/", body).text == repr((Closed("Hans"), True))
    assert client.post("/?agreed=on", {"firstName": "Hans"}).text == repr((Closed("Hans"), True))
    assert errors(client.post("/", {**body, "more": "1"})) == [("body", "more", "unknown")]


def test_a_model_that_checks_itself(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Checked))
    answer = client.post("/", json={"low": 2, "high": 1})
    assert errors(answer) == [("body", "", "value")]
    assert answer.json()["errors"][0]["message"] == "low must not be more than high"


def test_pydantic_says_what_is_wrong(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(User))
    app.route("/team", methods=["POST"])(taking(Team))
    app.route("/mail", methods=["POST"])(taking(pydantic.EmailStr))
    assert errors(client.post("/", json={"name": "too long", "age": "x"})) == [
        ("body", "name", "string_too_long"),
        ("body", "age", "int_parsing"),
    ]
    team = {"lead": {}, "members": [{"name": "a"}, {"name": "b", "age": []}]}
    assert errors(client.post("/team", json=team)) == [
        ("body", "lead.name", "required"),
        ("body", "members[1].age", "int_type"),
    ]
    assert client.post("/mail", json={"value": "a@gmail.com"}).text == "'a@gmail.com'"
    assert errors(client.post("/mail", json={"value": "a"})) == [("body", "value", "value_error")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "a", "text": "b"}',
        b'{"text": "a:b", "t\\u0065xt": "b"}',
        b'{"text": "a", "replies": [{"text": "x", "text": "\\u003a"}]}',
        b'{"text": NaN}',
        b'{"text": 1e999}',
        b'{"text": "\\ud800"}',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"text": ' + b"9" * 5000 + b"}",
        b"\xff",
        b"{",
        b"",
    ],
    ids=str,
)
def test_malformed_json(app: Atila, client: TestClient, body: bytes) -> None:
    app.route("/", methods=["POST"])(taking(Comment))
    answer = client.post("/", data=body, headers=JSON)
    assert answer.status_code == 400
    assert [each["in"] for each in answer.json()["errors"]] == ["body"]


def test_the_place_of_a_key_that_comes_twice(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Comment))
    for body, place in (
        (b'{"text": "a", "text": "b"}', "text"),
        (b'{"text": "a", "replies": [{"text": "x"}, {"text": 1, "text": 2}]}', "replies[1].text"),
        (b'{"text": "a", "replies": [[{"x": {"y": [], "y": 1e9}}]]}', "replies[0][0].x.y"),
    ):
        (error,) = client.post("/", data=body, headers=JSON).json()["errors"]
        assert (error["in"], error["at"], error["rule"]) == ("body", place, "duplicate")


def test_a_form_that_cannot_be_read(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Comment))
    forms = {"application/x-www-form-urlencoded": b"text=%FF", "multipart/form-data": b"--x"}
    for kind, body in forms.items():
        answer = client.post("/", data=body, headers={"content-type": kind})
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert (error["in"], error["at"], error["rule"]) == ("body", "", "format")


def test_a_form_without_fields_is_one(app: Atila, client: TestClient) -> None:
    @dataclass
    class Choice:
        number: int = 5

    app.route("/", methods=["POST"])(taking(Choice))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/", data=b"", headers=form).text.endswith("Choice(number=5)")
    assert client.post("/", data=b"", headers=JSON).status_code == 400
    assert client.post("/").status_code == 400


def test_what_looks_like_a_key_that_comes_twice(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Comment))
    for text in ("a:b::c", '":{"a":', "\u2028:ä", "\\u003a", 'x"'):
        value = {"text": text, "replies": [{"text": text}]}
        for body in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
            answer = client.post("/", data=body.encode(), headers=JSON)
            assert answer.text == repr(Comment(text, [Comment(text)]))
    long = {"text": "a", "number": 10**30}
    assert client.post("/", data=json.dumps(long).encode(), headers=JSON).status_code == 200


class Strict(pydantic.BaseModel, strict=True):
    when: datetime.date
    key: uuid.UUID
    labels: set[Label]
    number: int = 0


def test_strict_models_take_what_json_has_no_type_for(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Strict))
    app.route("/all", methods=["POST"])(taking(Annotated[list[Strict], Body()]))
    good = {"when": "2026-01-31", "key": str(KEY), "labels": ["bug"]}
    made = Strict(when=datetime.date(2026, 1, 31), key=KEY, labels={Label.BUG})
    assert client.post("/", json=good).text == repr(made)
    assert client.post("/all", json=[good]).text == repr([made])
    # Also more of them than there are faults that are worded.
    assert client.post("/all", json=[good] * 500).text == repr([made] * 500)
    bad = {"when": 5, "key": "x", "labels": "bug", "number": "1"}
    assert errors(client.post("/", json=bad)) == [
        ("body", "when", "date_type"),
        ("body", "key", "uuid_parsing"),
        ("body", "labels", "set_type"),
        ("body", "number", "int_type"),
    ]
    many = errors(client.post("/all", json=[good | {"number": "1"}] * 1001))
    assert many == [("body", f"[{number}].number", "int_type") for number in range(100)]


class Node(msgspec.Struct):
    parts: list[Node]


class Leaves(TypedDict, total=False):
    parts: list[Leaves]


class Tree(pydantic.BaseModel):
    parts: list[Tree] = []


class Loose(msgspec.Struct):
    parts: Any


@pytest.mark.parametrize("hint", [Node, Leaves, Tree, Loose, Annotated[Any, Body()], None])
def test_deep_bodies_are_answered_or_refused(app: Atila, client: TestClient, hint: Any) -> None:
    def echo(was: Was, value: Any) -> Any:
        return {"sent": [value]}

    def untyped(was: Was) -> Any:
        return {"sent": [was.request.JSON]}

    if hint is not None:
        echo.__annotations__["value"] = hint
    app.route("/", methods=["POST"])(untyped if hint is None else echo)
    for levels in range(1, 101, 9):
        body = b'{"parts":[' * levels + b"]}" * levels
        answer = client.post("/", data=body, headers=JSON)
        assert (answer.status_code, answer.json()["sent"]) == (200, [json.loads(body)])
    for levels in (101, 120, 128, 130, 200, 400, 480, 1000):
        body = b'{"parts":[' * levels + b"]}" * levels
        answer = client.post("/", data=body, headers=JSON)
        assert answer.status_code == 400, answer.text
        assert "nested deeper than" in answer.text or "depth limit" in answer.text


def test_many_faults_that_pydantic_finds(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Tree))

    def faults(parts: list[Any]) -> list[tuple[str, str]]:
        answer = client.post("/", json={"parts": parts})
        return [(at_, rule) for _, at_, rule in errors(answer)]

    each = [(f"parts[{number}]", "model_type") for number in range(100)]
    assert faults([1] * 1000) == each
    tracemalloc.start()
    try:
        assert faults([1] * 50_000) == each
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Words for all of them would be twice as much.
    assert most < 35_000_000
    # The first thousand items have none.
    assert faults([{}] * 1000 + [1] * 1001) == [("", "type")]
    assert faults([{}] * 500 + [{"parts": 1}] * 5000)[0] == ("parts[500].parts", "list_type")


def test_many_errors_take_little_memory(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(taking(Order))
    body = json.dumps({"lines": [{"item": 1, "count": 0}] * 100_000}).encode()
    client.post("/", data=body, headers=JSON)
    tracemalloc.start()
    try:
        answer = client.post("/", data=body, headers=JSON)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(answer.json()["errors"]) == 100
    assert len(answer.content) < 20_000
    # What was parsed, and no list of problems that grows with it.
    assert most < 30 * len(body)


def test_inspections_work_beside_types(app: Atila, client: TestClient) -> None:
    @app.route("/", methods=["GET", "POST"])
    @app.inspect(page__lte=10, emails=["mail"], nones=["note"])
    def both(was: Was, page: int = 1, mail: str = "", note: str | None = None) -> str:
        return repr((page, mail, note))

    @app.route("/order", methods=["POST"])
    @app.inspect(price__lte=5)
    def order(was: Was, order: Order) -> str:
        return repr(order.price)

    assert client.get("/?page=3&mail=A@GMail.com&note=").text == repr((3, "A@gmail.com", None))
    assert "[page__lte]" in client.get("/?page=11").json()["detail"]
    # Rules are looked at first.
    assert "[page__lte]" in client.get("/?page=x&note=").json()["detail"]
    assert errors(client.get("/?page=1.5")) == [("query", "page", "type")]
    body = {"lines": [{"item": "a", "count": 1}], "price": 6}
    assert "[price__lte]" in client.post("/order", json=body).json()["detail"]
    assert client.post("/order", json={**body, "price": 5}).text == repr(Decimal(5))


def test_hooks_may_change_parameters(app: Atila, client: TestClient) -> None:
    @app.before_request
    def double(was: Was) -> None:
        if "page" in was.request.args:
            was.request.args["page"] = str(int(was.request.args["page"]) * 2)

    @app.route("/")
    def page(was: Was, page: int = 1, size: int = 10) -> str:
        return repr((page, was.request.args))

    assert client.get("/?page=2").text == repr((4, {"page": 4, "size": 10}))


def test_pipes(app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    @app.route("/orders/<int:shop>", methods=["POST"])
    def orders(was: Was, shop: int, order: Order, note: str = "") -> str:
        return repr((shop, order, note))

    @app.route("/piped")
    def piped(was: Was) -> Any:
        return was.pipe(orders, 7, Order([Line("a", 1)]), note="x")

    @app.route("/wrong")
    def wrong(was: Was) -> Any:
        return was.pipe(orders, "x", {"lines": []})

    assert client.get("/piped").text == repr((7, Order([Line("a", 1)]), "x"))
    # The program's own mistake.
    assert client.get("/wrong").status_code == 500
    assert "orders is called wrongly: parameter 'shop' must be a whole number" in caplog.text


def test_no_field_is_taken_for_the_context(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def anything(was: Was, page: int = 1, **more: str) -> str:
        return repr(more)

    assert client.get("/?a=b").text == repr({"a": "b"})
    assert errors(client.get("/?was=1")) == [("query", "was", "unknown")]


@pytest.mark.parametrize("others", [{}, {"page": "2"}, {"page": "2", "a": "5"}])
def test_a_parameter_of_the_rule_is_among_all_others(
    app: Atila, client: TestClient, others: dict[str, str]
) -> None:
    @app.route("/<int:user>/plain")
    def plain(was: Was, page: int = 1, **more: Any) -> str:
        return repr((page, more))

    @app.route("/<user>/typed", methods=["GET", "POST"])
    def with_types(was: Was, page: int = 1, **more: int) -> str:
        return repr((page, more))

    page, more = int(others.get("page", 1)), {k: v for k, v in others.items() if k != "page"}
    answer = client.get("/7/plain", params=others)
    assert answer.text == repr((page, {"user": 7, **more}))
    numbers = {name: int(value) for name, value in more.items()}
    answer = client.get("/7/typed", params=others)
    assert answer.text == repr((page, {"user": 7, **numbers}))
    assert errors(client.get("/x/typed", params=others)) == [("path", "user", "type")]
    answer = client.post("/7/typed", params=others, json={"user": 8})
    assert errors(answer) == [("body", "user", "path")]


def test_all_others_are_no_texts_where_the_rule_has_numbers() -> None:
    app = Atila(__name__)

    @app.route("/<int:user>")
    def texts(was: Was, **more: str) -> str:
        return ""

    with pytest.raises(SetupError, match="write <user> there, or user: int"):
        app.site


def test_async_handlers_and_generators(app: Atila, client: TestClient) -> None:
    @app.route("/async")
    async def later(was: Was, page: int = 1) -> str:
        return repr(page)

    @app.route("/stream")
    def stream(was: Was, page: int = 1) -> Any:
        yield repr(page)

    for path in ("/async", "/stream"):
        assert client.get(f"{path}?page=2").text == "2"
        assert errors(client.get(f"{path}?page=x")) == [("query", "page", "type")]


def test_local_models_with_annotations_as_text(app: Atila, client: TestClient) -> None:
    @dataclass
    class Inner:
        number: int

    @dataclass
    class Outer:
        inner: list[Inner]

    @app.route("/", methods=["POST"])
    def local(was: Was, outer: Outer) -> str:
        return str(outer.inner[0].number)

    assert client.post("/", json={"inner": [{"number": 1}]}).text == "1"
    assert errors(client.post("/", json={"inner": [{"number": "1"}]})) == [
        ("body", "inner[0].number", "type")
    ]


def _missing(was: Was, value: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    pass


def _stream(was: Was, value: Line) -> None:
    pass


def _twice(was: Was, a: Annotated[int, Body()], b: Annotated[int, Body()]) -> None:
    pass


@pytest.mark.parametrize(
    ("rule", "handler", "problem"),
    [
        ("/", taking(complex), "the parameter 'value' of handler: complex is no type that a"),
        ("/", taking(list[Callable[[], int]]), "is no type that a request can give a value of"),
        ("/", taking(Annotated[int, Meta(min_length=1)]), "min_length"),
        ("/", taking(Annotated[str, at.Ge(1)]), "ge"),
        ("/", _missing, "names 'Nowhere', which is not defined where the function is: import it"),
        ("/", _twice, "takes the whole body twice, as 'a' and as 'b': name the field of each"),
        ("/<int:value>", taking(str), "write <value> there, or value: int"),
        ("/<value>", taking(Annotated[str, Query()]), "so it is taken from the path"),
    ],
)
def test_mistakes(app: Atila, rule: str, handler: Any, problem: str) -> None:
    app.route(rule)(handler)
    with pytest.raises(SetupError, match=r"test_typed\.py:[0-9]+: ") as caught:
        app.site
    assert problem in str(caught.value)


def test_a_streamed_body_is_nobodys_model(app: Atila) -> None:
    app.route("/", methods=["POST"], input_stream=True)(_stream)
    with pytest.raises(SetupError, match="reads the body piece by piece"):
        app.site


def test_pydantic_is_imported_by_those_only_that_use_it() -> None:
    import subprocess

    code = (
        f"import sys; from atila import Atila; app = Atila('a', layers={ALONE!r})\n"
        "def q(was, page: int = 1): return str(page)\n"
        "app.route('/')(q); assert app.test_client().get('/?page=2').text == '2'\n"
        "assert 'pydantic' not in sys.modules and 'attrs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def test_a_handler_without_types_has_the_step_that_it_always_had(app: Atila) -> None:
    @app.route("/a")
    def plain(was: Was, a=1):  # type: ignore[no-untyped-def]
        return str(a)

    @app.route("/b")
    def bare(was: Was) -> str:
        return ""

    @app.route("/c")
    def typed(was: Was, a: int = 1) -> str:
        return str(a)

    app.site
    of = {endpoint.route.rule: endpoint for endpoint in app.endpoints}
    assert (of["/a"].binding, of["/b"].binding) == (None, None)
    assert of["/b"]._bind is None
    assert of["/a"]._bind.__module__ == "atila.routing.signature"  # type: ignore[union-attr]
    assert of["/c"]._bind is of["/c"].binding.bind  # type: ignore[union-attr]


def _opcodes(app: Atila, url: str) -> int:
    """Instructions of the interpreter from the endpoint to the answer."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    client = app.test_client()
    assert client.get(url).status_code == 200
    exchange = client._exchange(ClientRequest("GET", url, []))
    site = app.site
    before = sys.gettrace()
    # Python 3.12 looks at this when it is given a function only.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        was = site.open(exchange)
        was.endpoint.run(was)
    finally:
        sys.settrace(before)
    assert exchange.answers.get_nowait().status_code == 200
    return count


def test_a_route_without_types_pays_nothing_for_those_of_others() -> None:
    def made(*, is_typed: bool) -> Atila:
        app = Atila(__name__, layers=ALONE)

        @app.route("/plain/<int:id>")
        def plain(was, id, page=1):  # type: ignore[no-untyped-def]
            return "ok"

        if is_typed:
            app.route("/typed")(taking(Order))
        return app

    url = "/plain/7?page=2"
    alone = _opcodes(made(is_typed=False), url)
    assert _opcodes(made(is_typed=True), url) == alone


@pytest.mark.parametrize("sent", [{"url": "/any?was=1"}, {"url": "/any", "data": {"was": "1"}}])
def test_no_parameter_has_the_name_of_the_context(
    app: Atila, client: TestClient, sent: dict[str, Any]
) -> None:
    @app.route("/any", methods=["GET", "POST"])
    def takes_any(was: Was, page: int = 1, **rest: str) -> str:
        return repr(rest)

    method = "POST" if "data" in sent else "GET"
    response = client.request(method, **sent)
    assert response.status_code == 400, response.text
    assert [error["at"] for error in response.json()["errors"]] == ["was"]


class Login(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=2)]
    password: Annotated[str, Meta(min_length=8)]
    more: dict[str, Literal["a", "b"]] = {}


def test_errors_do_not_repeat_secrets() -> None:
    app = Atila(__name__, layers=ALONE)

    @app.route("/typed", methods=["POST"])
    def typed(was: Was, login: Login, token: Annotated[int, Query()] = 0) -> str:
        return ""

    @app.route("/inspected", methods=["POST"])
    @app.inspect("DATA", password__len__gte=8, name__len__gte=2)
    def inspected(was: Was, name: Any, password: Any) -> str:
        return ""

    secret, sent = "hunter2", {"name": "x", "password": "hunter2", "more": {"api_key": "hunter2"}}
    with app.test_client() as client:
        answer = client.post("/typed?token=hunter2", json=sent)
        messages = {each["at"]: each["message"] for each in answer.json()["errors"]}
        assert messages == {
            "name": "must have a length of at least 2, not 'x'",
            "password": "must have a length of at least 8",
            "more.api_key": "must be one of 'a', 'b'",
            "token": "must be a whole number",
        }
        for refused in (answer, client.post("/inspected", {"name": "xy", "password": secret})):
            assert refused.status_code == 400
            assert secret not in refused.text
