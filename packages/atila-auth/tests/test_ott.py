"""One-time tokens."""

import random
import threading

import pytest

from atila.testing.client_request import prepared
from atila_auth.sealing.seal import LONGEST


@pytest.fixture
def was(secure_app):
    secure_app.route("/<token>")(lambda was, token: str(was.decode_ott(token)))
    return secure_app.site.open(prepared("GET", "/x").exchange())


def test_the_examples_of_the_specification(was):
    token = was.encode_ott("hans", 3600, "pwrset")  # valid within 1 hour
    assert was.decode_ott(token) == "hans"
    token = was.encode_ott("hans", 3600, "rset")
    username = was.decode_ott(token)
    assert username == "hans"
    # if processing is done and for revoke token,
    was.revoke_ott(token)
    assert was.decode_ott(token) is None


@pytest.mark.parametrize(
    "value", ["hans", "", 0, 1.5, True, ["a", {"b": None}], {"user": "Jürgen"}]
)
def test_values(was, value):
    assert was.decode_ott(was.encode_ott(value, 60)) == value


def test_in_a_path(was, secure_app):
    token = was.encode_ott("hans", 60)
    url = was.urlfor(secure_app.routes[0].handler, token)
    assert url == f"/{token}"
    assert secure_app.test_client().get(url).text == "hans"


def test_its_end(was, clock):
    token = was.encode_ott("hans", 3600)
    clock.now += 3599
    assert was.decode_ott(token) == "hans"
    clock.now += 1
    assert was.decode_ott(token) is None
    assert was.revoke_ott(token) is False


def test_revoked_once(was):
    token = was.encode_ott("hans", 3600)
    other = was.encode_ott("hans", 3600)
    got = []
    threads = [
        threading.Thread(target=lambda: got.append(was.revoke_ott(token))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 15 + [True]
    assert was.decode_ott(token) is None
    assert was.decode_ott(other) == "hans"


def test_what_it_is_for(was):
    token = was.encode_ott("hans", 60, "pwrset")
    assert was.decode_ott(token, "pwrset") == "hans"
    assert was.decode_ott(token, "delete-account") is None
    assert was.decode_ott(was.encode_ott("hans", 60), "pwrset") is None


def test_nobody_reads_it(was):
    token = was.encode_ott("a-very-long-user-name", 60, "purpose")
    assert "a-very" not in token
    assert was.encode_ott("same", 60) != was.encode_ott("same", 60)


@pytest.mark.parametrize("timeout", [0, -1, None, "60", float("inf"), float("nan"), True])
def test_no_time_to_come(was, timeout):
    with pytest.raises(ValueError, match="seconds"):
        was.encode_ott("hans", timeout)


def test_values_that_cannot_be(was):
    with pytest.raises(TypeError):
        was.encode_ott(object(), 60)
    with pytest.raises(ValueError, match=str(LONGEST)):
        was.encode_ott("x" * LONGEST, 60)
    assert was.decode_ott(was.encode_ott("x" * 12_000, 60)) == "x" * 12_000


@pytest.mark.parametrize("junk", [None, "", "x", 7, ["a"], "A" * 100_000, "\0", "é", "a?b"])
def test_junk(was, junk):
    assert was.decode_ott(junk) is None
    assert was.revoke_ott(junk) is False


def test_keys(was, secure_app):
    token = was.encode_ott("hans", 60)
    old, new = secure_app.securekey, "another secret of the app"
    secure_app.securekey = [new, old]
    assert was.decode_ott(token) == "hans"
    secure_app.securekey = new
    assert was.decode_ott(token) is None
    assert was.revoke_ott(token) is False


def test_mutations_are_refused(was):
    token = was.encode_ott("hans", 3600, "rset")
    rng = random.Random(11)
    for _ in range(20_000):
        at = rng.randrange(len(token))
        changed = rng.choice(
            [
                token[:at] + chr(ord(token[at]) ^ 1 << rng.randrange(8)) + token[at + 1 :],
                token[:at],
                token[at:] + token[:at],
                token[:at] + chr(rng.randrange(0x2000)) + token[at:],
            ]
        )
        if changed != token:
            assert was.decode_ott(changed) is None
            assert was.revoke_ott(changed) is False
    assert was.decode_ott(token) == "hans"
