"""The chapters of the specification on access control and tokens, as they are written there."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import httpx
import pytest
import skitai
from support.specified import blocks, run

from atila import Atila
from atila.launch.packages import prefer
from atila.testing import TestResponse

BLOCKS = blocks(Path(__file__).with_name("access_blocks.txt"))
SLIPS = {
    # What stands for the reader's own code.
    "was.request.user...": "was.request.user.uid",
    "(was):\n    was.request.user.uid": "(was):\n    return was.request.user ['uid']",
    "    if request.user is None:\n        ...\n    else:\n        ...": (
        "    return 'nobody' if was.request.user is None else str (was.request.user)"
    ),
    "was.request.user = ...": "was.request.user = claims ['name']",
    "was, username):\n    ...\n": "was, username):\n",
    # What is mistyped.
    "  def hello": "def hello",
    "make_jwt (was)\n    t = ": "make_jwt (was):\n    return ",
    "verify_jwt (was)\n    calims = ": "verify_jwt (was):\n    claims = ",
    'return claims ["err"]\n': 'return claims ["err"]\n    return claims ["iss"]\n',
}
ID_ONLY = "id = id or was.request.user.uid"


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__)
    app.securekey = "ds8fdsflksdjf9879dsf;?<>Asda"
    yield app
    if app._site is not None:
        app.site.shutdown(5)


def write(app: Atila, *names: str) -> dict[str, Any]:
    """Run blocks, one after the other, where `app` is defined."""
    given: dict[str, Any] = {
        "app": app,
        "skitai": skitai,
        "Atila": Atila,
        "time": __import__("time"),
    }
    for name in names:
        block = BLOCKS[name]
        for slip, meant in SLIPS.items():
            block = block.replace(slip, meant)
        run(block.replace(ID_ONLY, f"{ID_ONLY}\n    return id"), given)
    return given


def ask(app: Atila, url: str, authorization: str = "", method: str = "GET") -> TestResponse:
    headers = {"Authorization": authorization} if authorization else {}
    return app.test_client().request(method, url, headers=headers)


def token(app: Atila, level: str) -> str:
    claims = {"uid": "hans", "lev": level, "nick_name": "Hans"}
    was = app.was_class()._begin(None, app.rejection, {})  # type: ignore[arg-type]  # of no request
    return f"Bearer {was.encode_jwt(claims)}"


def digest(answer: TestResponse, url: str, name: str, password: str) -> str:
    """The header by which httpx answers a challenge."""
    request = httpx.Request("GET", f"http://localhost{url}")
    flow = httpx.DigestAuth(name, password).sync_auth_flow(request)
    next(flow)
    refused = httpx.Response(answer.status_code, headers=answer.header_list, request=request)
    return str(flow.send(refused).headers["authorization"])


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_cors_of_an_app(app: Atila) -> None:
    pref = write(app, "cors of an app")["pref"]
    prefer(app, pref)
    app.route("/")(lambda was: "x")
    origin = "http://www.skitai.com:5001"
    answer = app.test_client().options(
        "/", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-max-age"] == "3600"


def test_cors_of_a_route(app: Atila) -> None:
    write(app, "cors of a route")
    answer = ask(app, "/post", method="POST")
    assert (answer.text, answer.headers["access-control-allow-origin"]) == ("hello", "*")


@pytest.mark.parametrize(
    ("block", "url", "method", "nobody", "user", "staff"),
    [
        ("identification", "/animals", "GET", "nobody", "hans", "hans"),
        ("login", "/animals", "GET", 401, "hans", "hans"),
        ("login", "/animals/7", "GET", 401, "7", "7"),
        ("staff", "/animals", "GET", 401, 403, "hans"),
        ("parameter", "/animals", "GET", 401, "hans", "hans"),
        ("parameter", "/animals/me", "GET", 401, "me", "me"),
        ("parameter", "/animals/100", "GET", 401, 403, "100"),
        ("method", "/animals", "POST", 401, "hans", "hans"),
        ("method", "/animals/100", "POST", 401, 403, "100"),
        ("method", "/animals/100", "DELETE", 401, 403, "100"),
    ],
)
def test_permissions(
    app: Atila, block: str, url: str, method: str, nobody: Any, user: Any, staff: Any
) -> None:
    write(app, "permission handler", block)
    assert app.site
    for header, expected in (
        ("", nobody),
        (token(app, "user"), user),
        (token(app, "staff"), staff),
    ):
        answer = ask(app, url, header, method)
        found = answer.text if answer.status_code == 200 else answer.status_code
        assert found == expected


@pytest.mark.parametrize("block", ["authenticate", "authorization required"])
@pytest.mark.parametrize("users", ["users", "authorization handler"])
def test_digest(app: Atila, block: str, users: str) -> None:
    write(app, block, users)
    refused = ask(app, "/hello/you")
    assert refused.status_code == 401
    right = digest(refused, "/hello/you", "hansroh", "1234")
    assert ask(app, "/hello/you", right).text == "Hello, you"
    wrong = digest(refused, "/hello/you", "hansroh", "12345")
    assert ask(app, "/hello/you", wrong).status_code == 401


def test_encrypted_password(app: Atila) -> None:
    write(app, "authenticate")
    app.realm = "mysite"
    given = {"username": "hansroh", "realm": app.realm, "password": "1234"}
    hashed = run(BLOCKS["encrypted password"], {**given, "md5": md5})["encrypted_password"]
    app.users = {"hansroh": (hashed, True)}
    refused = ask(app, "/hello/you")
    assert (
        ask(app, "/hello/you", digest(refused, "/hello/you", "hansroh", "1234")).status_code == 200
    )
    assert (
        ask(app, "/hello/you", digest(refused, "/hello/you", "hansroh", hashed)).status_code == 401
    )


def test_an_entire_app() -> None:
    made: Atila = write(None, "entire app")["app"]  # type: ignore[arg-type]  # it makes one
    try:
        made.route("/who")(lambda was: f"{was.request.user.name} {was.request.user.info}")
        refused = ask(made, "/who")
        assert 'realm="Partner App Area of mysite.com"' in refused.headers["www-authenticate"]
        header = digest(refused, "/who", "app", "iamyourpartnerapp")
        assert ask(made, "/who", header).text == "app {'role': 'root'}"
    finally:
        made.site.shutdown(5)


def test_bearer(app: Atila) -> None:
    write(app, "bearer")
    assert app.site
    assert ask(app, "/api/v1/predict", token(app, "user")).text == "hans"
    assert ask(app, "/api/v1/predict").status_code == 401


def test_bearer_handler(app: Atila) -> None:
    known = {"good": {"name": "hans"}}
    given = write(app, "bearer", "bearer handler")
    given["handle_token_yourself"] = lambda token: known.get(token, {"err": "unknown"})
    app.route("/who", authenticate="bearer")(lambda was: was.request.user)
    assert ask(app, "/who", "Bearer good").text == "hans"
    refused = ask(app, "/who", "Bearer bad")
    assert (refused.status_code, refused.json()["detail"]) == (401, "unknown")


def test_tokens(app: Atila) -> None:
    write(app, "jwt")
    made = ask(app, "/make_jwt").text
    assert ask(app, "/verify_token", f"Bearer {made}").text == "example.com"
    assert ask(app, "/verify_token", f"Bearer {made[:-2]}").text == "malformed token"
    assert ask(app, "/verify_token").text == "no token"


def test_basic(app: Atila) -> None:
    """The specification has no block of it: app.authorization = "basic"."""
    app.authorization = "basic"
    write(app, "users")
    app.route("/who")(lambda was: was.request.user.name)
    assert ask(app, "/who", basic("hansroh", "1234")).text == "hansroh"
    assert ask(app, "/who", basic("hansroh", "x")).status_code == 401
