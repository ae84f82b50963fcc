"""Sealing: what is opened is what was sealed, with the same key, for the same purpose."""

import ast
import base64
import json
import random
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

import atila_auth
from atila import SetupError
from atila_auth.sealing import keys
from atila_auth.sealing.seal import LONGEST, Sealer, length_of, sealer

KEY, OTHER = "ds8fdsflksdjf9879dsf;?<>Asda", "another secret of sixteen or more"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def mutations(text, count, seed=20_260_101):
    """A text changed in many ways: a bit, a character, cut, longer, turned, spliced, of bytes."""
    rng = random.Random(seed)
    for _ in range(count):
        at, kind = rng.randrange(len(text)), rng.randrange(8)
        if kind == 0:
            changed = text[:at] + chr(ord(text[at]) ^ 1 << rng.randrange(7)) + text[at + 1 :]
        elif kind == 1:
            changed = text[:at] + rng.choice(ALPHABET) + text[at + 1 :]
        elif kind == 2:
            changed = text[:at]
        elif kind == 3:
            changed = text[:at] + "".join(rng.choices(ALPHABET, k=rng.randrange(1, 40))) + text[at:]
        elif kind == 4:
            changed = text[at:] + text[:at]
        elif kind == 5:
            changed = text[:at] + rng.choice('\0\n %=+/."é\U0001f600') + text[at:]
        elif kind == 6:
            raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
            changed = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        else:
            changed = "".join(rng.choices(ALPHABET, k=rng.randrange(200)))
        if changed != text:
            yield changed


@given(values, st.text(max_size=20))
def test_what_is_sealed_is_opened(value, context):
    box = sealer((KEY,), "test")
    text = box.seal(value, context)
    assert box.open(text, context) == value
    assert set(text) <= set(ALPHABET)
    assert box.open(text, context + "x") is None


@pytest.mark.parametrize("purpose", ["session", "mbox", "csrf", "csrf-token", "ott"])
def test_it_is_the_cipher_of_the_standards(purpose):
    """Opened with the cryptography library alone: AES-256-GCM-SIV under a key of HKDF-SHA256."""
    key = HKDF(SHA256(), 32, salt=None, info=f"atila-auth 1 {purpose}".encode()).derive(
        KEY.encode()
    )
    value = {"user": "hans", "again": "hans" * 200}
    raw = base64.urlsafe_b64decode((text := sealer((KEY,), purpose).seal(value, "name")) + "===")
    version, nonce, sealed = raw[:1], raw[1:13], raw[13:]
    content = AESGCMSIV(key).decrypt(nonce, sealed, version + b"name")
    # As it is, not compressed.
    assert json.loads(content) == value
    assert content == json.dumps(value, separators=(",", ":")).encode()
    assert b"hans" not in raw
    assert "hans" not in text


def test_each_seal_differs():
    box = sealer((KEY,), "test")
    assert len({box.seal("same") for _ in range(1000)}) == 1000


@pytest.mark.parametrize("size", [0, 1, 2, 3, 500])
def test_length_is_known_before(size):
    box = sealer((KEY,), "test")
    length = len(box.seal("x" * size))
    assert length <= length_of(size + 2) <= length + 1


def test_purposes_and_keys_are_apart():
    text = sealer((KEY,), "session").seal("secret", "name")
    assert sealer((KEY,), "mbox").open(text, "name") is None
    assert sealer((OTHER,), "session").open(text, "name") is None
    assert sealer((KEY,), "session").open(text, "name") == "secret"
    assert keys.derive(KEY, "session") != keys.derive(KEY, "mbox") != keys.derive(OTHER, "mbox")


def test_rotation_of_keys():
    old = sealer((KEY,), "session").seal("since before")
    both = sealer((OTHER, KEY), "session")
    assert both.open(old) == "since before"
    # What is sealed now needs the old key no more.
    assert sealer((OTHER,), "session").open(both.seal("new")) == "new"
    assert sealer((OTHER,), "session").open(old) is None


def test_no_mutation_is_opened():
    box = sealer((OTHER, KEY), "session")
    text = box.seal({"user_id": "hansroh", "roles": ["a", "b"]}, "context")
    tried = 0
    for changed in mutations(text, 20_000):
        assert box.open(changed, "context") is None
        tried += 1
    assert tried > 19_000
    assert box.open(text, "context") is not None


@pytest.mark.parametrize(
    "junk", [None, "", 0, b"AAAA", ["a"], "A", "AA", "A" * LONGEST, "A" * (LONGEST + 1), "ü", "\0"]
)
def test_junk(junk):
    assert sealer((KEY,), "session").open(junk) is None


def test_a_second_spelling_is_refused():
    # The last character of 22 has two bits to spare, which a lenient decoder would ignore.
    box = sealer((KEY,), "test")
    for value in ("", "a", "ab"):
        text = box.seal(value)
        for last in ALPHABET:
            if last != text[-1]:
                assert box.open(text[:-1] + last) is None
        assert box.open(text + "=") is None


LONG = pytest.param(10**5000, id="long")


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": b"b"}, {1, 2}, LONG])
def test_what_json_has_no_type_for(value):
    with pytest.raises(TypeError):
        sealer((KEY,), "test").seal(value)


def test_from_many_threads():
    box, failures = Sealer((KEY,), "test"), []

    def work(number):
        for each in range(500):
            if box.open(box.seal([number, each])) != [number, each]:
                failures.append((number, each))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("securekey", "told"),
    [
        ("short", "5 characters"),
        (["x" * 32, "old"], "3 characters"),
        ([], "list"),
        (17, "int"),
        (["x" * 32, None], "NoneType"),
        (b"x" * 32, "bytes"),
    ],
)
def test_a_bad_secret_is_told_when_the_app_is_mounted(broken_app, securekey, told):
    broken_app.securekey = securekey
    broken_app.route("/")(lambda was: "")
    with pytest.raises(SetupError, match=told) as error:
        _ = broken_app.site
    assert "secrets.token_urlsafe" in str(error.value)
    assert "x" * 32 not in str(error.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda was: was.session.get("a"),
        lambda was: was.mbox.get(),
        lambda was: was.csrf_token,
        lambda was: was.verify_csrf(),
        lambda was: was.encode_ott("a", 60),
        lambda was: was.verify_otp("123456"),
    ],
)
def test_a_missing_secret_is_told_at_the_first_use(app, use, caplog):
    app.route("/")(lambda was: str(use(was)))
    assert app.test_client().get("/").status_code == 500
    assert 'pref.securekey = os.environ["SECUREKEY"]' in caplog.text


def test_nothing_shows_a_secret(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        was.session["password"] = "hidden"
        was.mbox.send("hidden", "hidden", hidden="hidden")
        shown = [was.session, was.mbox, was.cookie, sealer((KEY,), "x"), was.session.default, was]
        return " ".join(repr(each) for each in shown)

    text = browser.get("/").text
    assert "hidden" not in text
    assert KEY not in text


def test_no_pickle():
    modules = set()
    for path in Path(atila_auth.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(str(node.module).partition(".")[0])
    # Those of the modules that seal are among them.
    assert {"cryptography", "orjson", "pyotp", "jwt"} <= modules
    assert not modules & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
