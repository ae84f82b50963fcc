"""Basic authentication."""

import base64
import contextlib
import hashlib
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import SetupError
from atila_auth import authorization_header, hash_password

REALM = "Partner App Area of mysite.com"


def basic(name, password, charset="utf-8"):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(charset)).decode()


@pytest.fixture
def app(app):
    app.realm = REALM
    app.users = {"hansroh": ("1234", False), "app": ("iamyourpartnerapp", 0, {"role": "root"})}

    @app.route("/", authenticate="basic")
    def index(was):
        user = was.request.user
        assert user is was.user
        assert "root" not in repr(user)
        return f"{user.name}|{user.realm}|{user.info}|{user}"

    return app


@pytest.fixture
def ask(app):
    client = app.test_client()

    def ask(header=None, url="/", method="GET"):
        headers = {} if header is None else {"Authorization": header}
        return client.request(method, url, headers=headers)

    return ask


def test_who_logs_in(ask):
    assert ask(basic("hansroh", "1234")).text == f"hansroh|{REALM}|None|hansroh"
    assert ask(basic("app", "iamyourpartnerapp")).text == f"app|{REALM}|{{'role': 'root'}}|app"
    assert ask(basic("app", "iamyourpartnerapp").replace("Basic", "bAsIc  ")).status_code == 200


def test_who_does_not(ask):
    for header in (
        None,
        basic("hansroh", "12345"),
        basic("hansroh", "123"),
        basic("hansroh", ""),
        basic("", "1234"),
        basic("", ""),
        basic("app", "1234"),
        basic("Hansroh", "1234"),
        basic("hansroh ", "1234"),
    ):
        answer = ask(header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == f'Basic realm="{REALM}", charset="UTF-8"'
        error = answer.json()
        del error["request_id"]  # At random, and so maybe with these digits.
        assert "1234" not in str(error)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic aGFuc3JvaDoxMjM0=",
        "Basic aGFuc3JvaDoxMjM",
        "Basic aGFu c3JvaDoxMjM0",
        "Basic aGFuc3JvaDoxMjM0,",
        "Basic aGFuc3JvaDoxMjM0, Basic aGFuc3JvaDoxMjM0",
        "Basic YWJj",
        "Basic " + base64.b64encode(b"hansroh:1234\0").decode(),
        "Basic " + base64.b64encode(b"hansroh:12\r\n34").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\x80").decode(),
        "Basic " + "A" * 10_000,
        "Basic \xe4\xf6\xfc",
        "Bearer aGFuc3JvaDoxMjM0",
        'Digest username="hansroh"',
        "aGFuc3JvaDoxMjM0",
        "Basic=aGFuc3JvaDoxMjM0",
        "\x00",
    ],
)
def test_malformed_credentials(ask, header):
    answer = ask(header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_names_and_passwords_of_any_script(app, ask):
    app.users = {"jürgen": "grün:gelb", "Ø": "пароль"}
    assert ask(basic("jürgen", "grün:gelb")).text.startswith("jürgen|")
    assert ask(basic("jürgen", "grün:gelb", "latin-1")).text.startswith("jürgen|")
    assert ask(basic("Ø", "пароль")).status_code == 200
    assert ask(basic("Ø", "паролб")).status_code == 401


@pytest.mark.parametrize("hashed", [hashlib.md5, hashlib.sha256])
def test_passwords_hashed_as_for_digest(app, ask, hashed):
    text = f"hansroh:{REALM}:1234".encode()
    app.users = {"hansroh": (hashed(text).hexdigest(), True)}
    assert ask(basic("hansroh", "1234")).status_code == 200
    assert ask(basic("hansroh", "12345")).status_code == 401
    # The hash is no password.
    assert ask(basic("hansroh", hashed(text).hexdigest())).status_code == 401


def test_passwords_hashed_by_scrypt(app, ask):
    hashed = hash_password("1234", cost=4, block=1, parallel=1)
    app.users = {"hansroh": (hashed, True, 7), "grete": hashed}
    for _ in range(2):
        assert ask(basic("hansroh", "1234")).text == f"hansroh|{REALM}|7|hansroh"
        assert ask(basic("grete", "1234")).status_code == 200
        for name, password in (("hansroh", "12345"), ("hansroh", hashed), ("nobody", "1234")):
            assert ask(basic(name, password)).status_code == 401


def test_an_unknown_user_takes_as_much_work_as_a_known_one(app, ask, monkeypatch):
    asked = []

    def verify(password, hashed):
        asked.append(hashed.split("$")[2])
        return False

    monkeypatch.setattr("atila_auth.login.passwords.verify_password", verify)
    app.users = {"hansroh": hash_password("1234", cost=5, block=1, parallel=1)}
    ask(basic("hansroh", "x"))
    ask(basic("nobody", "x"))
    assert asked == ["ln=5,r=1,p=1"] * 2


def test_a_function_as_password(app, ask):
    app.users = {"hansroh": (lambda password: password == "1234", True, "info")}
    assert ask(basic("hansroh", "1234")).text == f"hansroh|{REALM}|info|hansroh"
    assert ask(basic("hansroh", "12345")).status_code == 401


def test_users_are_any_object_with_get(app, ask):
    class Users:
        def get(self, username):
            return ("1234", False, len(username)) if username.startswith("h") else None

    app.users = Users()
    assert ask(basic("hi", "1234")).text == f"hi|{REALM}|2|hi"
    assert ask(basic("ho", "x")).status_code == 401
    assert ask(basic("you", "1234")).status_code == 401


@pytest.mark.parametrize("kind", ["def", "async"])
def test_authorization_handler(app, ask, kind):
    async def later(was, username):
        return entry(was, username)

    def entry(was, username):
        assert was.request.method == "GET"
        return ("1234", False) if username == "hansroh" else None

    app.authorization_handler(entry if kind == "def" else later)
    assert ask(basic("hansroh", "1234")).status_code == 200
    assert ask(basic("app", "iamyourpartnerapp")).status_code == 401


def test_a_wrong_entry_is_a_failure_that_shows_nothing(app, ask, caplog):
    app.authorization_handler(lambda was, username: ("secret-word", "no"))
    with caplog.at_level(logging.DEBUG):
        answer = ask(basic("hansroh", "secret-word"))
    assert answer.status_code == 500
    assert "must be a password" in caplog.text
    assert "secret-word" not in caplog.text + answer.text


def test_all_of_an_app_but_what_says_otherwise(app, ask):
    app.authenticate = "basic"
    app.route("/plain")(lambda was: str(was.request.user))
    app.route("/open", authenticate=None)(lambda was: str(was.request.user))
    app.route("/open2", authenticate=False)(lambda was: str(was.request.user))
    app.route("/by-decorator")(app.authorization_required("basic")(lambda was: "in"))
    assert ask(url="/plain").status_code == 401
    assert ask(basic("hansroh", "1234"), "/plain").text == "hansroh"
    assert ask(url="/open").text == ask(url="/open2").text == "None"
    assert ask(url="/by-decorator").status_code == 401
    # The documents of the API read it here.
    schemes = [app.endpoint_of(route).security for route in app.routes]
    assert schemes[-4:] == ["basic", "", "", "basic"]
    # The methods of a path are no secret, and preflights have no credentials.
    assert ask(url="/plain", method="OPTIONS").status_code == 204


def test_static_files_are_open_to_all(app, ask, tmp_path):
    app.authenticate = "basic"
    app.config.STATIC_ROOT = tmp_path
    (tmp_path / "site.css").write_text("a {}")
    app.route("/plain")(lambda was: "in")
    assert ask(url="/plain").status_code == 401
    assert ask(url="/static/site.css").text == "a {}"
    # What there is not is the app's again.
    assert ask(url="/static/none.css").status_code == 404


def test_a_body_is_collected_before_up_to_its_limit(app):
    app.config.MAX_BODY_SIZE = 10
    reached = []

    @app.route("/save", methods=["POST"], authenticate="basic")
    def save(was):
        reached.append(was.request.body)
        return "saved"

    client = app.test_client()
    for size, statuses in ((10, (401, 200)), (11, (413, 413))):
        right = {"Authorization": basic("hansroh", "1234")}
        answers = [client.post("/save", b"x" * size, headers=h) for h in ({}, right)]
        assert tuple(answer.status_code for answer in answers) == statuses
    assert reached == [b"x" * 10]


def test_the_other_spelling_of_the_specification(app, ask):
    app.authorization = "basic"
    app.route("/plain")(lambda was: str(was.request.user))
    assert ask(url="/plain").status_code == 401
    assert ask(basic("hansroh", "1234"), "/plain").text == "hansroh"


def test_authenticated_users_have_permissions_too(app, ask):
    @app.permission_handler
    def permission_handler(was, perms):
        if was.request.user.name not in perms:
            raise was.Error(403)

    @app.route("/admin", authenticate="basic")
    @app.permission_required(["app"])
    def admin(was):
        return "in"

    assert ask(basic("app", "iamyourpartnerapp"), "/admin").text == "in"
    assert ask(basic("hansroh", "1234"), "/admin").status_code == 403
    assert ask(None, "/admin").status_code == 401


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda app: app.__dict__.pop("users"), "nobody can log in"),
        (lambda app: setattr(app, "users", [1]), "nobody can log in"),
        (lambda app: app.users.update(a=("x", "no")), r"app\.users: the entry of a user must be"),
        (lambda app: setattr(app, "realm", "Größe"), "printable ASCII"),
        (lambda app: setattr(app, "realm", "a\r\nb"), "printable ASCII"),
        (lambda app: setattr(app, "authenticate", "Basic"), "one of basic, digest, bearer"),
        (lambda app: setattr(app, "authenticate", ["basic"]), "one of basic, digest, bearer"),
        (
            lambda app: app.route("/x", authenticate="basic")(
                app.authorization_required("digest")(lambda was: "")
            ),
            "more than one way",
        ),
    ],
)
def test_mistakes_fail_at_mount(app, prepare, says):
    app.route("/other")(lambda was: "")
    prepare(app)
    with pytest.raises(SetupError, match=says) as error:
        app.test_client().get("/")
    assert error.value.source.startswith(__file__)


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":")),
    st.text(st.characters(exclude_categories=["Cc", "Cs"])),
)
def test_what_was_sent_is_what_is_read(name, password):
    value = basic(name, password).removeprefix("Basic ")
    assert authorization_header.parse_basic(value) == (name, password)


@given(st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=20)))
def test_parameters_are_read_as_they_were_written(given):
    header = ",".join(f"{name}={authorization_header.quoted(text)}" for name, text in given.items())
    assert authorization_header.parse_parameters(header) == given


@given(st.text(max_size=60))
def test_any_text_is_parameters_or_malformed(text):
    try:
        found = authorization_header.parse_parameters(text)
    except authorization_header.Malformed:
        return
    assert all(isinstance(value, str) for value in found.values())


@pytest.mark.measures
def test_long_headers_are_read_in_linear_time():
    for text in ('a="' + "\\" * 4000, "a=" * 4000, 'a="b",' * 1300 + "x", " " * 8000, "a " * 4000):
        started = time.perf_counter()
        with contextlib.suppress(authorization_header.Malformed):
            authorization_header.parse_parameters(text)
        assert time.perf_counter() - started < 0.5


def test_a_realm_with_quotes(app, ask):
    app.realm = 'a "quoted" \\ realm'
    challenge = ask().headers["www-authenticate"]
    assert challenge == 'Basic realm="a \\"quoted\\" \\\\ realm", charset="UTF-8"'
