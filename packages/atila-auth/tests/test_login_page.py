"""`app.login_page`: visitors of pages are sent there, and come back to what they wanted."""

import pytest

from atila import Mount, SetupError, Site

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
WANTED = "/orders/7?a=1&b=%2F%2Fx"


@pytest.fixture
def app(app):
    app.securekey = KEY
    app.login_page = "login"

    @app.permission_handler
    def permit(was, permissions):
        was.request.user = was.session.get("user")
        return None if was.request.user == "hans" or not permissions else False

    @app.route("/orders/<int:number>", methods=["GET", "POST"])
    @app.login_required
    def order(was, number, a="", b=""):
        return f"{number} {a} {b} of {was.user}"

    @app.route("/login", methods=["GET", "POST"])
    def login(was, name=""):
        if not name:
            return "<form method=post><input name=name></form>"
        was.session["user"] = name
        return was.redirect(was.after_login("/home"), "303 See Other")

    @app.route("/admin")
    @app.permission_required(["admin"])
    def admin(was):
        return "admin"

    return app


def test_there_and_back(app, browser):
    answer = browser.get(WANTED, headers=PAGE)
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "no-store"
    page = answer.headers["location"]
    assert page == "/login?next=/orders/7%3Fa%3D1%26b%3D%252F%252Fx"
    assert "<form" in browser.get(page, headers=PAGE).text
    answer = browser.post(page, {"name": "hans"})
    assert (answer.status_code, answer.headers["location"]) == (303, WANTED)
    assert browser.get(WANTED, headers=PAGE).text == "7 1 //x of hans"


def test_behind_a_prefix(app):
    app.config.TRUSTED_PROXIES = ["127.0.0.1"]

    @app.route("/wanted")
    def wanted(was):
        return was.after_login()

    headers = {**PAGE, "x-forwarded-prefix": "/shop"}
    client = app.test_client()
    page = client.get(WANTED, headers=headers).headers["location"]
    assert page == "/shop/login?next=/shop/orders/7%3Fa%3D1%26b%3D%252F%252Fx"
    assert client.get("/wanted", headers=headers).text == "/shop/"
    assert client.get("/wanted").text == "/"


def test_who_came_by_himself(app, browser):
    assert browser.post("/login", {"name": "hans"}).headers["location"] == "/home"


def test_only_for_pages(app):
    client = app.test_client()
    for headers in ({}, {"accept": "application/json"}, {"accept": "*/*"}):
        answer = client.get(WANTED, headers=headers)
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers
    assert client.post("/orders/7", {}, headers=PAGE).status_code == 401
    assert client.head("/orders/7", headers=PAGE).status_code == 302


def test_who_may_not_stays_refused(app, browser):
    browser.post("/login", {"name": "eve"})
    assert browser.get("/admin", headers=PAGE).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/%09/evil.example",
        "/%0a/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "%20//evil.example",
        "/x%5c..%5c",
        "",
        "/" + "x" * 3000,
        "/a&next=//evil.example",
    ],
)
def test_no_open_redirect(app, browser, wanted):
    answer = browser.post(f"/login?next={wanted}", {"name": "hans"})
    assert answer.headers["location"] == "/home"


def test_the_field_is_known_to_the_login_page_alone(app):
    client = app.test_client()
    assert client.get("/login?next=/a").status_code == 200
    assert client.get("/login?after=/a").status_code == 400


def test_by_path_and_below_a_mount_point(app, browser):
    app.login_page = "/shop/login"
    Site([Mount("/shop", app)])
    client = app.test_client()
    answer = client.get("/shop/orders/7", headers=PAGE)
    assert answer.headers["location"] == "/shop/login?next=/shop/orders/7"
    assert client.get("/shop/login?next=/a").status_code == 200


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("lgoin", "no route of this name; did you mean 'login'"),
        (7, "app.login_page is 7, not the name"),
        ("admin", "asks for a login, so nobody would ever see it"),
    ],
)
def test_mistakes(app, page, message):
    app.login_page = page
    with pytest.raises(SetupError, match=message):
        app.test_client().get("/")
