"""Whatever is in an Authorization header: never a failure, and never an entrance."""

import base64
import importlib.util
import random
import time
from pathlib import Path

import jwt
import pytest

from atila.testing.client_request import prepared
from atila.testing.waits import PATIENCE

_spec = importlib.util.spec_from_file_location("digests", Path(__file__).with_name("digests.py"))
digests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(digests)

MUTATIONS = 20_000
SEED = 7616
REALM = 'a "quoted" realm'
KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
PIECES = (
    *(
        "",
        " ",
        "\t",
        ",",
        ", ",
        "=",
        '"',
        "\\",
        '\\"',
        "\0",
        "\r\n",
        ":",
        ".",
        "..",
        "\xff",
        "\x80",
    ),
    *(
        "é",
        "%",
        "%00",
        "None",
        "null",
        "0",
        "-1",
        "A" * 300,
        "{}",
        "[]",
        "e30",
        "eyJhbGciOiJub25lIn0",
    ),
    *("Basic ", "Digest ", "Bearer ", "username", "username*=UTF-8''x", "nc=00000001", "qop=auth"),
    *(
        "algorithm=MD5",
        "algorithm=SHA-256",
        "userhash=true",
        "charset",
        "opaque=",
        'uri="*"',
        "stale",
    ),
)


@pytest.fixture
def app(app):
    app.securekey = KEY
    app.realm = REALM
    app.users = {"hansroh": ("1234", False), "app": ("iamyourpartnerapp", 0)}

    @app.permission_handler
    def permission_handler(was, perms):
        claims = was.dejwt()
        if "err" in claims:
            raise was.Error("401 Unauthorized", claims["err"])
        was.request.user = claims["uid"]
        if "staff" in perms:
            raise was.Error("403 Permission Denied")

    def answer(was):
        return str(was.request.user)

    for scheme in ("basic", "digest", "bearer"):
        app.route(f"/{scheme}", authenticate=scheme)(lambda was: answer(was))
    app.route("/login")(app.login_required(lambda was: answer(was)))
    app.route("/staff")(app.permission_required(["staff"])(lambda was: answer(was)))
    app.route("/known")(app.identification_required(lambda was: answer(was)))
    return app


def ask(app, url, header):
    """A request without a change of threads."""
    exchange = prepared("GET", url, headers={"Authorization": header}).exchange()
    was = app.site.open(exchange)
    was.endpoint.run(was)
    return exchange.answers.get(timeout=PATIENCE)


class Mutator:
    """Makes malformed headers of well formed ones; the same ones for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, header, other):
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            header = self.random.choice(
                (self.flip, self.cut, self.insert, self.double, self.swap, self.splice, self.drop)
            )(header, other)
        return header

    def span(self, text):
        at, end = sorted(self.random.randint(0, len(text)) for _ in range(2))
        return at, end

    def flip(self, text, other):
        at = self.random.randrange(len(text) or 1)
        return text[:at] + chr(self.random.randrange(256)) + text[at + 1 :]

    def cut(self, text, other):
        return text[: self.random.randint(0, len(text))]

    def insert(self, text, other):
        at = self.random.randint(0, len(text))
        return text[:at] + self.random.choice(PIECES) + text[at:]

    def double(self, text, other):
        at, end = self.span(text)
        return text[:end] + text[at:end] + text[end:]

    def swap(self, text, other):
        return other

    def splice(self, text, other):
        return (
            text[: self.random.randint(0, len(text))] + other[self.random.randint(0, len(other)) :]
        )

    def drop(self, text, other):
        at, end = self.span(text)
        return text[:at] + text[end:]


class Sources:
    """Well formed headers, with the answers that they get."""

    def __init__(self, app):
        self.app = app
        self.count = 0
        self.token = jwt.encode({"uid": "hansroh", "exp": time.time() + 3600}, KEY)
        self.challenges = digests.challenges(ask(app, "/digest", ""))

    def basic(self):
        return "Basic " + base64.b64encode(b"hansroh:1234").decode()

    def digest(self):
        self.count += 1
        algorithm = ("MD5", "SHA-256")[self.count % 2]
        header = digests.authorization(
            self.challenges[algorithm],
            uri="/digest",
            count=self.count,
            before={"realm": REALM},
        )
        return header.replace(f'realm="{REALM}"', 'realm="a \\"quoted\\" realm"')

    def bearer(self):
        return f"Bearer {self.token}"


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_mutated_headers(app):
    mutate = Mutator(SEED)
    sources = Sources(app)
    kinds = {"/basic": sources.basic, "/digest": sources.digest, "/bearer": sources.bearer}
    urls = {**kinds, "/login": sources.bearer, "/staff": sources.bearer, "/known": sources.bearer}
    for url, make in urls.items():
        expected = {"/staff": 403}.get(url, 200)
        assert ask(app, url, make()).status_code == expected, url
    others = [make() for make in kinds.values()]
    tally = {}
    passed = []
    for number in range(MUTATIONS):
        url, make = mutate.random.choice(tuple(urls.items()))
        right = make()
        other = mutate.random.choice(others)
        header = mutate(right, other)
        answer = ask(app, url, header)
        tally[answer.status_code] = tally.get(answer.status_code, 0) + 1
        if url == "/known":
            assert answer.status_code == 200
            assert answer.text == "None" or is_harmless("/bearer", header), header
        elif answer.status_code == 200:
            passed.append((url, header, right, other))
        else:
            assert answer.status_code in (400, 401, 403), (number, url, header, answer.text)
    assert sum(tally.values()) == MUTATIONS
    for url, header, right, other in passed:
        assert is_harmless(url, header), (url, header, right, other)
    assert tally[401] > MUTATIONS / 2


def is_harmless(url, header):
    """Whether what was let in says just what who has the password would have said."""
    _, _, value = header.strip(" \t").partition(" ")
    value = value.strip(" \t")
    match url:
        case "/basic":
            return base64.b64decode(value) in (b"hansroh:1234", b"app:iamyourpartnerapp")
        case "/bearer" | "/login":
            return jwt.decode(value, KEY, ["HS256"])["uid"] == "hansroh"
        case "/digest":
            return is_right(value)
    return False


def is_right(value):
    """A digest by the rules of RFC 7616, read by another parser."""
    from urllib.request import parse_http_list, parse_keqv_list

    pairs = [item for item in parse_http_list(value) if "=" in item]
    given = {name.strip().lower(): text for name, text in parse_keqv_list(pairs).items()}
    algorithm = given.get("algorithm", "MD5").upper()

    def h(text):
        return digests.HASHES[algorithm](text.encode()).hexdigest()

    parts = [given[name] for name in ("nonce", "nc", "cnonce", "qop")]
    expected = h(":".join([h(f"hansroh:{REALM}:1234"), *parts, h(f"GET:{given['uri']}")]))
    return given["response"] == expected and given["uri"] == "/digest"
