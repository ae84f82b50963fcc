"""Users and their passwords: plain, hashed, and what a fault in them must not show."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import HTTPError
from atila_auth import a1, hash_password, verify_password
from atila_auth.login import passwords, users

QUICK = {"cost": 4, "block": 1, "parallel": 1}


WITHOUT_NUL = st.text(st.characters(exclude_characters="\0"))


@given(WITHOUT_NUL, st.text())
def test_only_the_password_itself_is_right(password, other):
    hashed = hash_password(password, **QUICK)
    assert verify_password(password, hashed)
    assert verify_password(other, hashed) == (other == password)
    assert hash_password(password, **QUICK) != hashed


@pytest.mark.parametrize("password", ["", "1234", "x" * 64])
def test_nul_characters_at_the_end_count(password):
    # RFC 2104 fills a short key with them.
    assert not verify_password(password + "\0", hash_password(password, **QUICK))
    with pytest.raises(ValueError, match="NUL") as refused:
        hash_password(password + "\0", **QUICK)
    # Of a client that chose it the request is wrong, not the server.
    assert isinstance(refused.value, HTTPError)
    assert refused.value.code == 400


def test_the_default_is_costly():
    hashed = hash_password("1234")
    assert hashed.startswith("$scrypt$ln=15,r=8,p=3$")
    assert verify_password("1234", hashed)
    assert not verify_password("1235", hashed)


def test_nobody_has_a_password_and_it_costs_the_same(monkeypatch):
    computed = []
    monkeypatch.setattr(passwords._Hash, "of", lambda self, _: computed.append(self) or b"x" * 32)
    assert not verify_password("1234", None)
    assert [(each.cost, each.block, each.parallel) for each in computed] == [(15, 8, 3)]


def test_it_is_scrypt_of_the_standard():
    # RFC 7914, section 12.
    digest = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    stored = passwords._Hash(10, 8, 16, b"NaCl", bytes(32))
    assert stored.of("password").hex() == digest


@pytest.mark.parametrize(
    "damaged",
    ["", "$scrypt$", "$scrypt$ln=4,r=1,p=1$AAAA$AAAA", "$scrypt$ln=400,r=1,p=1$" + "A" * 22 + "$"],
)
def test_what_is_no_hash_is_not_shown(damaged):
    with pytest.raises(ValueError, match="hash_password") as error:
        verify_password("secret-word", damaged)
    assert "secret-word" not in str(error.value)


def test_too_costly_hashes_are_refused():
    with pytest.raises(ValueError, match="memory"):
        verify_password("x", "$scrypt$ln=30,r=8,p=1$" + "A" * 22 + "$" + "A" * 43)


def test_the_memory_keeps_what_is_right_only(monkeypatch):
    hashed = hash_password("1234", **QUICK)
    other = hash_password("1234", **QUICK)
    asked = []

    def verify(password, hashed):
        asked.append(password)
        return verify_password(password, hashed)

    monkeypatch.setattr(passwords, "verify_password", verify)
    memory = passwords.Memory(2)
    assert [memory.verify("1234", hashed) for _ in range(3)] == [True] * 3
    assert asked == ["1234"]
    assert [memory.verify("1235", hashed) for _ in range(2)] == [False] * 2
    assert asked == ["1234", "1235", "1235"]
    # With another hash stored it is another question.
    assert memory.verify("1234", other)
    assert len(asked) == 4
    for _ in range(5):
        memory.verify("x", hash_password("x", **QUICK))
    assert len(memory._known) == 2
    assert b"1234" not in b"".join(memory._known)


def test_a1_is_that_of_the_specification():
    text = b"hansroh:Partner App Area of mysite.com:1234"
    realm = "Partner App Area of mysite.com"
    assert a1("hansroh", realm, "1234") == hashlib.md5(text).hexdigest()
    assert a1("hansroh", realm, "1234", "SHA-256") == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    ("entry", "secret", "is_encrypted", "info"),
    [
        ("1234", "1234", False, None),
        (("1234", False), "1234", False, None),
        (("1234", 0, {"role": "root"}), "1234", False, {"role": "root"}),
        (["1234", False, 7], "1234", False, 7),
        (("a" * 32, True), "a" * 32, True, None),
        (("A" * 64, 1, "x"), "A" * 64, True, "x"),
        ("$scrypt$…", "$scrypt$…", True, None),
        # Else the hash would be the password.
        (("$scrypt$…", False), "$scrypt$…", True, None),
    ],
)
def test_entries(entry, secret, is_encrypted, info):
    record = users.record_of(entry)
    assert (record.secret, record.is_encrypted, record.info) == (secret, is_encrypted, info)
    assert secret not in repr(record)


@pytest.mark.parametrize(
    "entry",
    [
        7,
        (),
        ("pass-word",),
        ("pass-word", "yes"),
        (b"pass-word", False),
        ("pass-word", True),
        ("pass-word", False, 1, 2),
        {"password": "pass-word"},
    ],
)
def test_wrong_entries_are_not_shown(entry):
    with pytest.raises(TypeError) as error:
        users.record_of(entry)
    assert "pass-word" not in str(error.value)


def test_no_entry():
    assert users.record_of(None) is None
