"""Permissions: who may call a handler, by the permission handler of the app."""

import logging

import pytest

from atila import HTTPError, SetupError
from atila.testing.client_request import prepared

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"


class User:
    def __init__(self, uid, lev, nick_name):
        self.uid = uid
        self.lev = lev
        self.nick_name = nick_name
        self.tuid = None

    def __str__(self):
        return self.uid


@pytest.fixture
def bare(broken_app):
    """An app without a permission handler."""
    yield broken_app
    if broken_app._site is not None:
        broken_app.site.shutdown(5)


@pytest.fixture
def app(app):
    """With the permission handler of the specification, as it stands there."""
    app.securekey = KEY

    @app.permission_handler
    def permission_handler(was, perms):
        if was.request.get_header("authorization"):
            was.request.user = None
            claims = was.dejwt()
            if "err" in claims:
                raise was.Error("401 Unauthorized", claims["err"])
            was.request.user = User(claims["uid"], claims["lev"], claims["nick_name"])

        if "uid" in was.request.PARAMS:
            tuid = was.request.PARAMS["uid"]
            if "owner" in perms and tuid != "me":
                raise was.Error("403 Permission Denied", "owners only operation")
            was.request.user.tuid = (tuid == "me" and was.request.user.uid) or (
                (tuid != "notme" and tuid) or None
            )

        if not perms:
            return

        if was.request.user.lev == "staff":
            return  # always vaild
        if "staff" in perms:
            raise was.Error("403 Permission Denied")

    @app.route("/token/<uid>/<lev>")
    def token(was, uid, lev):
        return was.encode_jwt({"uid": uid, "lev": lev, "nick_name": uid.title()})

    return app


@pytest.fixture
def call(app):
    """call(url, level): the answer to a user of a level, None for nobody."""
    client = app.test_client()

    def call(url, level=None, method="GET", **options):
        headers = options.pop("headers", {})
        if level is not None:
            token = client.get(f"/token/hans/{level}").text
            headers = {"Authorization": f"Bearer {token}", **headers}
        return client.request(method, url, headers=headers, **options)

    return call


def shown(was, id=None):
    return f"{was.request.user} {id}"


def test_login_required(app, call):
    @app.route("/animals/<id>")
    @app.login_required
    def animals(was, id=None):
        id = id or was.request.user.uid
        return id

    assert call("/animals", "user").text == "hans"
    assert call("/animals/7", "user").text == "7"
    refused = call("/animals")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="App"'
    assert refused.json()["detail"] == "log in first"


def test_identification_required(app, call):
    @app.route("/animals/<id>")
    @app.identification_required
    def animals(was, id=None):
        if was.request.user is None:
            return "nobody"
        else:
            return was.request.user.uid

    assert call("/animals", "user").text == "hans"
    assert call("/animals").text == "nobody"
    assert call("/animals", headers={"Authorization": "Bearer forged"}).text == "nobody"


def test_permissions_by_list(app, call):
    @app.route("/animals/<id>")
    @app.permission_required(["staff"])
    def animals(was, id=None):
        return shown(was, id)

    assert call("/animals/7", "staff").text == "hans 7"
    assert call("/animals/7", "user").status_code == 403
    # Asked of nobody: was.request.user.lev.
    assert call("/animals/7").status_code == 401


def test_permissions_by_parameter(app, call):
    @app.route("/animals/<id>", methods=["GET", "POST"])
    @app.permission_required(id=["staff"])
    def animals(was, id=None):
        return shown(was, id)

    for url in ("/animals", "/animals/me"):
        assert call(url, "user").status_code == 200
        assert call(url).status_code == 401
    for url in ("/animals/100", "/animals/notme", "/animals/new", "/animals/Me", "/animals/%20me"):
        assert call(url, "user").status_code == 403, url
        assert call(url, "staff").status_code == 200, url


@pytest.mark.parametrize(
    ("url", "options", "status"),
    [
        ("/animals?id=100", {}, 200),
        ("/animals/me?id=me&id=100", {"data": {"id": "100"}}, 200),
        ("/animals/me", {"data": {"id": "100"}}, 200),
        ("/animals/me", {"json": {"id": 100}}, 200),
        # These do not fit the rule, which those alone learn that may call the handler.
        ("/animals/me", {"json": {"id": ["me"]}}, 400),
        ("/animals", {"json": {"id": ""}}, 400),
        ("/animals?id=", {}, 400),
    ],
)
def test_a_parameter_counts_wherever_it_is_given(app, call, url, options, status):
    @app.route("/animals/<id>", methods=["POST"])
    @app.permission_required(id=["staff"])
    def animals(was, id=None):
        return shown(was, id)

    assert call(url, "user", "POST", **options).status_code == 403
    assert call(url, "staff", "POST", **options).status_code == status


def test_the_owner_of_the_specification_cannot_be_fooled_by_a_form(app, call):
    @app.route("/users/<uid>", methods=["POST"])
    @app.permission_required(["owner"])
    def users(was, uid=None):
        return f"{uid} {was.request.user.tuid}"

    assert call("/users/me", "user", "POST").text == "me hans"
    for url, options in (
        ("/users/grete", {}),
        ("/users/me", {"data": {"uid": "grete"}}),
        ("/users?uid=grete", {}),
    ):
        assert call(url, "user", "POST", **options).status_code == 403


def test_permissions_by_method(app, call):
    asked = []

    @app.permission_handler
    def permission_handler(was, perms):
        asked.append(perms)
        was.request.user = "x"

    @app.route("/animals/<id>", methods=["GET", "POST", "DELETE"])
    @app.permission_required(["user"], id=["staff"], DELETE=["admin"], GET=["reader", "user"])
    def animals(was, id=None):
        return ""

    for method, url in (
        ("POST", "/animals/me"),
        ("DELETE", "/animals/me"),
        ("DELETE", "/animals/9"),
    ):
        call(url, method=method)
    for method in ("GET", "HEAD"):
        call("/animals", method=method)
    assert asked == [
        ["user"],
        ["admin"],
        ["staff", "admin"],
        ["reader", "user"],
        ["reader", "user"],
    ]


def by_role(app, asked):
    """A permission handler that lets in whose role is in the list; whoever says so has the role."""

    @app.permission_handler
    def permission_handler(was, perms):
        asked.append(perms)
        was.request.user = was.request.get_header("x-role")
        if perms and was.request.user not in perms:
            raise was.Error("403 Permission Denied")


def test_a_list_of_roles_lets_nobody_past_the_particular_one(bare):
    by_role(bare, [])

    @bare.route("/animals/<id>", methods=["GET", "POST", "DELETE"])
    @bare.permission_required(["user"], id=["staff"], DELETE=["admin"])
    def animals(was, id=None):
        return "in"

    def status(method, url, role):
        return client.request(method, url, headers={"X-Role": role}).status_code

    client = bare.test_client()
    for method, url, roles in (
        ("GET", "/animals", {"user"}),
        ("GET", "/animals/me", {"user"}),
        ("GET", "/animals/100", {"staff"}),
        ("HEAD", "/animals/100", {"staff"}),
        ("POST", "/animals?id=100", {"staff"}),
        ("DELETE", "/animals", {"admin"}),
        ("DELETE", "/animals/100", {"staff", "admin"}),
    ):
        for role in ("user", "staff", "admin", "nobody"):
            assert status(method, url, role) == (200 if role in roles else 403), (method, url, role)


def test_an_empty_particular_list_takes_the_place_of_the_general_one(bare):
    by_role(bare, asked := [])

    @bare.route("/<id>", methods=["GET", "POST"])
    @bare.permission_required(["staff"], GET=[], id=[])
    def index(was, id=None):
        return "in"

    client = bare.test_client()
    for method, url in (("GET", "/"), ("GET", "/7"), ("POST", "/7"), ("POST", "/")):
        client.request(method, url, headers={"X-Role": "user"})
    assert asked == [[], [], [], ["staff"]]


def test_two_parameters_are_one_list(bare):
    by_role(bare, asked := [])

    @bare.route("/")
    @bare.permission_required(["user"], id=["staff", "root"], group=["owner", "root"])
    def index(was, id=None, group=None):
        return "in"

    client = bare.test_client()
    for query in ("id=1&group=2", "id=me&group=2", "id=1", "group=me"):
        client.get(f"/?{query}", headers={"X-Role": "root"})
    assert asked == [["staff", "root", "owner"], ["owner", "root"], ["staff", "root"], ["user"]]


def test_what_a_handler_does_with_the_list_is_forgotten(app, call):
    @app.permission_handler
    def permission_handler(was, perms):
        was.request.user = "x"
        wanted = perms.copy()
        perms.clear()
        was.request.g["wanted"] = wanted

    @app.route("/")
    @app.permission_required(["a", "b"])
    def index(was):
        return " ".join(was.request.g["wanted"])

    for _ in range(2):
        assert call("/").text == "a b"


def test_each_decorator_is_a_lock_of_its_own(bare):
    by_role(bare, asked := [])

    @bare.permission_required(["a", "b"])
    @bare.route("/")
    @bare.identification_required
    @bare.login_required
    @bare.permission_required(["c"], GET=["b"])
    @bare.permission_required(["a", "b"])
    def index(was):
        return "in"

    client = bare.test_client()
    assert client.get("/", headers={"X-Role": "b"}).text == "in"
    assert asked == [["a", "b"], [], ["b"]]
    for role in ("a", "c"):
        assert client.get("/", headers={"X-Role": role}).status_code == 403


@pytest.mark.parametrize(
    ("verdict", "user", "status", "text"),
    [
        (None, "x", 200, "in"),
        (None, None, 401, "log in first"),
        (True, None, 200, "in"),
        (False, "x", 403, "you may not"),
        ("elsewhere", None, 200, "elsewhere"),
    ],
)
def test_what_a_permission_handler_returns(bare, verdict, user, status, text):
    app = bare

    @app.permission_handler
    def permission_handler(was, perms):
        was.request.user = user
        return verdict

    app.route("/")(app.login_required(lambda was: "in"))
    answer = app.test_client().get("/")
    assert answer.status_code == status
    assert text in answer.text


def test_a_redirect_to_the_login_page(bare):
    @bare.permission_handler
    def permission_handler(was, perms):
        return was.redirect("/login")

    bare.route("/")(bare.login_required(lambda was: "in"))
    answer = bare.test_client().get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/login")


def test_a_permission_handler_may_be_async(bare):
    @bare.permission_handler
    async def permission_handler(was, perms):
        was.request.user = "x"
        if "admin" in perms:
            raise was.Error(403)

    bare.route("/a")(bare.login_required(lambda was: "in"))
    bare.route("/b")(bare.permission_required(["admin"])(lambda was: "in"))

    @bare.route("/c")
    @bare.permission_required(["admin"])
    async def later(was):
        return "in"

    client = bare.test_client()
    assert client.get("/a").text == "in"
    assert client.get("/b").status_code == client.get("/c").status_code == 403


def test_a_failing_permission_handler_lets_nobody_in(bare, caplog):
    @bare.permission_handler
    def permission_handler(was, perms):
        was.request.user = "x"
        raise LookupError("broken")

    bare.route("/")(bare.login_required(lambda was: "in"))
    assert bare.test_client().get("/").status_code == 500
    assert "LookupError: broken" in caplog.text


def test_an_attribute_that_somebody_else_lacks_is_a_failure(bare, caplog):
    @bare.permission_handler
    def permission_handler(was, perms):
        was.no_such_name

    bare.route("/")(bare.login_required(lambda was: "in"))
    assert bare.test_client().get("/").status_code == 500


def test_whom_the_handler_has_refused_in_the_end_is_not_identified(bare, caplog):
    @bare.permission_handler
    def permission_handler(was, perms):
        was.request.user = "locked"
        match was.request.args["how"]:
            case "error":
                raise was.Error(403)
            case "false":
                return False
            case "failure":
                raise LookupError("broken")
            case _:
                return None

    bare.route("/")(bare.identification_required(lambda was, how: str(was.request.user)))
    client = bare.test_client()
    with caplog.at_level(logging.ERROR):
        assert client.get("/?how=error").text == "None"
        assert client.get("/?how=false").text == "None"
        assert caplog.text == ""
        assert client.get("/?how=failure").text == "None"
    assert "LookupError: broken" in caplog.text
    assert client.get("/?how=").text == "locked"


def test_a_token_without_a_claim_that_the_handler_wants(app, call):
    app.route("/t")(lambda was: was.encode_jwt({"aim": "password reset"}))
    app.route("/")(app.login_required(lambda was: "in"))
    token = app.test_client().get("/t").text
    answer = call("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "'uid'" in answer.json()["detail"]


def test_options_that_nobody_wrote_asks_for_nothing(app, call):
    app.route("/")(app.login_required(lambda was: "in"))
    assert call("/", method="OPTIONS").status_code == 204


def test_the_user_is_known_as_was_user_too(app, call):
    def is_superuser(was):
        if was.user.uid not in ("admin", "root"):
            return was.response("403 Permission Denied")

    @app.route("/")
    @app.login_required
    @app.testpass_required(is_superuser)
    def modify_profile(was):
        return "in"

    assert call("/", "user").status_code == 403


def test_a_handler_that_is_piped_to_is_protected_too(app, call):
    @app.route("/inner")
    @app.permission_required(["staff"])
    def inner(was):
        return "in"

    app.route("/outer")(lambda was: was.pipe(inner))
    assert call("/outer", "staff").text == "in"
    assert call("/outer", "user").status_code == 403
    assert call("/outer").status_code == 401


def required(app, *args, **kwargs):
    return app.permission_required(*args, **kwargs)


def test_calls_whose_parameters_nobody_knows_yet(bare):
    """Those of gRPC are in a stream that the handler reads."""
    by_role(bare, asked := [])

    @bare.route("/animals/<id>", methods=["POST"])
    @bare.permission_required(["user", "root"], id=["staff", "root"])
    def animals(was, id=None):
        return "in"

    def called_by(role):
        exchange = prepared("POST", "/animals", headers={"x-role": role}).exchange()
        twin.run(bare.was_class()._begin(exchange, twin, {}))

    bare.test_client().get("/")
    faults = []
    endpoint = next(e for e in bare.endpoints if e.route.handler is animals)
    twin = endpoint.for_calls(lambda was: "in", lambda was, error: faults.append(error.code))
    for role in ("user", "staff"):
        called_by(role)
    assert faults == [403, 403]
    called_by("root")
    assert faults == [403, 403]
    assert asked[-2:] == [["staff", "root"], ["user", "root"]]


@pytest.mark.parametrize(
    ("decorate", "says"),
    [
        (lambda app: required(app, "staff"), r'wants lists of strings: \["staff"\], not'),
        (lambda app: required(app, [1]), "wants lists of strings"),
        (lambda app: required(app, id="staff"), "wants lists of strings: id="),
        (lambda app: required(app, uid=["staff"]), "'uid', which the handler does not take"),
        (lambda app: required(app, delete=["staff"]), "'delete', which the handler does not"),
        (lambda app: required(app, PUT=["staff"]), "PUT, which the route does not answer"),
    ],
)
def test_mistakes_fail_at_mount_with_file_and_line(app, decorate, says):
    @app.route("/<id>", methods=["GET", "DELETE"])
    @decorate(app)
    def broken(was, id):
        return ""

    with pytest.raises(SetupError, match=says) as error:
        app.test_client().get("/1")
    assert error.value.source.startswith(__file__)


def test_without_a_permission_handler(bare):
    bare.route("/")(bare.login_required(lambda was: "in"))
    with pytest.raises(SetupError, match=r"@app\.permission_handler"):
        bare.test_client().get("/")


def test_decorators_without_their_parentheses(bare):
    with pytest.raises(SetupError, match=r'permission_required\(\["staff"\]\)'):
        bare.permission_required(lambda was: "in")
    with pytest.raises(SetupError, match=r'authorization_required\("digest"\)'):
        bare.authorization_required(lambda was: "in")
    with pytest.raises(SetupError, match=r"rate_limit\(10, 60\)"):
        bare.rate_limit(lambda was: "in")
    with pytest.raises(SetupError, match="decorates a handler"):
        bare.login_required("x")


@pytest.mark.parametrize("name", ["permission_handler", "authorization_handler", "bearer_handler"])
def test_handlers_that_cannot_be_called(bare, name):
    for wrong in (lambda was: None, lambda: None, lambda was, *, perms: 1):
        with pytest.raises(SetupError, match=rf"def {name}\(was, ") as error:
            getattr(bare, name)(wrong)
        assert error.value.source.startswith(__file__)
    for right in (lambda was, x: None, lambda was, x, y=1: None, lambda *args: None):
        assert getattr(bare, name)(right) is right


def test_handlers_that_are_objects(app, call):
    class Handler:
        def __init__(self, text):
            self.text = text

        def __call__(self, was):
            return self.text

    for text in ("one", "two"):
        app.route(f"/{text}")(app.login_required(Handler(text)))
        assert call(f"/{text}", "user").text == text
        assert call(f"/{text}").status_code == 401


def test_a_decorator_that_would_protect_nothing(app):
    def other_decorator(function):
        return lambda was: function(was)

    @app.login_required
    @other_decorator
    @app.route("/")
    def index(was):
        return "in"

    with pytest.raises(SetupError, match=r"@app\.login_required protects nothing here"):
        app.test_client().get("/")


def test_a_decorator_that_comes_too_late(app, call):
    app.route("/")(lambda was: "x")
    assert call("/").text == "x"

    with pytest.raises(SetupError, match="must stand under"):

        @app.login_required
        @app.route("/late")
        def late(was):
            return "in"


def test_modules_that_are_mounted_anew(app, call):
    """In a new site, with the decorator above @app.route too."""
    mounted = []

    def mount(app, mntopt):
        mounted.append(mntopt)

        @app.login_required
        @app.route("/above")
        def above(was):
            return "in"

        @app.route("/below")
        @app.permission_required(["staff"])
        def below(was):
            return "in"

    app.mount("/sub", mount)
    for _ in range(2):
        assert call("/sub/above", "user").text == call("/sub/below", "staff").text == "in"
        assert call("/sub/above").status_code == 401
        assert call("/sub/below", "user").status_code == 403
        app.site.shutdown()
    assert len(mounted) == 2


def test_a_mount_that_fails_may_be_tried_again(broken_app):
    app, tried = broken_app, []

    @app.permission_handler
    def permission_handler(was, perms):
        pass

    def mount(app, mntopt):
        app.route("/")(app.login_required(lambda was: "in"))
        tried.append(1)
        if len(tried) == 1:
            raise LookupError("not yet")

    app.mount("/", mount)
    with pytest.raises(LookupError):
        app.test_client().get("/")
    assert app.test_client().get("/").status_code == 401
    app.site.shutdown(5)


def test_a_route_added_while_serving_is_protected(app, call):
    assert call("/nothing").status_code == 404
    app.route("/late")(app.login_required(lambda was: "in"))
    assert call("/late").status_code == 401


def test_errors_keep_their_own_challenge(bare):
    @bare.permission_handler
    def permission_handler(was, perms):
        raise HTTPError(401, "", 0, [("WWW-Authenticate", "Negotiate")])

    bare.route("/")(bare.login_required(lambda was: "in"))
    answer = bare.test_client().get("/")
    assert [v for k, v in answer.header_list if k == "www-authenticate"] == ["Negotiate"]
