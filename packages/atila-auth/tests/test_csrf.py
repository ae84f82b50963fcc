"""CSRF tokens: what no other page can send along."""

import random
import re
from typing import Annotated

import pytest
from msgspec import Struct

from atila import Body, Query, SetupError
from atila.testing.client_request import prepared
from atila_auth.protection import csrf
from atila_auth.protection.csrf import COOKIE, FIELD, HEADER


@pytest.fixture
def csrf_app(secure_app):
    app = secure_app

    @app.route("/form")
    def form(was):
        return f"<form>{was.csrf_token_input}</form>"

    @app.route("/token")
    def token(was):
        return was.csrf_token

    @app.route("/save", methods=["POST", "OPTIONS"])
    @app.csrf_verification_required
    def save(was, name=""):
        return f"saved {name}"

    @app.route("/verify")
    def verify(was, **args):
        return str(was.verify_csrf())

    @app.route("/remove")
    def remove(was):
        was.remove_csrf()

    @app.route("/login")
    def login(was):
        was.session.rotate()
        was.session["user"] = "hans"

    @app.route("/logout")
    def logout(was):
        was.session.expire()

    return app


def field_of(answer):
    return re.search(rf'<input type="hidden" name="{FIELD}" value="([\w-]+)">', answer.text)[1]


def save(browser, token, **options):
    return browser.post("/save", {"name": "Hans", FIELD: token}, **options)


def test_form_and_decorator(csrf_app, browser):
    token = field_of(browser.get("/form"))
    assert save(browser, token).text == "saved Hans"
    # As often as one likes: it is kept with the browser.
    assert save(browser, token).text == "saved Hans"


def test_the_hook_of_the_specification(csrf_app, browser):
    app = csrf_app

    @app.route("/hooked", methods=["GET", "POST"])
    def hooked(was, username):
        return username

    @app.before_request
    def before_request(was):
        if was.request.args.get("username"):  # noqa: SIM102 - as the specification has it
            if not was.verify_csrf():
                return was.response("400 Bad Request")

    assert browser.post("/hooked", {"username": "hans"}).status_code == 400
    token = field_of(browser.get("/form"))
    assert browser.post("/hooked", {"username": "hans", FIELD: token}).text == "hans"
    # A form without a method is sent by GET.
    assert browser.get(f"/hooked?username=hans&{FIELD}={token}").text == "hans"


def test_header_and_json(csrf_app, browser):
    token = browser.get("/token").text
    answer = browser.request("POST", "/save", json={"name": "x"}, headers={"X-CSRF-Token": token})
    assert answer.text == "saved x"
    assert browser.request("POST", "/save", json={FIELD: token}).text == "saved "
    assert browser.request("POST", "/save", json={"name": "x"}).status_code == 400


def test_verified_or_not_it_is_no_parameter(csrf_app, browser):
    @csrf_app.route("/own", methods=["POST"])
    def own(was, name):
        return f"{was.verify_csrf()} {was.verify_csrf()}"

    @csrf_app.route("/any", methods=["POST"])
    @csrf_app.csrf_verification_required
    def any_(was, **data):
        return str(data)

    token = browser.get("/token").text
    assert browser.post("/own", {"name": "x", FIELD: token}).text == "True True"
    assert browser.post("/own", {"name": "x", FIELD: "wrong"}).text == "False False"
    assert browser.post("/own", {"name": "x", FIELD: token, "more": 1}).status_code == 400
    assert browser.post("/any", {"name": "x", FIELD: token}).text == "{'name': 'x'}"


class Person(Struct, forbid_unknown_fields=True):
    name: str


@pytest.mark.parametrize("is_hook", [False, True])
def test_it_is_no_field_of_a_model(csrf_app, browser, is_hook):
    def of_body(was, person: Person, more: int = 0) -> dict[str, object]:
        return {"name": person.name, "more": more}

    def of_any_body(was, data: Annotated[dict[str, str], Body()]) -> dict[str, str]:
        return data

    def of_query(was, person: Annotated[Person, Query()]) -> str:
        return person.name

    for path, handler in (("/body", of_body), ("/any", of_any_body), ("/query", of_query)):
        method = "GET" if handler is of_query else "POST"
        guarded = handler if is_hook else csrf_app.csrf_verification_required(handler)
        csrf_app.route(path, methods=[method])(guarded)
    if is_hook:
        csrf_app.before_request(csrf_app.csrf_verification_required(lambda was: None))
    token = browser.get("/token").text
    fields = {"name": "x", FIELD: token}
    for as_sent in ({"data": fields}, {"json": fields}, {"files": {}, "data": fields}):
        assert browser.request("POST", "/body", **as_sent).json() == {"name": "x", "more": 0}
        assert browser.request("POST", "/any", **as_sent).json() == {"name": "x"}
    assert browser.get(f"/query?name=x&{FIELD}={token}").text == "x"
    assert browser.post("/body", {**fields, "more": "2"}).json() == {"name": "x", "more": 2}
    for answer in (
        browser.post("/body", {**fields, "other": "1"}),
        browser.get(f"/query?name=x&other=1&{FIELD}={token}"),
    ):
        assert [each["at"] for each in answer.json()["errors"]] == ["other"]


def test_cookie(csrf_app, browser):
    browser.get("/form")
    (line,) = browser.set_cookies
    assert line.split("; ")[1:] == ["Path=/", "SameSite=Lax", "HttpOnly"]
    assert browser.answer.headers["vary"] == "cookie"
    # The same for all pages, so that several can be open; each has a token of its own.
    tokens = {field_of(browser.get("/form")) for _ in range(5)}
    assert browser.set_cookies == []
    assert len(tokens) == 5
    for token in tokens:
        assert save(browser, token).status_code == 200


def test_markup_stays_markup(csrf_app):
    text = csrf.Html("<input>")
    assert text.__html__() == "<input>"


def test_remove(csrf_app, browser):
    token = browser.get("/token").text
    browser.get("/remove")
    assert "Max-Age=0" in browser.set_cookies[0]
    assert save(browser, token).status_code == 400
    again = browser.get("/token").text
    assert save(browser, token).status_code == 400
    assert save(browser, again).status_code == 200


# Abuse ----------------------------------------------------------------------------------------


def test_what_an_attacker_can_send(csrf_app, browser):
    """Another site makes the browser send its cookies, but does not know what is in its pages."""
    browser.get("/form")
    other = browser.another()
    stranger = field_of(other.get("/form"))
    for token in ("", "x", stranger, browser.jar[COOKIE, "/"], "A" * 100_000):
        assert save(browser, token).status_code == 400
        answer = browser.post("/save", {"name": "x"}, headers={HEADER: token})
        assert answer.status_code == 400
    assert browser.post("/save", {"name": "x"}).status_code == 400
    assert browser.post("/save", f"{FIELD}=a&{FIELD}=b").status_code == 400
    nested = browser.request("POST", "/save", json={FIELD: {"a": 1}})
    assert nested.status_code == 400
    assert "CSRF token" in nested.json()["detail"]


def test_a_token_without_its_cookie(csrf_app, browser):
    token = browser.get("/token").text
    browser.jar.clear()
    assert save(browser, token).status_code == 400


def test_a_planted_cookie_is_no_use_against_a_session(csrf_app, browser):
    """A neighbouring host can set cookies: its own pair, which it got as anybody does."""
    attacker, victim = browser, browser.another()
    token = attacker.get("/token").text
    victim.get("/login")
    victim.jar[COOKIE, "/"] = attacker.jar[COOKIE, "/"]
    assert save(victim, token).status_code == 400
    # Nor with a session of his own.
    attacker.get("/login")
    token = attacker.get("/token").text
    victim.jar[COOKIE, "/"] = attacker.jar[COOKIE, "/"]
    assert save(victim, token).status_code == 400


def test_bound_to_the_session(csrf_app, browser):
    before = browser.get("/token").text
    browser.get("/login")
    assert save(browser, before).status_code == 400
    within = browser.get("/token").text
    assert save(browser, within).status_code == 200
    browser.get("/logout")
    assert save(browser, within).status_code == 400


def test_a_session_that_begins_with_the_page(secure_app, browser):
    @secure_app.route("/page")
    def page(was):
        token = was.csrf_token
        was.session["visits"] = was.session.get("visits", 0) + 1
        return token

    @secure_app.route("/save", methods=["POST"])
    @secure_app.csrf_verification_required
    def save_it(was):
        return "saved"

    token = browser.get("/page").text
    assert browser.post("/save", {FIELD: token}).text == "saved"
    browser.get("/page")
    assert browser.post("/save", {FIELD: token}).text == "saved"


def test_wrong_and_rotated_keys(csrf_app, browser):
    token = browser.get("/token").text
    csrf_app.securekey = ["another secret of the app", csrf_app.securekey]
    assert save(browser, token).status_code == 200
    csrf_app.securekey = "another secret of the app"
    assert save(browser, token).status_code == 400


def test_preflights_need_none(csrf_app, browser):
    assert browser.request("OPTIONS", "/save").status_code < 300


def test_get_is_verified_too(csrf_app, browser):
    @csrf_app.route("/both", methods=["GET", "POST"])
    @csrf_app.csrf_verification_required
    def both(was):
        return "in"

    assert browser.get("/both").status_code == 400
    assert browser.request("HEAD", "/both").status_code == 400
    token = browser.get("/token").text
    assert browser.get(f"/both?{FIELD}={token}").text == "in"


@pytest.mark.parametrize("is_async", [False, True])
def test_as_a_hook_for_the_whole_app(secure_app, browser, is_async, caplog):
    app = secure_app

    if is_async:

        @app.before_request
        @app.csrf_verification_required
        async def before_request(was):
            was.request.g["verified"] = True

    else:

        @app.before_request
        @app.csrf_verification_required
        def before_request(was):
            was.request.g["verified"] = True

    @app.route("/", methods=["GET", "POST", "DELETE"])
    def index(was):
        return was.csrf_token

    token = browser.get("/").text
    assert browser.request("HEAD", "/").status_code == 200
    for method in ("POST", "DELETE"):
        assert browser.request(method, "/").status_code == 400
        assert browser.request(method, "/", headers={HEADER: token}).status_code == 200
    assert "protects nothing" not in caplog.text


def test_the_decorator_of_the_specification(secure_app, browser, caplog):
    app = secure_app

    @app.csrf_verification_required
    def before_request(was): ...

    app.route("/")(lambda was: "fine")
    assert browser.get("/").text == "fine"
    assert "protects nothing" in caplog.text


def test_mistakes(broken_app):
    with pytest.raises(SetupError, match="decorates a handler"):
        broken_app.csrf_verification_required("name")

    @broken_app.route("/")
    @broken_app.csrf_verification_required
    def index(was):
        return ""

    with pytest.raises(SetupError, match=r"pref\.securekey") as error:
        _ = broken_app.site
    assert error.value.source.startswith(__file__)


def test_too_late_for_a_decorator(csrf_app):
    app = csrf_app
    _ = app.site

    @app.route("/late")
    def late(was):
        return ""

    with pytest.raises(SetupError, match="must stand under"):
        app.csrf_verification_required(late)


def test_after_the_head(csrf_app, browser):
    @csrf_app.route("/stream")
    def stream(was):
        yield "x"
        try:
            yield was.csrf_token
        except RuntimeError as error:
            yield str(error)

    assert "the answer has begun" in browser.get("/stream").text
    browser.get("/token")
    # Who has the cookie can be given a token at any time.
    token = browser.get("/stream").text[1:]
    assert save(browser, token).status_code == 200


def test_mutations_are_refused(csrf_app, browser):
    token = browser.get("/token").text
    cookie = browser.jar[COOKIE, "/"]
    rng = random.Random(5)
    site = csrf_app.site

    def verified(token, cookie):
        headers = {"Cookie": f"{COOKIE}={cookie}", HEADER: token}
        was = site.open(prepared("POST", "/save", headers=headers).exchange())
        return was.verify_csrf()

    assert verified(token, cookie)
    for turn in range(40_000):
        text = token if turn % 2 else cookie
        at = rng.randrange(len(text))
        changed = rng.choice(
            [
                text[:at] + chr(ord(text[at]) ^ 1 << rng.randrange(6)) + text[at + 1 :],
                text[:at],
                text[at:] + text[:at],
                text[:at] + "é" + text[at:],
            ]
        )
        if changed != text and not re.search(r'[;"%\s]', changed):
            given = (changed, cookie) if turn % 2 else (token, changed)
            assert not verified(*given)
