from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from atila import PROTOCOL, Atila, Layer, Route, SetupError, Steps, Was
from atila.openapi import document as openapi
from atila.openapi import page
from atila.testing.waits import PATIENCE

ALONE = {"tasks": None, "auth": None, "render": None, "ws": None}
INFO = {"title": "Shop", "version": "1"}


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=ALONE)


def document(app: Atila) -> dict[str, Any]:
    app.site
    made = json.loads(json.dumps(openapi.document(app.endpoints, INFO)))
    validate(made, cls=OpenAPIV31SpecValidator)
    return made


def parameters(operation: dict[str, Any], where: str) -> dict[str, Any]:
    return {p["name"]: p for p in operation.get("parameters", ()) if p["in"] == where}


def body(operation: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return operation["requestBody"]["content"][kind]["schema"]


def test_paths(app: Atila) -> None:
    @app.route("/people/<int:id>", methods=["GET"])
    def person(was: Was, id: Any = None) -> None:
        """A person.

        With all
        that is known.
        """

    app.route("/files/<path:rest>", methods=["GET"])(lambda was, rest: None)
    app.route("/people/<name>", methods=["GET", "PUT", "PROPFIND"])(lambda was, name: None)
    made = document(app)
    assert list(made["paths"]) == ["/files/{rest}", "/people", "/people/{id}"]
    get = made["paths"]["/people/{id}"]["get"]
    assert (get["operationId"], get["summary"]) == ("person.get", "A person.")
    assert get["description"] == "With all\nthat is known."
    assert parameters(get, "path")["id"]["schema"]["anyOf"][0] == {"type": "integer"}
    # The same place by another name, of another method.
    put = made["paths"]["/people/{id}"]["put"]
    assert parameters(put, "path")["id"]["schema"] == {"type": "string", "minLength": 1}
    assert made["paths"]["/people"]["get"]["operationId"] == "person.get.2"
    assert made["info"] == INFO


def test_parameters_and_body(app: Atila) -> None:
    @app.route("/orders", methods=["GET", "POST"])
    def orders(was: Was, name: str, count: int = 1, note: str | None = None, **more: Any) -> None:
        pass

    made = document(app)["paths"]["/orders"]
    query = parameters(made["get"], "query")
    assert query["name"] == {
        "name": "name",
        "in": "query",
        "required": True,
        "schema": {"type": "string"},
    }
    assert query["count"]["schema"] == {"type": "integer", "default": 1}
    assert query["note"]["schema"] == {"type": ["string", "null"]}
    assert query["more"]["schema"]["additionalProperties"] is True
    assert "requestBody" not in made["get"]
    schema = body(made["post"])
    assert (schema["required"], schema["additionalProperties"]) == (["name"], True)
    assert set(schema["properties"]) == {"name", "count", "note"}
    assert set(made["post"]["requestBody"]["content"]) == {
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    }


def test_scopes_and_content_types(app: Atila) -> None:
    @app.route("/a", methods=["POST"])
    @app.inspect("URL", ints=["page"])
    @app.inspect("JSON", strings=["name"])
    def scoped(was: Was, page: Any = None, name: Any = None) -> None:
        pass

    app.route("/b", methods=["POST"], content_types=["text/csv"])(lambda was: None)
    app.route("/c", methods=["POST"], input_stream=True)(lambda was: None)
    paths = document(app)["paths"]
    assert list(parameters(paths["/a"]["post"], "query")) == ["page"]
    assert list(body(paths["/a"]["post"])["properties"]) == ["name"]
    assert paths["/b"]["post"]["requestBody"]["content"] == {"text/csv": {}}
    assert list(paths["/c"]["post"]["requestBody"]["content"]) == ["application/octet-stream"]


def test_authentication() -> None:
    def compile_route(route: Route, app: Atila) -> Steps:
        return Steps(security=route.options.get("authenticate", ""))

    layer = Layer("auth", PROTOCOL, options=frozenset({"authenticate"}), compile=compile_route)
    app = Atila(__name__, layers={**ALONE, "auth": layer})
    app.route("/a", methods=["GET"], authenticate="bearer")(lambda was: None)
    app.route("/b", methods=["GET"])(lambda was: None)
    made = document(app)
    assert made["paths"]["/a"]["get"]["security"] == [{"bearer": []}]
    assert "security" not in made["paths"]["/b"]["get"]
    assert made["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}


RULES: dict[str, dict[str, Any]] = {
    "kinds": {
        "ints": ["a"],
        "floats": ["b"],
        "strings": ["c"],
        "booleans": ["d"],
        "lists": ["e"],
        "dicts": ["f"],
    },
    "texts": {"emails": ["a"], "uuids": ["b"], "notags": ["c"], "safes": ["d"], "nones": ["e"]},
    "numbers": {
        "a__between": (1, 5),
        "b__gte": 2,
        "c__lt": 3,
        "d__in": [1, 2],
        "e__neq": 3,
        "f": int,
    },
    "limits": {"a__gt": 1, "b__lte": 5, "c__notin": [1, 2], "d__eq": 4, "e__exact": "x"},
    "lengths": {"a__len__between": (1, 3), "b__len__lt": 3, "c__len__gt": 1, "lists": ["d"]},
    "patterns": {
        "a": re.compile("^[0-9]{3}$"),
        "b__regex": "x+",
        "c__startswith": ["a.", "b"],
        "d__endswith": "$",
        "e__notstartwith": "a",
        "f__notendwith": "b",
    },
    "parts": {"a___b__gte": 1, "c__0__gte": 1, "d__contains": "x", "e__notcontain": "y"},
    "choices": {"oneof": ["a", "b"], "manyof": ["c", "d"]},
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 7)
    | st.floats(-3, 7)
    | st.sampled_from(
        [
            "",
            "a",
            "x",
            "xy",
            "a.b",
            "123",
            "b$",
            "me@example.com",
            "00000000-0000-0000-0000-000000000001",
        ]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.dictionaries(st.sampled_from("abcdef"), values))
def test_what_the_schema_takes_the_handler_takes(name: str, data: dict[str, Any]) -> None:
    client, validator = _inspected(name)
    if validator.is_valid(data):
        answer = client.post("/", json=data)
        assert answer.status_code == 200, answer.text


_made: dict[str, Any] = {}


def _inspected(name: str) -> Any:
    if name not in _made:
        app = Atila(__name__, layers=ALONE)

        @app.route("/", methods=["POST"])
        @app.inspect(**RULES[name])
        def handler(was: Was, **more: Any) -> str:
            return "taken"

        schema = body(document(app)["paths"]["/"]["post"])
        checker = Draft202012Validator.FORMAT_CHECKER
        _made[name] = app.test_client(), Draft202012Validator(schema, format_checker=checker)
    return _made[name]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("kinds", {"a": "x"}),
        ("texts", {"a": "no"}),
        ("numbers", {"a": 6}),
        ("numbers", {"d": 3}),
        ("limits", {"a": 1}),
        ("limits", {"c": 1}),
        ("lengths", {"a": "abcd"}),
        ("lengths", {"c": "a"}),
        ("patterns", {"a": "12"}),
        ("patterns", {"c": "axb"}),
        ("patterns", {"e": "ab"}),
        ("parts", {"a": {}}),
        ("parts", {"c": []}),
        ("parts", {"d": "a"}),
        ("choices", {"a": 1}),
        ("choices", {"a": 1, "b": 1, "c": 1}),
    ],
)
def test_what_the_handler_refuses_the_schema_refuses(name: str, data: dict[str, Any]) -> None:
    client, validator = _inspected(name)
    assert client.post("/", json=data).status_code == 400
    assert not validator.is_valid(data)


def test_rules_without_words_in_json_schema(app: Atila) -> None:
    class Found:
        def search(self, text: str) -> bool:
            return True

    @app.route("/", methods=["GET"])
    @app.inspect(a=Found(), b__gte="2024", c__len__neq=3)
    def handler(was: Was, a: Any = "x", b: Any = None, c: Any = None) -> None:
        pass

    query = parameters(document(app)["paths"]["/"]["get"], "query")
    assert "it must match a pattern" in query["a"]["schema"]["description"]
    assert "If not given: 'x'." in query["a"]["schema"]["description"]
    assert "gte '2024'" in query["b"]["schema"]["description"]
    assert "its length: neq 3" in query["c"]["schema"]["description"]


def test_document_and_page_of_an_app(app: Atila) -> None:
    app.config.OPENAPI_PATH = "/docs/openapi"
    app.config.OPENAPI_INFO = {"title": "<Shop>", "version": "2.0"}
    app.route("/x", methods=["GET"])(lambda was: "x")
    client = app.test_client()
    answer = client.get("/docs/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    made = answer.json()
    validate(made, cls=OpenAPIV31SpecValidator)
    assert (list(made["paths"]), made["info"]["title"]) == (["/x"], "<Shop>")
    shown = client.get("/docs/openapi")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>&lt;Shop&gt;</title>" in shown.text
    assert 'data-document="openapi.json"' in shown.text
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"(https?:)?//[a-z]|<script>|<style|style=| on\w+=", shown.text)
    for url in re.findall(r"(?:src|href)=\"(openapi/[^\"]+)\"", shown.text):
        file = client.get(f"/docs/{url}")
        kind = "text/css" if url.endswith(".css") else "text/javascript"
        assert (file.status_code, file.headers["content-type"]) == (200, kind)
        assert file.headers["cache-control"] == "max-age=3600"
        again = client.get(f"/docs/{url}", headers={"if-none-match": file.headers["etag"]})
        assert again.status_code == 304
    for path in ("/docs/openapi", "/docs/openapi.json"):
        tag = client.get(path).headers["etag"]
        assert client.get(path, headers={"if-none-match": tag}).status_code == 304
    assert client.post("/docs/openapi").status_code == 405
    app.route("/later", methods=["GET"])(lambda was: "x")
    assert list(client.get("/docs/openapi.json").json()["paths"]) == ["/later", "/x"]


def test_swagger_ui_is_the_pinned_one() -> None:
    folder = Path(page.__file__).with_name("swagger_ui")
    version = (folder / "VERSION").read_text().strip()
    assert f'"{version}"' in (folder / "swagger-ui-bundle.js").read_text()
    assert "Apache License" in (folder / "LICENSE").read_text()
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert "sourceMappingURL" not in (folder / name).read_text()[-1000:]


def test_there_is_none_unless_asked_for(app: Atila) -> None:
    app.route("/x")(lambda was: "x")
    assert app.test_client().get("/openapi.json").status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAPI_PATH", "openapi"),
        ("OPENAPI_PATH", True),
        ("OPENAPI_PATH", "/<a>"),
        ("OPENAPI_INFO", "Shop"),
    ],
)
def test_mistakes(app: Atila, name: str, value: Any) -> None:
    app.config.OPENAPI_PATH = "/openapi"
    app.config[name] = value
    with pytest.raises(SetupError, match=rf"app\.config\.{name} is"):
        app.test_client().get("/")


def test_its_path_must_be_free(app: Atila) -> None:
    app.config.OPENAPI_PATH = "/x"
    app.route("/x", methods=["GET"])(lambda was: "x")
    with pytest.raises(SetupError, match="leads to the same place"):
        app.test_client().get("/x")


SCRIPT = """
import skitai
from atila import Atila

def app(name):
    made = Atila(name, layers={"tasks": None, "auth": None, "render": None, "ws": None})
    made.config.OPENAPI_INFO = {"title": "Two apps", "version": "3"}
    made.route("/page/<int:number>", methods=["GET"])(lambda was, number: str(number))
    return made

skitai.mount("/", app("one"))
skitai.mount("/shop", app("two"))
skitai.run(port=5000)
"""


def test_command(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SCRIPT)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "atila", "openapi", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    shown = run("serve.py")
    assert shown.returncode == 0, shown.stderr
    made = json.loads(shown.stdout)
    validate(made, cls=OpenAPIV31SpecValidator)
    assert list(made["paths"]) == ["/page/{number}", "/shop/page/{number}"]
    assert made["info"] == {"title": "Two apps", "version": "3"}
    assert run("serve.py", "--output", "api.json").returncode == 0
    assert json.loads((tmp_path / "api.json").read_text()) == made
    failed = run("nothing.py")
    assert failed.returncode == 2
    assert "atila:" in failed.stderr
