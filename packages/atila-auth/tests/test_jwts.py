"""JSON Web Tokens, and bearer authentication with them or without."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from atila import SetupError
from atila_auth.tokens.jwt_signer import ERRORS, Claims, MissingClaim

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
OTHER = "another-key-of-somebody-else-0123456789"


def pem_pair(private):
    pem = serialization.Encoding.PEM
    return (
        private.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private.public_key()
        .public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


RSA = pem_pair(rsa.generate_private_key(65537, 2048))
EC = pem_pair(ec.generate_private_key(ec.SECP256R1()))
ED = pem_pair(ed25519.Ed25519PrivateKey.generate())


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(header, payload, key):
    """A token made by hand, with whatever header."""
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


@pytest.fixture
def app(app):
    app.securekey = KEY

    @app.route("/make_jwt")
    def make_jwt(was):
        return was.encode_jwt({"iss": "example.com", "exp": time.time() + 3600})

    @app.route("/verify_token")
    def verify_jwt(was):
        claims = was.request.JWT
        assert was.request.JWT is claims
        assert was.dejwt() is claims
        if "err" in claims:
            return claims["err"]
        return ",".join(claims)

    @app.route("/api/v1/predict")
    @app.authorization_required("bearer")
    def predict(was):
        return json.dumps(was.request.user)

    return app


@pytest.fixture
def ask(app):
    client = app.test_client()

    def ask(token=None, url="/verify_token", header=None):
        header = f"Bearer {token}" if token is not None else header
        return client.get(url, headers={"Authorization": header} if header is not None else {})

    return ask


def test_the_example_of_the_specification(ask):
    token = ask(url="/make_jwt").text
    assert ask(token).text == "iss,exp"
    assert ask().text == "no token"
    # Others who have the key can read and make them.
    assert jwt.decode(token, KEY, ["HS256"])["iss"] == "example.com"
    assert ask(jwt.encode({"a": 1}, KEY, "HS256")).text == "a"


def test_bearer_sets_the_claims_as_user(ask):
    token = ask(url="/make_jwt").text
    answer = ask(token, "/api/v1/predict")
    assert answer.json()["iss"] == "example.com"
    refused = ask(url="/api/v1/predict")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="App"'


def later(seconds):
    return time.time() + seconds


@pytest.mark.parametrize(
    ("err", "token"),
    [
        ("token expired", lambda: jwt.encode({"exp": later(-1)}, KEY)),
        ("token expired", lambda: jwt.encode({"exp": 0}, KEY)),
        ("token not valid yet", lambda: jwt.encode({"nbf": later(60)}, KEY)),
        ("token not valid yet", lambda: jwt.encode({"iat": later(60)}, KEY)),
        ("wrong signature", lambda: jwt.encode({"a": 1}, OTHER)),
        ("wrong signature", lambda: jwt.encode({"a": 1}, KEY)[:-4] + "AAAA"),
        ("wrong audience", lambda: jwt.encode({"aud": "elsewhere"}, KEY)),
        ("algorithm not allowed", lambda: jwt.encode({"a": 1}, KEY, "HS512")),
        ("algorithm not allowed", lambda: jwt.encode({"a": 1}, None, "none")),
        ("algorithm not allowed", lambda: jwt.encode({"a": 1}, RSA[0], "RS256")),
        ("algorithm not allowed", lambda: hs256({"alg": "None"}, {"a": 1}, KEY)),
        ("algorithm not allowed", lambda: hs256({"alg": "nOnE"}, {"a": 1}, "x")),
        ("algorithm not allowed", lambda: hs256({"alg": "hs256"}, {"a": 1}, KEY)),
        ("algorithm not allowed", lambda: hs256({"alg": ["HS256"]}, {"a": 1}, KEY)),
        ("algorithm not allowed", lambda: hs256({"alg": {}}, {"a": 1}, KEY)),
        ("algorithm not allowed", lambda: hs256({}, {"a": 1}, KEY)),
        ("malformed token", lambda: hs256([], {"a": 1}, KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, ["a"], KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, b"\xff", KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, b"[" * 3000, KEY)),
        ("malformed token", lambda: hs256(b"[" * 3000, {"a": 1}, KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, {"exp": "soon"}, KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, {"exp": []}, KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, b'{"exp": 1e999}', KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, b'{"exp": NaN}', KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256", "crit": ["x"]}, {"a": 1}, KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256", "kid": 7}, {"a": 1}, KEY)),
        ("malformed token", lambda: hs256({"alg": "HS256"}, {"err": "mine", "sub": "x"}, KEY)),
        ("malformed token", lambda: "a.b"),
        ("malformed token", lambda: "..."),
        ("malformed token", lambda: "x" * 9000),
        ("no token", lambda: ""),
    ],
)
def test_tokens_that_are_refused(ask, err, token):
    token = token()
    assert ask(token).text == err
    assert err in ERRORS
    answer = ask(token, "/api/v1/predict")
    assert answer.status_code == 401
    if token:
        assert ', error="invalid_' in answer.headers["www-authenticate"]
    assert KEY not in answer.text + str(answer.headers)


def test_a_signature_cut_short_by_any_length(ask):
    token = ask(url="/make_jwt").text
    for end in range(len(token)):
        assert ask(token[:end], "/api/v1/predict").status_code == 401
    assert ask(token, "/api/v1/predict").status_code == 200


def test_parts_of_two_tokens(ask):
    mine, yours = (jwt.encode({"sub": name}, KEY).split(".") for name in ("hans", "grete"))
    assert ask(".".join([mine[0], yours[1], mine[2]])).text == "wrong signature"
    assert ask(".".join([mine[0], mine[1], yours[2]])).text == "wrong signature"
    assert ask(".".join(mine)).text == "sub"


@pytest.mark.parametrize(
    ("algorithm", "pair"),
    [("RS256", RSA), ("PS512", RSA), ("ES256", EC), ("EdDSA", ED)],
)
def test_algorithms_with_two_keys(app, ask, algorithm, pair):
    private, public = pair
    app.config.update(JWT_ALGORITHM=algorithm, JWT_KEY=private, JWT_PUBLIC_KEY=public)
    assert ask(ask(url="/make_jwt").text).text == "iss,exp"
    assert ask(jwt.encode({"a": 1}, private, algorithm)).text == "a"
    # Key confusion: the public key is known to all, so it must never be a secret of HMAC.
    for key in (public, public.strip(), public.encode()):
        key = key.decode() if isinstance(key, bytes) else key
        assert ask(hs256({"alg": "HS256"}, {"a": 1}, key)).text == "algorithm not allowed"
        assert ask(hs256({"alg": algorithm}, {"a": 1}, key)).text == "wrong signature"
    assert ask(jwt.encode({"a": 1}, KEY)).text == "algorithm not allowed"
    assert ask(jwt.encode({"a": 1}, None, "none")).text == "algorithm not allowed"
    stranger = pem_pair(rsa.generate_private_key(65537, 2048))[0]
    if pair is RSA:
        assert ask(jwt.encode({"a": 1}, stranger, algorithm)).text == "wrong signature"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_algorithms_with_one_secret(app, ask, algorithm):
    app.config.update(JWT_ALGORITHM=algorithm, JWT_KEY=[OTHER, KEY])
    token = ask(url="/make_jwt").text
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert ask(token).text == "iss,exp"
    assert jwt.decode(token, OTHER, [algorithm])
    assert ask(jwt.encode({"a": 1}, KEY, algorithm)).text == "a"
    for other in {"HS256", "HS384", "HS512"} - {algorithm}:
        assert ask(jwt.encode({"a": 1}, OTHER, other)).text == "algorithm not allowed"


def test_tokens_that_are_only_read_here(app, ask):
    app.config.update(JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=[EC[1], RSA[1]])
    with pytest.raises(SetupError, match="no key for RS256"):
        ask("x")
    app.config.update(JWT_PUBLIC_KEY=[pem_pair(rsa.generate_private_key(65537, 2048))[1], RSA[1]])
    assert ask(jwt.encode({"a": 1}, RSA[0], "RS256")).text == "a"
    assert ask(url="/make_jwt").status_code == 500


def test_old_keys_are_accepted_but_not_used(app, ask):
    app.securekey = [KEY, OTHER]
    assert ask(jwt.encode({"a": 1}, OTHER)).text == "a"
    assert ask(jwt.encode({"a": 1, "exp": 0}, OTHER)).text == "token expired"
    token = ask(url="/make_jwt").text
    assert jwt.decode(token, KEY, ["HS256"])
    app.config.JWT_KEY = OTHER
    assert ask(token).text == "wrong signature"


def test_leeway_issuer_audience_and_required_claims(app, ask):
    app.config.update(
        JWT_LEEWAY=30, JWT_ISSUER="example.com", JWT_AUDIENCE="shop", JWT_REQUIRED=["exp"]
    )
    right = {"iss": "example.com", "aud": ["shop", "x"], "exp": later(-20), "nbf": later(20)}

    def err(**changes):
        claims = {k: v for k, v in {**right, **changes}.items() if v is not None}
        return ask(jwt.encode(claims, KEY)).text

    assert err() == "iss,aud,exp,nbf"
    assert err(exp=later(-40)) == "token expired"
    assert err(nbf=later(40)) == "token not valid yet"
    assert err(iss="elsewhere") == "wrong issuer"
    assert err(aud="elsewhere") == "wrong audience"
    assert err(exp=None) == err(iss=None) == err(aud=None) == "claim missing"
    # Those made here say by themselves whom they are of and for.
    assert ask(ask(url="/make_jwt").text).text == "iss,aud,exp"


def test_times_may_be_datetimes(app, ask):
    app.route("/t")(lambda was: was.encode_jwt({"exp": datetime.now(UTC) + timedelta(hours=1)}))
    assert ask(ask(url="/t").text).text == "exp"


def test_decode_jwt_of_any_text(app, ask):
    @app.route("/decode")
    def decode(was, token=None):
        claims = was.decode_jwt(token)
        assert was.dejwt(token) == claims
        return json.dumps(claims)

    assert ask(url=f"/decode?token={jwt.encode({'a': 1}, KEY)}").json() == {"a": 1}
    assert ask(url="/decode?token=x").json() == {"err": "malformed token"}
    assert ask(url="/decode?token=").json() == {"err": "no token"}
    assert ask(url="/decode?token=a&token=b").json() == {"err": "no token"}
    # That of the header is another one, which who asks for a token in the query must not get.
    assert ask(jwt.encode({"b": 1}, KEY), "/decode").json() == {"err": "no token"}


def test_a_handler_that_reads_a_claim_that_is_missing(app, ask):
    app.route("/mine", authenticate="bearer")(lambda was: was.request.user["uid"])
    assert ask(jwt.encode({"uid": "hans"}, KEY), "/mine").text == "hans"
    assert ask(jwt.encode({"aim": "password reset"}, KEY), "/mine").status_code == 401


def test_a_claim_that_is_missing_is_the_fault_of_the_token():
    with pytest.raises(MissingClaim) as error:
        Claims(a=1)["uid"]
    assert error.value.code == 401
    assert isinstance(error.value, KeyError)
    with pytest.raises(MissingClaim, match="token expired"):
        Claims(err="token expired")["uid"]
    assert Claims(a=1).get("uid") is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,b",
        "Bearer ä",
        'Bearer "x"',
        "Bearer " + "x" * 10_000,
        "Basic aGFuc3JvaDoxMjM0",
        "Token x",
        "Bearer: x",
        "\xff",
    ],
)
def test_malformed_headers(ask, header):
    answer = ask(header=header, url="/api/v1/predict")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert ask(header=header).text in ("no token", "malformed token")


# Own handlers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async"])
def test_bearer_handler(app, ask, kind):
    def handle(was, token):
        claims = {"good": {"name": "hans"}, "nobody": None}.get(token, {"err": 'a "bad" töken'})
        if claims is not None and "err" in claims:
            raise was.Error("401 Unauthorized", claims["err"])
        was.request.user = claims

    async def handle_later(was, token):
        handle(was, token)

    app.bearer_handler(handle if kind == "def" else handle_later)
    assert ask("good", "/api/v1/predict").json() == {"name": "hans"}
    assert ask("nobody", "/api/v1/predict").status_code == 401
    refused = ask("x", "/api/v1/predict")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == (
        'Bearer realm="App", error="invalid_token", error_description="a  bad  t ken"'
    )
    assert ask(header="Bearer a b", url="/api/v1/predict").status_code == 401


def test_a_bearer_handler_needs_no_key(broken_app):
    app = broken_app
    app.bearer_handler(lambda was, token: True)
    app.route("/", authenticate="bearer")(lambda was: json.dumps(was.request.user))
    answer = app.test_client().get("/", headers={"Authorization": "Bearer x"})
    app.site.shutdown(5)
    assert answer.text == "null"


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda app: app.__dict__.pop("securekey"), "securekey"),
        (lambda app: app.config.update(JWT_KEY="short"), "JWT_KEY"),
        (lambda app: app.config.update(JWT_ALGORITHM="none"), "must be one of .HS256"),
        (lambda app: app.config.update(JWT_ALGORITHM=None), "must be one of .HS256"),
        (lambda app: app.config.update(JWT_ALGORITHM=["HS256", "RS256"]), "must be one of .HS256"),
        (lambda app: app.config.update(JWT_ALGORITHM="RS256"), "JWT_PUBLIC_KEY"),
        (
            lambda app: app.config.update(JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=RSA[0]),
            "private key in it",
        ),
        (
            lambda app: app.config.update(
                JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=RSA[1], JWT_KEY=RSA[1]
            ),
            "cannot sign",
        ),
        (
            lambda app: app.config.update(JWT_ALGORITHM="ES256", JWT_PUBLIC_KEY=RSA[1]),
            "no key for ES256",
        ),
        # A public key in the place of a secret.
        (lambda app: app.config.update(JWT_KEY=RSA[1]), "no key for HS256"),
        (lambda app: app.config.update(JWT_LEEWAY=-1), "seconds"),
        (lambda app: app.config.update(JWT_LEEWAY="1"), "seconds"),
        (lambda app: app.config.update(JWT_REQUIRED="exp"), "must be a list"),
    ],
)
def test_mistakes_fail_at_mount_and_show_no_key(app, prepare, says):
    prepare(app)
    with pytest.raises(SetupError, match=says) as error:
        app.test_client().get("/")
    assert error.value.source.startswith(__file__)
    assert "PRIVATE KEY-----" not in str(error.value)
    assert "short" not in str(error.value).replace("too short", "")


def test_keys_are_in_no_repr(app):
    from atila_auth.tokens.jwt_keys import signer_of

    assert KEY not in repr(signer_of(app))
