"""Where revocations are noted: shared by workers, and kept for the next start if wanted."""

import pytest

import atila_auth
from atila import Atila, SetupError
from atila.testing.client_request import prepared

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"


@pytest.fixture
def start(tmp_path):
    """An app, as it is after a start of its server; its predecessor has ended."""
    sites = []

    def make(folder):
        stop()
        app = Atila(__name__, layers={"auth": atila_auth.layer})
        app.securekey = KEY
        app.config.REVOCATIONS_FOLDER = folder
        app.route("/")(lambda was: "")
        sites.append(app.site)
        return app.site

    def stop():
        while sites:
            sites.pop().shutdown(5)

    yield make
    stop()


def was_of(site, cookie=""):
    return site.open(prepared("GET", "/", headers={"Cookie": cookie}).exchange())


def cookie_of(was):
    ((_, line),) = [
        pair for last in was.response.header_callbacks for pair in last() if "=" in pair[1]
    ]
    return line.partition(";")[0]


def test_kept_for_the_next_start(start, tmp_path):
    folder = tmp_path / "deep" / "revoked"
    site = start(folder)
    was = was_of(site)
    token, other = was.encode_ott("hans", 3600), was.encode_ott("else", 3600)
    assert was.revoke_ott(token) is True
    password = was.generate_otp()
    assert was.verify_otp(password) is True
    was.session["a"] = 1
    cookie = cookie_of(was)
    was = was_of(site, cookie)
    assert dict(was.session) == {"a": 1}
    was.session.expire()

    site = start(folder)
    was = was_of(site, cookie)
    assert was.decode_ott(token) is None
    assert was.revoke_ott(token) is False
    assert was.decode_ott(other) == "else"
    assert was.verify_otp(password) is False
    assert dict(was.session) == {}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_forgotten_without_a_folder(start):
    was = was_of(start(None))
    token = was.encode_ott("hans", 3600)
    was.revoke_ott(token)
    assert was.decode_ott(token) is None
    assert was_of(start(None)).decode_ott(token) == "hans"


class Monotonic:
    """The time that the shared state keeps its entries by; it has no part in the time of day."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def test_kept_two_hours_longer_than_what_they_revoke(secure_app, clock, monkeypatch):
    elapsed = Monotonic()
    monkeypatch.setattr("atila.runtime.shared.time", elapsed)
    secure_app.route("/")(lambda was: "")
    site = secure_app.site
    was = was_of(site)
    token, password = was.encode_ott("hans", 3600), was.generate_otp()
    was.session["a"] = 1
    cookie = cookie_of(was)
    was = was_of(site, cookie)
    assert was.revoke_ott(token)
    assert was.verify_otp(password)
    was.session.expire()
    # Two hours pass, but the time of day is that of the beginning again.
    elapsed.now += 7200 - 1
    was = was_of(site, cookie)
    assert was.decode_ott(token) is None
    assert was.verify_otp(password) is False
    assert dict(was.session) == {}
    # As long as that they are valid by themselves, so it is the record that refuses them.
    elapsed.now += 3600 + 2
    was = was_of(site, cookie)
    assert was.decode_ott(token) == "hans"
    assert was.verify_otp(password) is True
    assert dict(was.session) == {"a": 1}


def test_folders_that_cannot_be(broken_app, tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "file").touch()
    broken_app.route("/")(lambda was: "")
    for folder, told in (
        ("relative", "absolute path"),
        (tmp_path / "open", "chmod 700"),
        (tmp_path / "file", "cannot be used"),
        (tmp_path / "file" / "below", "cannot be used"),
    ):
        broken_app.config.REVOCATIONS_FOLDER = folder
        with pytest.raises(SetupError, match=told):
            _ = broken_app.site
