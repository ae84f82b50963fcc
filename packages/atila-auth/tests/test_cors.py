"""CORS: requests of pages from other origins."""

import pytest

from atila import Mount, SetupError, Site
from atila.routing.router import Route
from atila.testing.waits import PATIENCE
from atila_auth.protection.cors import compile_route

A, B, C = "https://a.org", "http://b.org:5001", "https://c.org"


def cors(response):
    return {k: v for k, v in response.headers.items() if k.startswith("access-control-")}


def call(app, url="/", origin=A, method="GET", **options):
    return app.test_client().request(method, url, headers={"Origin": origin}, **options)


def preflight(app, url="/", method="POST", origin=A, headers=""):
    head = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        head["Access-Control-Request-Headers"] = headers
    return app.test_client().options(url, headers=head)


def test_example_of_the_specification(app):
    @app.route(
        "/post",
        methods=["POST", "OPTIONS"],
        access_control_allow_origin=["*"],
        access_control_max_age=3600,
    )
    def post(was):
        return "hello"

    asked = preflight(app, "/post")
    assert asked.status_code == 204
    assert asked.content == b""
    assert cors(asked) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST, OPTIONS",
        "access-control-max-age": "3600",
    }
    answer = call(app, "/post", method="POST")
    assert (answer.text, cors(answer)) == ("hello", {"access-control-allow-origin": "*"})
    assert "vary" not in answer.headers


def test_settings_of_the_app_count_for_all_routes_even_if_they_come_later(app):
    @app.route("/")
    def index(was):
        return "x"

    app.access_control_allow_origin = [A, B]
    app.access_control_max_age = 60
    for origin in (A, B):
        assert call(app, origin=origin).headers["access-control-allow-origin"] == origin
        assert preflight(app, origin=origin).headers["access-control-max-age"] == "60"


def test_settings_of_a_preference(app):
    import skitai

    from atila.launch.packages import prefer

    with skitai.preference() as pref:
        pref.access_control_allow_origin = [B]
        pref.access_control_max_age = 3600
        pref.authenticate = "basic"
        pref.realm = "Shop"
        pref.users = {"hansroh": "1234"}
    prefer(app, pref)
    app.route("/")(lambda was: "x")
    assert preflight(app, origin=B).headers["access-control-max-age"] == "3600"
    refused = call(app, origin=B)
    assert refused.status_code == 401
    assert cors(refused) == {"access-control-allow-origin": B}
    assert 'realm="Shop"' in refused.headers["www-authenticate"]


def test_the_route_wins_over_the_app(app):
    app.access_control_allow_origin = [A]
    app.access_control_max_age = 60
    app.route("/b", access_control_allow_origin=[B])(lambda was: "b")
    app.route("/age", access_control_max_age=0)(lambda was: "age")
    app.route("/none", access_control_allow_origin=[])(lambda was: "none")
    assert cors(call(app, "/b", A)) == {}
    assert cors(call(app, "/b", B)) == {"access-control-allow-origin": B}
    assert preflight(app, "/b", origin=B).headers["access-control-max-age"] == "60"
    assert preflight(app, "/age").headers["access-control-max-age"] == "0"
    assert cors(call(app, "/none")) == {}
    assert cors(preflight(app, "/none")) == {}


def test_a_disallowed_origin_gets_no_headers(app):
    app.route("/", access_control_allow_origin=[A])(lambda was: "x")
    for origin in (C, "null", A.upper(), A + "/", A + ".evil.org", "http://a.org"):
        answer = call(app, origin=origin)
        assert (answer.status_code, answer.text) == (200, "x")
        assert cors(answer) == {}
        assert answer.headers["vary"] == "origin"
        refused = preflight(app, origin=origin)
        assert cors(refused) == {}
        assert refused.status_code == 403
        assert "origin" in refused.headers["vary"]


def test_vary_is_on_answers_without_an_origin_too(app):
    app.route("/", access_control_allow_origin=[A])(lambda was: "x")
    app.route("/any", access_control_allow_origin=["*"])(lambda was: "x")
    client = app.test_client()
    assert client.get("/").headers["vary"] == "origin"
    assert cors(client.get("/")) == {}
    assert cors(client.get("/any")) == {"access-control-allow-origin": "*"}
    assert "vary" not in client.get("/any").headers


def test_errors_carry_the_headers(app):
    app.access_control_allow_origin = [A]

    @app.route("/<int:code>")
    def fail(was, code, size=None):
        if code == 500:
            raise ValueError
        raise was.Error(code)

    for url, code in (("/500", 500), ("/404", 404), ("/400", 400), ("/1?no=1", 400)):
        answer = call(app, url)
        assert answer.status_code == code
        assert cors(answer) == {"access-control-allow-origin": A}


def test_files_streams_and_empty_answers_carry_the_headers(app):
    app.access_control_allow_origin = [A]
    app.route("/file")(lambda was: was.File(__file__))
    app.route("/stream")(lambda was: iter(["a", "b"]))
    app.route("/empty")(lambda was: None)

    @app.route("/async")
    async def later(was):
        return "x"

    for url in ("/file", "/stream", "/empty", "/async"):
        for method in ("GET", "HEAD"):
            answer = call(app, url, method=method)
            assert cors(answer) == {"access-control-allow-origin": A}, url


def test_static_files_do_not_carry_the_headers(app, tmp_path):
    app.access_control_allow_origin = ["*"]
    app.config.STATIC_ROOT = tmp_path
    (tmp_path / "site.css").write_text("a {}")
    app.route("/page")(lambda was: "x")
    answer = call(app, "/static/site.css")
    assert (answer.text, cors(answer)) == ("a {}", {})
    assert cors(call(app, "/page")) == {"access-control-allow-origin": "*"}


def test_credentials_and_exposed_headers(app):
    app.access_control_allow_origin = [A]
    app.access_control_allow_credentials = True
    app.access_control_expose_headers = ["X-Total", "ETag"]
    app.route("/")(lambda was: "x")
    assert cors(call(app)) == {
        "access-control-allow-origin": A,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-total, etag",
    }
    asked = cors(preflight(app))
    assert asked["access-control-allow-credentials"] == "true"
    assert "access-control-expose-headers" not in asked
    assert cors(call(app, origin=C)) == {}


def test_allowed_headers_are_those_named_or_else_those_asked_for(app):
    app.access_control_allow_origin = ["*"]
    for rule, options in (
        ("/some", {"access_control_allow_headers": ["X-One", "Authorization"]}),
        ("/all", {}),
        ("/star", {"access_control_allow_headers": ["*"]}),
    ):
        app.route(rule, **options)(lambda was: "x")
    name = "access-control-allow-headers"
    assert preflight(app, "/some", headers="x-two").headers[name] == "x-one, authorization"
    for url in ("/all", "/star"):
        asked = preflight(app, url, headers="x-two, authorization")
        assert asked.headers[name] == "x-two, authorization"
        assert asked.headers["vary"] == "access-control-request-headers"
        assert name not in preflight(app, url).headers


def test_a_preflight_is_answered_for_the_method_it_asks_for(app):
    app.route("/", methods=["GET"])(lambda was: "plain")
    app.route("/", methods=["POST"], access_control_allow_origin=[A])(lambda was: "a")
    app.route("/", methods=["PUT", "PATCH"], access_control_allow_origin=[B])(lambda was: "b")
    assert cors(preflight(app, method="POST")) == {
        "access-control-allow-origin": A,
        "access-control-allow-methods": "POST",
    }
    asked = preflight(app, method="PUT", origin=B)
    assert asked.headers["access-control-allow-methods"] == "PUT, PATCH"
    assert preflight(app, method="PATCH", origin=A).status_code == 403
    # No CORS for these: OPTIONS is answered as if it was no preflight.
    for method in ("GET", "DELETE", "nonsense"):
        plain = preflight(app, method=method)
        assert (plain.status_code, cors(plain)) == (204, {})
        assert "GET" in plain.headers["allow"]


def test_the_policy_of_another_route_counts_at_an_options_method_that_a_user_wrote(app):
    app.route("/", methods=["POST", "OPTIONS"], access_control_allow_origin=[A])(lambda was: "a")
    app.route("/", methods=["PUT"], access_control_allow_origin=[B])(lambda was: "b")
    assert preflight(app, method="POST", origin=A).status_code == 204
    assert preflight(app, method="PUT", origin=A).status_code == 403
    asked = preflight(app, method="PUT", origin=B)
    assert cors(asked)["access-control-allow-origin"] == B
    assert [v for k, v in asked.header_list if k == "access-control-allow-origin"] == [B]


def test_an_unknown_method_of_a_path_that_the_app_opens(app):
    app.access_control_allow_origin = [A]
    app.route("/", methods=["GET"])(lambda was: "x")
    asked = preflight(app, method="DELETE")
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"


def test_options_without_preflight_reaches_the_handler(app):
    app.route("/", methods=["OPTIONS"], access_control_allow_origin=[A])(lambda was: "mine")
    client = app.test_client()
    assert client.options("/").text == "mine"
    answer = call(app, method="OPTIONS")
    assert (answer.text, cors(answer)) == ("mine", {"access-control-allow-origin": A})
    assert client.options("/", headers={"Access-Control-Request-Method": "PUT"}).text == "mine"


def test_a_preflight_comes_before_hooks_and_authentication(app):
    app.access_control_allow_origin = [A]

    @app.before_request
    def nobody(was):
        raise was.Error(401)

    app.route("/")(lambda was: "x")
    app.route("/own", methods=["GET", "OPTIONS"], authenticate="basic")(lambda was: "x")
    app.users = {"hans": "1234"}
    for url in ("/", "/own"):
        assert preflight(app, url, method="GET").status_code == 204
        refused = call(app, url)
        assert (refused.status_code, cors(refused)) == (401, {"access-control-allow-origin": A})


def test_parameters_in_the_rule(app):
    app.route("/u/<int:id>", methods=["PUT"], access_control_allow_origin=[A])(lambda was, id=1: "")
    for url in ("/u/7", "/u"):
        asked = preflight(app, url, method="PUT")
        assert asked.headers["access-control-allow-methods"] == "PUT"


def test_below_a_mount_point(app):
    app.route("/x", methods=["PUT"], access_control_allow_origin=[A])(lambda was: "x")
    Site([Mount("/shop", app)])
    assert preflight(app, "/shop/x", method="PUT").headers["access-control-allow-origin"] == A
    assert call(app, "/shop/x", method="PUT").headers["access-control-allow-origin"] == A


def test_a_header_that_the_handler_sets_wins(app):
    app.access_control_allow_origin = [A]

    @app.route("/")
    def own(was):
        return was.response(200, "x", [("Access-Control-Allow-Origin", C)])

    assert cors(call(app)) == {"access-control-allow-origin": C}


def test_no_cors_no_steps(app):
    app.route("/", methods=["GET", "OPTIONS"])(lambda was: "x")
    assert compile_route(app.routes[0], app) is None
    assert cors(call(app)) == {}
    assert preflight(app, method="GET").text == "x"


def test_origins_are_compared_as_browsers_spell_them(app):
    app.access_control_allow_origin = ["HTTPS://A.org:443", "http://[::1]:80", "app://host"]
    app.route("/")(lambda was: "x")
    for origin in (A, "http://[::1]", "app://host"):
        assert cors(call(app, origin=origin)) == {"access-control-allow-origin": origin}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"access_control_allow_origin": "*"}, "must be a list of strings"),
        ({"access_control_allow_origin": A}, rf"access_control_allow_origin=\['{A}'\]"),
        ({"access_control_allow_origin": [1]}, "list of strings"),
        ({"access_control_allow_origin": ["a.org"]}, "scheme and host"),
        ({"access_control_allow_origin": [A + "/"]}, "without a path"),
        ({"access_control_allow_origin": ["http://a:99999"]}, "scheme and host"),
        ({"access_control_allow_origin": ["https://*.a.org/x"]}, "without a path"),
        ({"access_control_allow_origin": ["https://ä.org"]}, "scheme and host"),
        ({"access_control_allow_origin": ["*", A]}, "alone"),
        ({"access_control_allow_origin": ["*"], "access_control_allow_credentials": True}, "null"),
        (
            {"access_control_allow_origin": ["null"], "access_control_allow_credentials": True},
            "null",
        ),
        ({"access_control_allow_origin": [A], "access_control_allow_credentials": 1}, "True or"),
        ({"access_control_allow_origin": [A], "access_control_max_age": "60"}, "seconds"),
        ({"access_control_allow_origin": [A], "access_control_max_age": -1}, "seconds"),
        ({"access_control_allow_origin": [A], "access_control_max_age": True}, "seconds"),
        ({"access_control_allow_origin": [A], "access_control_allow_headers": "x"}, "list of str"),
        ({"access_control_allow_origin": [A], "access_control_allow_headers": ["a b"]}, "names"),
        ({"access_control_allow_origin": [A], "access_control_expose_headers": [""]}, "names"),
        (
            {
                "access_control_allow_origin": [A],
                "access_control_allow_credentials": True,
                "access_control_expose_headers": ["*"],
            },
            "a list of names",
        ),
        ({"access_control_max_age": 60}, "does nothing without"),
    ],
)
def test_mistakes_fail_at_mount_with_file_and_line(broken_app, options, says):
    broken_app.route("/", **options)(lambda was: "x")
    with pytest.raises(SetupError, match=says) as error:
        broken_app.test_client().get("/")
    file, _, line = error.value.source.rpartition(":")
    assert file == __file__
    assert line.isdecimal()


def test_a_mistake_on_the_app_is_told_as_such(broken_app):
    broken_app.access_control_allow_origin = "https://a.org"
    broken_app.route("/")(lambda was: "x")
    with pytest.raises(SetupError, match=r"app\.access_control_allow_origin is 'https://a\.org'"):
        broken_app.test_client().get("/")


def test_a_route_that_contradicts_the_app(broken_app):
    broken_app.access_control_allow_origin = ["*"]
    broken_app.route("/", access_control_allow_credentials=True)(lambda was: "x")
    with pytest.raises(SetupError, match="access_control_allow_credentials"):
        broken_app.test_client().get("/")


def test_an_automatic_route_without_any_policy_answers_as_before(app):
    app.route("/")(lambda was: "x")
    steps = compile_route(Route("/", lambda was: None, ("OPTIONS",), automatic=True), app)
    assert steps is not None
    assert steps.loop_safe
    assert preflight(app).headers["allow"]
    assert cors(preflight(app)) == {}


# Requests that reach no endpoint -----------------------------------------------------------------


def refused(app, method="GET", url="/", **options):
    headers = {"Origin": A, **options.pop("headers", {})}
    return app.test_client().request(method, url, headers=headers, **options)


@pytest.fixture
def shop(app):
    app.config.MAX_BODY_SIZE = 10
    app.route("/", methods=["POST"], content_types=["text/plain"])(lambda was: "x")
    app.route("/slash/")(lambda was: "x")
    return app


REFUSALS = [
    ("GET", "/nothing", {}, 404),
    ("GET", "/", {}, 405),
    ("POST", "/", {"data": b"x" * 20, "headers": {"Content-Type": "text/plain"}}, 413),
    ("POST", "/", {"json": {}}, 415),
    ("GET", "/slash", {}, 308),
]


@pytest.mark.parametrize(("method", "url", "options", "status"), REFUSALS)
def test_refusals_carry_the_headers_of_the_app(shop, method, url, options, status):
    shop.access_control_allow_origin = [A]
    shop.access_control_allow_credentials = True
    answer = refused(shop, method, url, **options)
    assert answer.status_code == status
    assert cors(answer) == {
        "access-control-allow-origin": A,
        "access-control-allow-credentials": "true",
    }
    assert "origin" in answer.headers["vary"]
    headers = {**options.pop("headers", {}), "Origin": B}
    stranger = shop.test_client().request(method, url, headers=headers, **options)
    assert (stranger.status_code, cors(stranger)) == (status, {})
    assert "origin" in stranger.headers["vary"]


@pytest.mark.parametrize(("method", "url", "options", "status"), REFUSALS)
def test_refusals_of_an_app_that_opens_nothing_carry_none(shop, method, url, options, status):
    answer = refused(shop, method, url, **options)
    assert (answer.status_code, cors(answer)) == (status, {})
    assert shop.rejection.headers == ()


def test_refusals_carry_the_headers_of_the_route_that_it_would_have_been(app):
    app.config.MAX_BODY_SIZE = 10
    app.access_control_allow_origin = [B]
    app.route("/own", methods=["POST"], access_control_allow_origin=[A])(lambda was: "x")
    app.route("/none", methods=["POST"], access_control_allow_origin=[])(lambda was: "x")
    app.route("/app", methods=["POST"])(lambda was: "x")
    long = b"x" * 20
    answer = refused(app, "POST", "/own", data=long)
    assert answer.status_code == 413
    assert cors(answer) == {"access-control-allow-origin": A}
    assert cors(refused(app, "POST", "/none", data=long)) == {}
    assert cors(refused(app, "POST", "/app", data=long)) == {}
    assert cors(call(app, "/app", B, "POST", data=long)) == {"access-control-allow-origin": B}


def test_one_route_that_opens_itself(app):
    app.config.MAX_BODY_SIZE = 10
    app.route("/own", methods=["POST"], access_control_allow_origin=[A])(lambda was: "x")
    app.route("/other", methods=["POST"])(lambda was: "x")
    answer = refused(app, "POST", "/own", data=b"x" * 20)
    assert (answer.status_code, cors(answer)) == (413, {"access-control-allow-origin": A})
    assert cors(refused(app, "POST", "/other", data=b"x" * 20)) == {}
    assert cors(refused(app, "GET", "/nothing")) == {}


def test_overload_and_ends_of_bodies(app):
    """What the site and its engines refuse with."""
    from atila import HTTPError
    from atila.testing.client_request import prepared

    app.access_control_allow_origin = [A]
    app.route("/", methods=["POST"])(lambda was: "x")
    site = app.site
    for code in (400, 503):
        exchange = prepared("POST", "/", headers={"Origin": A}, data=b"x").exchange()
        site.refuse(site.open(exchange), HTTPError(code))
        answer = exchange.answers.get(timeout=PATIENCE)
        assert answer.status_code == code
        assert cors(answer) == {"access-control-allow-origin": A}


def test_refused_preflights(app):
    app.access_control_allow_origin = [A]
    answer = preflight(app, "/nothing")
    assert (answer.status_code, cors(answer)) == (404, {"access-control-allow-origin": A})


def test_refusals_below_a_mount_point(app):
    app.access_control_allow_origin = [A]
    app.route("/x")(lambda was: "x")
    Site([Mount("/shop", app)])
    for url in ("/shop/nothing", "/elsewhere", "/"):
        answer = refused(app, url=url)
        assert answer.status_code == 404
        assert cors(answer) == {"access-control-allow-origin": A}
