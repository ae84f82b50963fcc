"""What the documents of the API say of the layer's own fields, and whether that is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import BaseModel, ConfigDict

from atila import Atila, Body, Upload, Was
from atila.openapi.document import of_site
from atila.testing import TestClient
from atila_auth.protection.csrf import FIELD, HEADER

FORM = "application/x-www-form-urlencoded"


@dataclass
class Entry:
    text: str
    stars: int = 1


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Cat(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    text: str


class Dog(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    text: str


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str


@pytest.fixture
def shop(secure_app: Atila) -> Atila:
    app = secure_app
    guarded = app.csrf_verification_required

    @app.route("/page")
    def page(was: Was) -> str:
        return was.csrf_token

    @app.route("/plain", methods=["POST"])
    @guarded
    def plain(was, text):
        return text

    @app.route("/nothing", methods=["POST"])
    @guarded
    def nothing(was):
        return "done"

    @app.route("/typed", methods=["POST"])
    @guarded
    def typed(was: Was, text: str, stars: int = 1) -> str:
        return text

    @app.route("/model", methods=["POST"])
    @guarded
    def model(was: Was, entry: Entry) -> str:
        return entry.text

    @app.route("/closed", methods=["POST"])
    @guarded
    def closed(was: Was, entry: Closed) -> str:
        return entry.text

    @app.route("/strict", methods=["POST"])
    @guarded
    def strict(was: Was, entry: Strict) -> str:
        return entry.text

    @app.route("/anything", methods=["POST"])
    @guarded
    def anything(was: Was, entry: Anything) -> list[str]:
        return sorted(entry.model_dump())

    @app.route("/dict", methods=["POST"])
    @guarded
    def dictionary(was: Was, entry: Annotated[dict[str, str], Body()]) -> list[str]:
        return sorted(entry)

    @app.route("/union", methods=["POST"])
    @guarded
    def union(was: Was, entry: Cat | Dog) -> str:
        return entry.text

    @app.route("/file", methods=["POST"])
    @guarded
    def file(was: Was, file: Upload) -> str:
        return file.read().decode()

    @app.route("/list", methods=["POST"])
    @guarded
    def entries(was: Was, texts: Annotated[list[str], Body()]) -> str:
        return texts[0]

    @app.route("/read", methods=["GET"])
    @guarded
    def read(was: Was) -> str:
        return "read"

    @app.route("/delete", methods=["DELETE"])
    @guarded
    def delete(was: Was) -> str:
        return "deleted"

    @app.route("/raw", methods=["POST"], input_stream=True)
    @guarded
    async def raw(was: Was) -> str:
        return str(len(await was.Input(10)))

    @app.route("/free", methods=["POST"])
    def free(was: Was, text: str) -> str:
        return text

    return app


def described(app: Atila) -> dict[str, Any]:
    made = of_site(app.site, {"title": "documents", "version": "1"})
    validate(made)
    return made


def sent(client: TestClient, path: str, kind: str, fields: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind == "json":
        return client.post(path, json=fields, headers=named)
    if kind == "file":
        return client.post(path, fields, files={"file": b"hello"}, headers=named)
    return client.post(path, fields, headers=named)


MEDIA = {"form": FORM, "file": "multipart/form-data", "json": "application/json"}
FIELDS = {"text": "hello"}


@pytest.mark.parametrize(
    ("path", "kind", "fields"),
    [
        *((path, "form", FIELDS) for path in ("/plain", "/typed", "/model", "/closed", "/strict")),
        *((path, "json", FIELDS) for path in ("/plain", "/typed", "/model", "/closed", "/strict")),
        ("/nothing", "form", {}),
        ("/file", "file", {}),
    ],
)
def test_a_form_has_the_field(shop: Atila, path: str, kind: str, fields: dict[str, str]) -> None:
    made = described(shop)
    operation = made["paths"][path]["post"]
    schema = operation["requestBody"]["content"][MEDIA[kind]]["schema"]
    assert operation["requestBody"]["required"] is True
    check = Draft202012Validator({**made, **schema})
    file = {"file": "hello"} if kind == "file" else {}
    with shop.test_client() as client:
        token = client.get("/page").text
        body = {**fields, FIELD: token}
        assert check.is_valid({**body, **file})
        assert sent(client, path, kind, body).status_code == 200
        assert not check.is_valid({**fields, **file})
        refused = sent(client, path, kind, fields)
        assert refused.status_code == 400
        assert FIELD in refused.text
        # The other place, of which the document says that it may be taken.
        header = header_of(operation)
        assert header is not None
        assert "required" not in header
        accepted = sent(client, path, kind, fields, **{HEADER: token})
        assert accepted.status_code == 200, accepted.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/read", None),
        ("DELETE", "/delete", None),
        ("POST", "/list", ["hello"]),
        ("POST", "/union", {"type": "Cat", "text": "hello"}),
        ("POST", "/raw", b"hello"),
    ],
)
def test_where_there_is_no_form_the_header_is_required(
    shop: Atila, method: str, path: str, body: Any
) -> None:
    operation = described(shop)["paths"][path][method.lower()]
    header = header_of(operation)
    assert header is not None
    assert header["required"] is True
    assert FIELD not in str(operation)
    given = {"data" if isinstance(body, bytes) else "json": body}
    with shop.test_client() as client:
        token = client.get("/page").text
        assert client.request(method, path, **given).status_code == 400
        answer = client.request(method, path, headers={HEADER: token}, **given)
        assert answer.status_code == 200, answer.text


def header_of(operation: dict[str, Any]) -> dict[str, Any] | None:
    return next((p for p in operation.get("parameters", ()) if p["name"] == HEADER), None)


@pytest.mark.parametrize("path", ["/anything", "/dict"])
def test_handlers_do_not_get_the_token(shop: Atila, path: str) -> None:
    with shop.test_client() as client:
        token = client.get("/page").text
        answer = client.post(path, json={"text": "hello", FIELD: token})
        assert answer.json() == ["text"], answer.text


def test_others_have_neither(shop: Atila) -> None:
    operation = described(shop)["paths"]["/free"]["post"]
    assert header_of(operation) is None
    assert FIELD not in str(operation)


def test_a_hook_is_for_all_that_change_something(secure_app: Atila) -> None:
    app = secure_app

    @app.before_request
    @app.csrf_verification_required
    def check(was: Was) -> None: ...

    @app.route("/entries", methods=["GET", "POST"])
    def entries(was: Was, text: str = "") -> str:
        return text

    with app.test_client():
        item = described(app)["paths"]["/entries"]
    assert header_of(item["get"]) is None
    assert FIELD in item["post"]["requestBody"]["content"][FORM]["schema"]["required"]


def test_the_wanted_page_of_a_login(secure_app: Atila) -> None:
    app = secure_app
    app.login_page = "login"

    @app.route("/login", methods=["GET"])
    def login(was: Was) -> str:
        return was.after_login()

    @app.route("/other", methods=["GET"])
    def other(was: Was) -> str:
        return ""

    with app.test_client() as client:
        paths = described(app)["paths"]
        assert [p["name"] for p in paths["/login"]["get"]["parameters"]] == ["next"]
        assert "parameters" not in paths["/other"]["get"]
        assert client.get("/login?next=/other").text == "/other"
