"""OpenAPI of handlers with types, and whether handlers keep to it, in both directions."""

from __future__ import annotations

import datetime
import enum
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import annotated_types as at
import attrs
import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator
from msgspec import Meta
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from atila import Atila, Body, Cookie, Header, Query, Upload, Was
from atila.openapi import document as openapi

ALONE = {"tasks": None, "auth": None, "render": None, "ws": None}
INFO = {"title": "Shop", "version": "1"}


class Label(enum.Enum):
    BUG = "bug"
    IDEA = "idea"


@dataclass
class Line:
    """What is ordered."""

    item: Annotated[str, Meta(min_length=1, max_length=5)]
    count: Annotated[int, at.Ge(1)] = 1


class Order(msgspec.Struct):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=3)]
    due: datetime.date | None = None
    labels: set[Label] = set()
    note: str | int | None = None


class Flat(msgspec.Struct):
    name: str = ""
    due: datetime.date | None = None


class Comment(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, at.Len(1, 4)]
    replies: list[Comment] = []


class Cat(msgspec.Struct, tag="cat"):
    lives: Annotated[int, Meta(ge=0, le=9)]


class Dog(msgspec.Struct, tag="dog"):
    weight: Annotated[float, Meta(gt=0, multiple_of=0.5)]


class Mixed(TypedDict):
    level: Literal[1, 2, 3]
    who: NotRequired[int | Literal["me", "all"]]
    price: NotRequired[Decimal]
    pair: NotRequired[tuple[int, str]]
    by_key: NotRequired[dict[str, float]]


@attrs.define
class Pets:
    pets: list[Cat | Dog]
    keeper: Annotated[str, pydantic.Field(pattern="^[a-z]+$")] = "me"


@dataclass
class Moments:
    when: datetime.datetime | datetime.date | str
    flags: frozenset[bool] = field(default_factory=frozenset)


class User(pydantic.BaseModel):
    name: Annotated[str, pydantic.Field(max_length=5)]
    lines: list[Line] = []


class Lax(pydantic.BaseModel, extra="forbid"):
    item: Annotated[str, pydantic.Field(min_length=1, max_length=3)]
    count: Annotated[int, pydantic.Field(ge=1)] = 1
    label: Label | None = None
    text: Literal["bug", "idea"] = "bug"
    when: datetime.date | None = None
    price: float | None = None
    replies: list[Lax] = []


class Strict(Lax, strict=True):
    replies: list[Strict] = []  # type: ignore[assignment]


class Receipt(msgspec.Struct):
    number: int
    order: Order


def document(app: Atila) -> dict[str, Any]:
    app.site
    made = json.loads(json.dumps(openapi.document(app.endpoints, INFO)))
    validate(made, cls=OpenAPIV31SpecValidator)
    return made


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=ALONE)


def resolved(made: dict[str, Any], schema: Any) -> Any:
    """A schema without references, as far as it is not in itself."""
    if isinstance(schema, dict) and "$ref" in schema:
        return made["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def test_everything_has_its_place(app: Atila) -> None:
    @app.route("/shops/<int:shop>/orders", methods=["POST"])
    def create(
        was: Was,
        shop: int,
        order: Order,
        notify: bool = False,
        token: Annotated[str, Header("x-token"), Meta(min_length=2)] = "ab",
        sid: Annotated[UUID | None, Cookie("session")] = None,
        page: Annotated[int, Query("p"), Meta(ge=1)] = 1,
    ) -> tuple[Receipt, Literal[201]]:
        """Make an order."""
        raise NotImplementedError

    made = document(app)
    post = made["paths"]["/shops/{shop}/orders"]["post"]
    told = {(p["in"], p["name"]): p for p in post["parameters"]}
    assert told["path", "shop"]["schema"] == {"type": "integer"}
    assert told["query", "notify"]["schema"] == {"type": "boolean", "default": False}
    assert told["header", "x-token"]["schema"] == {
        "type": "string",
        "minLength": 2,
        "default": "ab",
    }
    assert told["cookie", "session"]["schema"] == {"type": ["string", "null"], "format": "uuid"}
    assert told["query", "p"]["schema"] == {"type": "integer", "minimum": 1, "default": 1}
    assert [key for key, p in told.items() if p.get("required")] == [("path", "shop")]
    body = post["requestBody"]
    assert body["required"] is True
    # No form, for the order has lines, which are objects.
    assert list(body["content"]) == ["application/json"]
    schema = body["content"]["application/json"]["schema"]
    assert schema["allOf"][0] == {"$ref": "#/components/schemas/Order"}
    assert list(schema["allOf"][1]["properties"]) == ["notify"]
    answer = post["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Receipt"}
    wrong = post["responses"]["400"]["content"]["application/json"]["schema"]
    assert wrong == {"$ref": "#/components/schemas/InputError"}
    schemas = made["components"]["schemas"]
    assert set(schemas) == {"Error", "InputError", "Line", "Order", "Receipt"}
    assert schemas["Line"] == {
        "title": "Line",
        "description": "What is ordered.",
        "type": "object",
        "properties": {
            "item": {"type": "string", "minLength": 1, "maxLength": 5},
            "count": {"type": "integer", "minimum": 1, "default": 1},
        },
        "required": ["item"],
    }


def test_an_error_is_as_the_document_says(app: Atila) -> None:
    @app.route("/", methods=["POST"])
    def create(was: Was, order: Order) -> None:
        pass

    made = document(app)
    error = app.test_client().post("/", json={"lines": [{}]}).json()
    schema = {"$ref": "#/components/schemas/InputError", "components": made["components"]}
    Draft202012Validator(schema).validate(error)


def test_names_of_components_do_not_depend_on_the_order(app: Atila) -> None:
    def local() -> type:
        @dataclass
        class Line:
            other: int

        return Line

    Other = local()
    Other.__module__ = "shop.models"
    Error = dataclass(type("Error", (), {"__annotations__": {"code": int}}))

    def taking(hint: Any) -> Any:
        def handler(was: Was, value: Any) -> None:
            pass

        handler.__annotations__["value"] = hint
        return handler

    apps = [Atila(__name__, layers=ALONE) for _ in range(2)]
    for app, (first, second) in zip(apps, ([Line, Other], [Other, Line]), strict=True):
        app.route("/a", methods=["POST"])(taking(first))
        app.route("/b", methods=["POST"])(taking(second))
        app.route("/c", methods=["POST"])(taking(Error))
        app.route("/d", methods=["POST"])(taking(User))
    names = [set(document(app)["components"]["schemas"]) for app in apps]
    assert names[0] == names[1]
    assert {"shop.models.Line", f"{__name__}.Line", f"{__name__}.Error", "Error"} <= names[0]


def test_other_bodies(app: Atila) -> None:
    @app.route("/fields", methods=["POST"])
    def fields(was: Was, a: Line, b: Order, more: Annotated[int, Body("n")] = 0, **x: int) -> None:
        pass

    @app.route("/files", methods=["POST"])
    def files(was: Was, photo: Upload, title: str = "") -> None:
        pass

    @app.route("/raw", methods=["PUT"])
    def raw(was: Was, data: Annotated[bytes, Body()]) -> None:
        pass

    @app.route("/list", methods=["PUT"])
    def lines(was: Was, lines: Annotated[list[Line], Body()]) -> list[Line]:
        return lines

    @app.route("/flat", methods=["PUT"])
    def flat(was: Was, flat: Flat) -> Flat:
        return flat

    @app.route("/due", methods=["GET"])
    def due(was: Was, due: datetime.date | None = None) -> None:
        pass

    @app.route("/search", methods=["GET"])
    def search(was: Was, filter: Annotated[Line, Query()], **x: int) -> dict[str, int]:
        return {}

    paths = document(app)["paths"]
    body = paths["/fields"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (body["required"], list(body["properties"])) == (["a", "b"], ["a", "b", "n"])
    assert body["additionalProperties"] == {"type": "integer"}
    content = paths["/files"]["post"]["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    photo = content["multipart/form-data"]["schema"]["properties"]["photo"]
    assert photo == {"type": "string", "format": "binary"}
    assert list(paths["/raw"]["put"]["requestBody"]["content"]) == ["application/octet-stream"]
    content = paths["/list"]["put"]["requestBody"]["content"]
    assert content["application/json"]["schema"]["type"] == "array"
    content = paths["/flat"]["put"]["requestBody"]["content"]
    as_json, *as_forms = (each["schema"] for each in content.values())
    assert [*content][1:] == ["application/x-www-form-urlencoded", "multipart/form-data"]
    assert as_json == {"$ref": "#/components/schemas/Flat"}
    for schema in as_forms:
        assert schema["properties"]["due"]["anyOf"][1:] == [{"const": ""}]
    query = paths["/due"]["get"]["parameters"][0]["schema"]
    assert query == {"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]}
    query = paths["/search"]["get"]["parameters"]
    assert [(p["name"], p.get("required"), p.get("explode")) for p in query] == [
        ("item", True, None),
        ("count", None, None),
        ("more", None, True),
    ]


def test_parameters_of_the_rule_among_all_others(app: Atila) -> None:
    @app.route("/<int:shop>/<path:rest>", methods=["GET"])
    def anything(was: Was, page: int = 1, **others: Any) -> None:
        pass

    operation = document(app)["paths"]["/{shop}/{rest}"]["get"]
    schemas = {each["name"]: each["schema"] for each in operation["parameters"]}
    assert list(schemas)[:3] == ["page", "shop", "rest"]
    assert "default" not in schemas["shop"] | schemas["rest"]


def test_lists_may_be_empty_as_forms_write_them(app: Atila) -> None:
    @app.route("/listed", methods=["GET"])
    def listed(
        was: Was, labels: list[Label], some: Annotated[list[str], Meta(min_length=1)]
    ) -> list[int]:
        return [len(labels), len(some)]

    @app.route("/several", methods=["PUT"])
    def several(was: Was, labels: set[Label], counts: list[int]) -> list[int]:
        return [len(labels), len(counts)]

    paths = document(app)["paths"]
    known = {p["name"]: p for p in paths["/listed"]["get"]["parameters"]}
    assert known["labels"]["allowEmptyValue"] is True
    assert known["labels"]["schema"]["type"] == "array"
    assert "allowEmptyValue" not in known["some"]
    client = app.test_client()
    assert client.get("/listed?labels=&some=x").json() == [0, 1]
    assert client.get("/listed?labels=&some=").status_code == 400
    assert not Draft202012Validator(known["some"]["schema"]).is_valid([""])
    content = paths["/several"]["put"]["requestBody"]["content"]
    as_form = content["application/x-www-form-urlencoded"]["schema"]["properties"]
    assert as_form["labels"]["anyOf"][1:] == as_form["counts"]["anyOf"][1:] == [{"const": ""}]
    as_json = content["application/json"]["schema"]["properties"]
    assert as_json["counts"] == {"type": "array", "items": {"type": "integer"}}
    assert client.put("/several", {"labels": "", "counts": ""}).json() == [0, 0]
    assert client.put("/several", json={"labels": "", "counts": []}).status_code == 400


def test_models_that_a_discriminator_tells_apart(app: Atila) -> None:
    class Car(pydantic.BaseModel):
        kind: Literal["car"]
        doors: int

    class Bike(pydantic.BaseModel):
        kind: Literal["bike"]

    vehicle = Annotated[Car | Bike, pydantic.Field(discriminator="kind")]

    def park(was: Was, vehicle: Any) -> str:
        return repr(vehicle)

    park.__annotations__["vehicle"] = vehicle
    app.route("/park", methods=["POST"])(park)
    made = document(app)
    validate(made)
    content = made["paths"]["/park"]["post"]["requestBody"]["content"]
    check = Draft202012Validator({**made, **content["application/json"]["schema"]})
    client = app.test_client()
    for body in ({"kind": "car", "doors": 2}, {"kind": "bike"}, {"kind": "car"}, {"kind": "bus"}):
        accepted = client.post("/park", json=body).status_code == 200
        assert check.is_valid(body) is accepted


def test_inspections_are_there_too(app: Atila) -> None:
    @app.route("/", methods=["POST"])
    @app.inspect(count__lte=5)
    def inspected(was: Was, line: Line) -> None:
        pass

    @app.route("/query", methods=["GET"])
    @app.inspect(page__lte=5)
    def query(was: Was, page: int = 1) -> None:
        pass

    paths = document(app)["paths"]
    schema = paths["/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["allOf"][1] == {"properties": {"count": {"type": "number", "maximum": 5}}}
    (page,) = paths["/query"]["get"]["parameters"]
    assert page["schema"]["allOf"] == [{"type": "number", "maximum": 5}]


# Both directions --------------------------------------------------------------------------------

MODELS: dict[str, Any] = {
    "dataclass": Line,
    "struct": Order,
    "recursive": Comment,
    "typed dict": Mixed,
    "attrs": Pets,
    "moments": Moments,
    "pydantic": Lax,
    "strict pydantic": Strict,
}

numbers = st.one_of(
    st.integers(-3, 11), st.sampled_from([10**30, -(2**63), 2**53, 0.5, 1.0, 2.5, 1e15])
)
KEY = UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
WORDS = (
    *("bug", "idea", "me", "all", "cat", "dog", "2026-01-31", "2026-01-31T12:30:00Z"),
    *("x", "1", "1.5", "1e5", "NaN", "-1", "", "abc"),
)
texts = st.one_of(st.text(max_size=6), st.sampled_from(WORDS))
scalars: SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers, texts)
anything: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["item", "count", "text", "replies", "type", "lives", "weight"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def of_schema(schema: Any, components: Any) -> SearchStrategy[Any]:
    """Values that a schema takes, mostly; and some that it does not."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return st.one_of([of_schema(each, components) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of([of_schema({**schema, "type": each}, components) for each in kind])
    if kind == "array":
        if "prefixItems" in schema:
            return st.tuples(*(of_schema(e, components) for e in schema["prefixItems"])).map(list)
        return st.lists(of_schema(schema.get("items", {}), components), max_size=4)
    if kind == "object":
        return _objects(schema, components)
    if "format" in schema:
        return st.one_of(texts, st.sampled_from(["2026-01-31", "2026-01-31T12:30:00Z", str(KEY)]))
    kinds = {
        "integer": numbers,
        "number": numbers,
        "string": texts,
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return kinds.get(kind, scalars)


def _objects(schema: Any, components: Any) -> SearchStrategy[Any]:
    def mostly(schema: Any) -> SearchStrategy[Any]:
        right = of_schema(schema, components)
        return st.one_of(right, right, right, scalars)

    fields = {
        name: st.deferred(lambda each=each: mostly(each))
        for name, each in schema.get("properties", {}).items()
    }
    required = schema.get("required", [])
    more = st.dictionaries(st.sampled_from(["more", "a"]), scalars, max_size=1)
    known = st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )
    return st.one_of(known, st.tuples(known, more).map(lambda both: {**both[0], **both[1]}))


@pytest.mark.parametrize("name", MODELS)
def test_what_the_schema_takes_the_handler_takes_and_the_other_way_round(name: str) -> None:
    app = Atila(__name__, layers=ALONE)

    def handler(was: Was, value: Any) -> str:
        return "ok"

    handler.__annotations__["value"] = MODELS[name]
    app.route("/", methods=["POST"])(handler)
    made = document(app)
    post = made["paths"]["/"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    components = made["components"]["schemas"]
    validator = Draft202012Validator(
        {**schema, "components": made["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    client = app.test_client()
    seen = set()

    @settings(
        max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(st.one_of(of_schema(schema, components), anything))
    def compare(value: Any) -> None:
        if "pydantic" in name:
            # It takes 1.0 for an integer, or not, as its mode says.
            value = _whole(value)
        body = json.dumps(value).encode()
        answer = client.post("/", data=body, headers={"content-type": "application/json"})
        is_valid = validator.is_valid(value)
        seen.add(is_valid)
        if name == "pydantic" and not is_valid:
            return  # Its lax mode converts what no schema says: "1" to 1.
        assert answer.status_code == (200 if is_valid else 400), (value, answer.text)

    compare()
    assert seen == {True, False}


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return _number(value)


def _number(value: Any) -> Any:
    """A number as clients write it: whole ones with neither point nor exponent."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize(
    "hint",
    [
        int,
        float,
        bool,
        Label,
        Annotated[int, Meta(ge=2, lt=9)],
        Annotated[str, at.Len(1, 3)],
        Literal["a", "b"],
        int | None,
        Label | None,
        Literal["a", "b"] | None,
        Literal["", "b"] | None,
        str | None,
        list[int] | None,
        list[int],
        list[Label],
        list[str],
        Annotated[list[str], Meta(min_length=1)],
        Annotated[set[int], Meta(min_length=1, max_length=2)],
        datetime.date,
        UUID,
    ],
    ids=str,
)
def test_what_the_schema_of_a_query_takes_the_handler_takes(hint: Any) -> None:
    app = Atila(__name__, layers=ALONE)

    def handler(was: Was, value: Any) -> str:
        return "ok"

    handler.__annotations__["value"] = hint
    app.route("/", methods=["GET"])(handler)
    (parameter,) = document(app)["paths"]["/"]["get"]["parameters"]
    schema = parameter["schema"]
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    client = app.test_client()

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(of_schema(schema, {}))
    def compare(value: Any) -> None:
        if isinstance(value, bool):
            text: Any = "true" if value else "false"
        elif value == [] and parameter.get("allowEmptyValue"):
            text = ""
        elif value is None or value == []:
            # There is no way to write it but to leave it out.
            return
        else:
            text = [_number(e) for e in value] if isinstance(value, list) else _number(value)
        answer = client.get("/", params={"value": text})
        if validator.is_valid(value):
            assert answer.status_code == 200, (value, answer.text)

    compare()
    as_list = schema.get("type") == "array" and validator.is_valid([""])
    may_be_empty = validator.is_valid("") or parameter.get("allowEmptyValue") or as_list
    assert client.get("/?value=").status_code == (200 if may_be_empty else 400)
