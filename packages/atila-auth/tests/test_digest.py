"""Digest authentication (RFC 7616)."""

import importlib.util
import logging
from pathlib import Path
from urllib.parse import quote

import hypothesis
import pytest
from hypothesis import strategies as st

from atila import SetupError
from atila.testing.client_request import prepared
from atila_auth import a1, hash_password
from atila_auth.login import digest, digest_response, nonces
from atila_auth.login.users import HASHES

# Test modules are imported one by one here, so what they share is not beside them on the path.
_spec = importlib.util.spec_from_file_location("digests", Path(__file__).with_name("digests.py"))
digests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(digests)
authorization, challenges = digests.authorization, digests.challenges

REALM = "Partner App Area of mysite.com"


@pytest.fixture
def app(app):
    app.realm = REALM
    app.users = {"hansroh": ("1234", False), "app": ("iamyourpartnerapp", 0, {"role": "root"})}

    @app.route("/hello/<name>", authenticate="digest")
    @app.route("/", authenticate="digest", methods=["GET", "POST"])
    def hello(was, name="Hans Roh", q=""):
        user = was.request.user
        return f"Hello, {user.name} {user.realm} {user.info}"

    return app


@pytest.fixture
def ask(app):
    client = app.test_client()

    def ask(header=None, url="/", method="GET"):
        headers = {} if header is None else {"Authorization": header}
        return client.request(method, url, headers=headers)

    return ask


@pytest.fixture
def challenge(ask):
    """A fresh challenge by SHA-256."""
    return challenges(ask())["SHA-256"]


def test_the_example_of_the_standard():
    # RFC 7616, section 3.9.1.
    value = (
        'username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",'
        ' algorithm={}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,'
        ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{}",'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        given = digest_response.parse(value.format(algorithm, response), "http-auth@example.org")
        secret = a1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
        assert given.is_right(secret, "GET")
        assert not given.is_right(secret, "POST")
        assert not given.is_right(secret[::-1], "GET")


def test_the_challenges(ask):
    answer = ask()
    assert answer.status_code == 401
    found = challenges(answer)
    assert list(found) == ["SHA-256", "MD5"]
    for given in found.values():
        assert given["qop"] == "auth"
        assert given["realm"] == REALM
        assert "stale" not in given
    assert found["MD5"]["nonce"] == found["SHA-256"]["nonce"]
    assert challenges(ask())["MD5"]["nonce"] != found["MD5"]["nonce"]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_who_logs_in(ask, algorithm):
    given = challenges(ask())[algorithm]
    assert ask(authorization(given)).text == f"Hello, hansroh {REALM} None"
    header = authorization(given, "app", "iamyourpartnerapp", count=2)
    assert ask(header).text == f"Hello, app {REALM} {{'role': 'root'}}"


def test_who_does_not(ask, challenge):
    for name, password in (
        ("hansroh", "12345"),
        ("hansroh", ""),
        ("", "1234"),
        ("app", "1234"),
        ("nobody", "1234"),
    ):
        answer = ask(authorization(challenge, name, password))
        assert answer.status_code == 401
        assert all("stale" not in given for given in challenges(answer).values())


def test_the_method_and_the_target_are_part_of_it(ask, challenge):
    assert ask(authorization(challenge, method="POST"), method="POST").status_code == 200
    assert ask(authorization(challenge, count=2), method="POST").status_code == 401
    right = authorization(challenge, uri="/hello/x?q=a%20b", count=3)
    assert ask(right, "/hello/y?q=a%20b").status_code == 400
    assert ask(right, "/hello/x?q=a%20c").status_code == 400
    assert ask(right, "/hello/x").status_code == 400
    assert ask(right, "/hello/x?q=a%20b").status_code == 200
    absolute = authorization(challenge, uri="http://testserver/hello/x?q=1", count=4)
    assert ask(absolute, "/hello/x?q=1").status_code == 200
    # Nobody may change what was signed.
    forged = authorization(challenge, uri="/hello/x", count=5, before={}).replace(
        'uri="/hello/x"', 'uri="/hello/y"'
    )
    assert ask(forged, "/hello/y").status_code == 401


@hypothesis.given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
)
def test_any_target_is_its_own(path, query):
    target = "/" + quote(path, safe="/") + "?" + quote(query, safe="=&+?/")
    exchange = prepared("GET", f"http://host{target}").exchange()
    assert digest_response.is_for(target, exchange)
    assert digest_response.is_for(f"http://host{target}", exchange)
    for other in (target + "x", "/x" + target, target.replace("?", "/?", 1), "", "*", "host"):
        assert not digest_response.is_for(other, exchange)


def test_each_count_of_a_nonce_is_good_once_in_any_order(ask, challenge):
    for count in (1, 3, 2, 0xFFFFFFFF):
        header = authorization(challenge, count=count)
        assert ask(header).status_code == 200
        again = ask(header)
        assert again.status_code == 401
        assert all(given["stale"] == "true" for given in challenges(again).values())
    assert ask(authorization(challenge, "app", "iamyourpartnerapp", count=1)).status_code == 401
    assert ask(authorization(challenge, count=4, cnonce="x" * 8)).status_code == 401


def test_counts_are_seen_by_all_workers(ask, challenge, app):
    header = authorization(challenge)
    assert ask(header).status_code == 200
    shared = app.site.shared
    assert shared.get(nonces.SPACE, f"{challenge['nonce']} 00000001") == b"1"
    # Used by another worker.
    assert shared.add(nonces.SPACE, f"{challenge['nonce']} 00000002", b"1", 60)
    assert ask(authorization(challenge, count=2)).status_code == 401


def test_who_knows_no_password_leaves_nothing_behind(ask, challenge, app):
    before = set(app.site.shared.names(nonces.SPACE))
    for count in range(1, 20):
        ask(authorization(challenge, password="wrong", count=count))
        ask(authorization(challenge, "nobody", count=count))
    assert set(app.site.shared.names(nonces.SPACE)) == before == {"key"}


def test_a_nonce_ends(ask, challenge, app, monkeypatch):
    header = authorization(challenge)
    wrong = authorization(challenge, password="wrong")
    now = nonces.time.time()
    monkeypatch.setattr(nonces.time, "time", lambda: now + app.config.DIGEST_NONCE_SECONDS + 1)
    answer = ask(header)
    assert answer.status_code == 401
    assert all(given["stale"] == "true" for given in challenges(answer).values())
    # Who had the password wrong has to be asked for it again.
    assert all("stale" not in given for given in challenges(ask(wrong)).values())
    fresh = challenges(answer)["MD5"]
    assert ask(authorization(fresh)).status_code == 200


def foreign(monkeypatch, scope="elsewhere"):
    from atila.runtime.shared import LocalShared

    return nonces.Nonces(scope, 300).new(LocalShared())


def tampered(text):
    return text[:-1] + ("A" if text[-1] != "A" else "B")


@pytest.mark.parametrize(
    "which", ["foreign", "nonce", "opaque", "swapped", "short", "zero", "made-up"]
)
def test_nonces_that_are_not_ours(ask, challenge, which, monkeypatch):
    other = challenges(ask())["SHA-256"]
    nonce, opaque = foreign(monkeypatch)
    changed = {
        "foreign": {"nonce": nonce, "opaque": opaque},
        "nonce": {"nonce": tampered(challenge["nonce"])},
        "opaque": {"opaque": tampered(challenge["opaque"])},
        "swapped": {"opaque": other["opaque"]},
        "short": {"nonce": challenge["nonce"][:-2]},
        "zero": {"nonce": "A" * 43},
        "made-up": {"nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"},
    }[which]
    answer = ask(authorization({**challenge, **changed}))
    # The password is right, so that a browser need not ask for it again.
    assert answer.status_code == 401
    assert all(given["stale"] == "true" for given in challenges(answer).values())


def test_nonces_of_another_realm(app, ask, challenge):
    """Of the same host, with the same key."""
    nonce, opaque = nonces.Nonces("elsewhere", 300).new(app.site.shared)
    header = authorization({**challenge, "nonce": nonce, "opaque": opaque})
    assert ask(header).status_code == 401


def test_each_nonce_has_one_spelling(app, ask, challenge):
    shared = app.site.shared
    own = digest.compiled(app, REALM, "")._nonces
    assert own.is_ours(shared, challenge["nonce"], challenge["opaque"])
    for spelling in (
        challenge["nonce"] + "=",
        challenge["nonce"] + " ",
        " " + challenge["nonce"],
        tampered(challenge["nonce"]),
        challenge["nonce"].replace("-", "+").replace("_", "/") + "é",
    ):
        assert not own.is_ours(shared, spelling, challenge["opaque"])


@pytest.mark.parametrize(
    "changes",
    [
        {"qop": None},
        {"qop": "auth-int"},
        {"nc": None},
        {"nc": "1"},
        {"nc": "00000000"},
        {"nc": "0000000g"},
        {"nc": "0000000A"},
        {"nc": "000000001"},
        {"nc": "-0000001"},
        {"cnonce": None},
        {"cnonce": ""},
        {"cnonce": "x" * 300},
        {"nonce": None},
        {"opaque": None},
        {"uri": None},
        {"response": None},
        {"response": ""},
        {"response": "0" * 64},
        {"response": "ä" * 64},
        {"realm": "elsewhere"},
        {"username": None},
        {"username*": "UTF-8''hansroh"},
        {"algorithm": "MD5-sess"},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "none"},
        {"algorithm": "MD5"},
        {"algorithm": None},
        {"userhash": "true"},
    ],
)
def test_what_is_missing_or_wrong(ask, challenge, changes):
    answer = ask(authorization(challenge, **changes))
    assert answer.status_code == 401
    assert challenges(answer)


@pytest.mark.parametrize(
    "header",
    [
        "Digest",
        "Digest ",
        "Digest x",
        "Digest =,",
        'Digest username="hansroh',
        'Digest username="hansroh\\"',
        "Digest " + "a=b, " * 1600,
        "Digest " + "a" * 10_000,
        'Digest username="' + "\\" * 8000,
        "Basic aGFuc3JvaDoxMjM0",
        "Digest \xff=\xff",
    ],
)
def test_malformed_credentials(ask, header):
    answer = ask(header)
    assert answer.status_code == 401
    assert challenges(answer)


def test_a_parameter_twice(ask, challenge):
    for extra in (', username="app"', ", nc=00000002", ', uri="/other"'):
        assert ask(authorization(challenge) + extra).status_code == 401


def test_names_of_any_script(app, ask):
    app.users = {"Jäsøn Doe": "1234", 'a"b\\c': "1234"}
    given = challenges(ask())["SHA-256"]
    header = authorization(given, "Jäsøn Doe")
    latin = header.encode().decode("latin-1")
    assert ask(latin).text.startswith("Hello, Jäsøn Doe")
    extended = authorization(
        given, "Jäsøn Doe", count=2, username=None, **{"username*": "UTF-8''J%C3%A4s%C3%B8n%20Doe"}
    )
    assert ask(extended.replace('="UTF', "=UTF").replace('Doe"', "Doe")).status_code == 200
    quoted = authorization(given, 'a"b\\c', count=3, username='a\\"b\\\\c')
    assert ask(quoted).text.startswith('Hello, a"b\\c')
    for wrong in ("UTF-8''%FF", "latin-1''x", "UTF-8'x", "x"):
        header = authorization(given, "x", count=4, username=None, **{"username*": wrong})
        assert ask(header).status_code == 401


@pytest.mark.parametrize("algorithm", list(HASHES))
def test_hashed_passwords_of_users(app, ask, algorithm):
    app.users = {"hansroh": (a1("hansroh", REALM, "1234", algorithm), True, 7)}
    given = challenges(ask())
    assert list(given) == [algorithm]
    assert ask(authorization(given[algorithm])).text == f"Hello, hansroh {REALM} 7"
    hashed = app.users["hansroh"][0]
    assert ask(authorization(given[algorithm], password=hashed, count=2)).status_code == 401
    # Who knows the hash needs no password: it is as good as one.
    assert ask(authorization(given[algorithm], secret=hashed, count=3)).status_code == 200


def test_hashed_passwords_of_a_handler_are_learned_of(app, ask, caplog):
    @app.authorization_handler
    def auth_handler(was, username):
        return (a1(username, REALM, "1234"), True) if username == "hansroh" else None

    given = challenges(ask())
    assert list(given) == ["SHA-256", "MD5"]
    assert ask(authorization(given["MD5"])).status_code == 200
    with caplog.at_level(logging.WARNING):
        answer = ask(authorization(given["SHA-256"], count=2))
    assert answer.status_code == 401
    assert list(challenges(answer)) == ["MD5"]
    assert "app.digest_algorithms = ['MD5']" in caplog.text
    # From now on for everybody, so that it does not tell who is a user.
    assert list(challenges(ask())) == ["MD5"]


def test_chosen_algorithms(app, ask):
    app.digest_algorithms = ["SHA-256"]
    given = challenges(ask())["SHA-256"]
    assert list(challenges(ask())) == ["SHA-256"]
    assert ask(authorization(given)).status_code == 200
    # What is not offered is not taken.
    assert ask(authorization({**given, "algorithm": "MD5"}, count=2)).status_code == 401


def test_two_routes_share_their_nonces(ask, challenge):
    assert ask(authorization(challenge)).status_code == 200
    header = authorization(challenge, uri="/hello/x")
    assert ask(header, "/hello/x").status_code == 401
    header = authorization(challenge, uri="/hello/x", count=2)
    assert ask(header, "/hello/x").status_code == 200


def test_a_request_that_is_piped_is_not_a_replay(app, ask, challenge):
    app.route("/outer", authenticate="digest")(lambda was: was.pipe("hello"))
    assert ask(authorization(challenge, uri="/outer"), "/outer").status_code == 200
    assert ask(authorization(challenge, uri="/outer"), "/outer").status_code == 401


def test_each_request_logs_in_by_itself(ask, challenge):
    assert ask(authorization(challenge)).status_code == 200
    assert ask().status_code == 401


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda app: app.__dict__.pop("users"), "nobody can log in"),
        (lambda app: setattr(app, "digest_algorithms", ["SHA-1"]), "list of SHA-256, MD5"),
        (lambda app: setattr(app, "digest_algorithms", "MD5"), "list of SHA-256, MD5"),
        (lambda app: setattr(app, "digest_algorithms", []), "list of SHA-256, MD5"),
        (lambda app: setattr(app, "digest_algorithms", [["MD5"]]), "list of SHA-256, MD5"),
        (lambda app: app.config.update(DIGEST_NONCE_SECONDS=0), "a number of seconds above 0"),
        (
            lambda app: app.users.update(a=("0" * 32, True), b=("0" * 64, True)),
            "partly by MD5 and partly by SHA-256",
        ),
        (lambda app: app.users.update(a=("x", True)), r"app\.users: an encrypted password"),
        (lambda app: app.users.update(a=7), r"app\.users: the entry of a user must be"),
        (lambda app: app.users.update(a=(len, True)), r"app\.users: digest authentication needs"),
        (lambda app: app.users.update(a="$scrypt$"), r"app\.users: digest authentication needs"),
    ],
)
def test_mistakes_fail_at_mount(app, prepare, says):
    prepare(app)
    with pytest.raises(SetupError, match=says) as error:
        app.test_client().get("/")
    assert error.value.source.startswith(__file__)


def test_a_password_that_digest_can_do_nothing_with(app, ask, challenge, caplog):
    app.users["hansroh"] = hash_password("1234", cost=4, block=1, parallel=1)
    app.users["grete"] = (lambda password: True, True)
    # As for a user that there is not.
    for _ in range(2):
        answer = ask(authorization(challenge))
        assert answer.status_code == ask(authorization(challenge, "grete")).status_code == 401
        assert "stale" not in challenges(answer)["MD5"]
    assert caplog.text.count("allows basic authentication only") == 1
    assert app.users["hansroh"] not in caplog.text
