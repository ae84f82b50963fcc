"""API keys in a header, a query or a cookie; and the document of the API, which has all schemes."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from atila import SetupError
from atila.openapi import document as openapi
from atila_auth import User

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
OWNERS = {"k-1": "hans", "k-2": "eve"}


def protect(app, **place):
    @app.api_key_handler(**place)
    def check(was, key):
        owner = OWNERS.get(key)
        was.request.user = User(owner, "App") if owner else None
        return owner != "eve" and None

    @app.route("/mine", authenticate="api_key")
    def mine(was, number=0):
        return f"{was.user.name} {number}"


def document(app):
    app.test_client().get("/")
    made = openapi.document(app.endpoints, {"title": "x", "version": "1"})
    validate(made, cls=OpenAPIV31SpecValidator)
    return made


@pytest.mark.parametrize("where", ["header", "query", "cookie"])
def test_places(app, where):
    protect(app, **{where: "x-key"})
    client = app.test_client()

    def get(key):
        match where:
            case "header":
                return client.get("/mine?number=1", headers={"X-Key": key} if key else {})
            case "query":
                return client.get(f"/mine?number=1&x-key={key}")
        return client.get("/mine?number=1", headers={"cookie": f"x-key={key}"} if key else {})

    assert get("k-1").text == "hans 1"
    assert get("k-2").status_code == 403
    for wrong in ("", "k-3"):
        answer = get(wrong)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == f'ApiKey realm="App", {where}=x-key'
    made = document(app)
    assert made["paths"]["/mine"]["get"]["security"] == [{"x-key": []}]
    schemes = made["components"]["securitySchemes"]
    assert schemes == {"x-key": {"type": "apiKey", "in": where, "name": "x-key"}}


def test_a_key_twice_in_the_query(app):
    protect(app, query="key")
    assert app.test_client().get("/mine?key=k-1&key=k-2").status_code == 400


@pytest.mark.parametrize("place", [{}, {"header": "a", "query": "b"}, {"header": "a b"}])
def test_wrong_places(app, place):
    with pytest.raises(SetupError, match=r"test_api_keys\.py:\d+.*say where the key is"):
        app.api_key_handler(**place)(lambda was, key: None)


def test_without_a_handler(broken_app):
    broken_app.route("/", authenticate="api_key")(lambda was: "")
    with pytest.raises(SetupError, match="no function checks API keys"):
        broken_app.test_client().get("/")


def test_async_handlers(app):
    @app.api_key_handler(header="key")
    async def check(was, key):
        was.request.user = key

    app.route("/", authenticate="api_key")(lambda was: was.user)
    assert app.test_client().get("/", headers={"key": "a"}).text == "a"


def test_schemes_of_all_kinds_are_in_the_document(app):
    app.securekey = KEY
    app.users = {"hans": ("1234", False)}

    @app.permission_handler
    def permit(was, permissions):
        was.request.user = was.session.get("user") or was.request.JWT.get("uid")

    for scheme in ("basic", "digest", "bearer"):
        app.route(f"/{scheme}", methods=["GET"], authenticate=scheme)(lambda was: "")

    @app.route("/either", methods=["GET"])
    @app.login_required
    def either(was):
        return ""

    @app.route("/both", methods=["GET"])
    @app.authorization_required("basic")
    @app.permission_required(["admin"])
    def both(was):
        return ""

    @app.route("/anybody", methods=["GET"])
    @app.identification_required
    def anybody(was):
        return ""

    made = document(app)
    security = {path: item["get"].get("security") for path, item in made["paths"].items()}
    assert security == {
        "/basic": [{"basic": []}],
        "/digest": [{"digest": []}],
        "/bearer": [{"bearer": []}],
        "/either": [{"session": []}, {"bearer": []}],
        "/both": [{"basic": []}],
        "/anybody": None,
    }
    assert made["components"]["securitySchemes"] == {
        "basic": {"type": "http", "scheme": "basic"},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "digest": {"type": "http", "scheme": "digest"},
        "session": {"type": "apiKey", "in": "cookie", "name": "atila-session"},
    }


SCOPES = {"read": "to read", "write": "to write"}


def test_oauth2(app):
    app.securekey = KEY
    app.oauth2_flows = {"password": {"tokenUrl": "/token", "scopes": SCOPES}}

    @app.route("/token", methods=["POST"])
    def token(was, username, password, **more):
        return {"access_token": was.encode_jwt({"uid": username}), "token_type": "bearer"}

    app.route("/x", methods=["GET"], authenticate="bearer")(lambda was: was.user["uid"])

    @app.permission_handler
    def permit(was, permissions):
        was.request.user = was.request.JWT.get("uid")

    @app.route("/y", methods=["GET", "PUT", "DELETE"])
    @app.permission_required(["read", "undeclared"], PUT=["write", "read"], DELETE=["admin"])
    def y(was):
        return "y"

    client = app.test_client()
    form = {"grant_type": "password", "username": "hans", "password": "x"}
    given = client.post("/token", form).json()["access_token"]
    assert client.get("/x", headers={"authorization": f"Bearer {given}"}).text == "hans"
    made = document(app)
    assert made["paths"]["/x"]["get"]["security"] == [{"oauth2": []}]
    (flow,) = made["components"]["securitySchemes"]["oauth2"]["flows"].values()
    assert flow == {"tokenUrl": "/token", "scopes": SCOPES}
    operations = made["paths"]["/y"]
    needed = {method: operations[method]["security"] for method in ("get", "put", "delete")}
    assert needed == {
        "get": [{"oauth2": ["read"]}],
        "put": [{"oauth2": ["write", "read"]}],
        "delete": [{"oauth2": []}],
    }


@pytest.mark.parametrize(
    "flows", ["/token", {}, {"passwort": {"tokenUrl": "/"}}, {"password": {}}, {"password": "/"}]
)
def test_wrong_flows(broken_app, flows):
    broken_app.securekey = KEY
    broken_app.oauth2_flows = flows
    broken_app.route("/x", authenticate="bearer")(lambda was: "")
    with pytest.raises(SetupError, match=r"app\.oauth2_flows"):
        broken_app.test_client().get("/")
