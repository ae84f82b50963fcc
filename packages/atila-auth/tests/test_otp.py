"""One-time passwords."""

import pyotp
import pytest

from atila.testing.exchange import TestExchange
from atila.was import generate_otp
from atila_auth.tokens import one_time_password as otp

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"


@pytest.fixture
def otp_app(secure_app):
    app = secure_app

    def check_otp(was):
        if not was.verify_otp(was.request.get_header("x-otp")):
            raise was.Error("403 Unauthorized")

    @app.route("/admin-task")
    @app.testpass_required(check_otp)
    def task(was):
        return "done"

    @app.route("/many")
    def many(was, otp=None):
        return str(was.verify_otp(otp, once=False))

    return app


def ask(browser, password, **headers):
    return browser.get("/admin-task", headers={"X-OTP": password, **headers}).status_code


def test_the_example_of_the_specification(otp_app, browser):
    assert browser.get("/admin-task").status_code == 403
    assert ask(browser, generate_otp(KEY)) == 200
    assert ask(browser, "000000") == 403


def test_taken_once(otp_app, browser, clock):
    password = generate_otp(KEY)
    assert ask(browser, password) == 200
    assert ask(browser, password) == 403
    assert ask(browser.another(), password) == 403
    clock.now += 30
    assert ask(browser, password) == 403
    assert ask(browser, generate_otp(KEY)) == 200


def test_taken_often_if_asked_so(otp_app, browser):
    password = generate_otp(KEY)
    assert [browser.get(f"/many?otp={password}").text for _ in range(3)] == ["True"] * 3
    assert browser.get("/many").text == "False"


def at(moment):
    return pyotp.TOTP(otp.otp_secret(KEY)).at(moment)


@pytest.mark.parametrize(
    ("seconds", "status"), [(-60, 403), (-30, 200), (0, 200), (30, 200), (60, 403)]
)
def test_clocks_differ(otp_app, browser, clock, seconds, status):
    clock.now = clock.now // 30 * 30
    assert ask(browser, at(clock.now + seconds)) == status


def test_as_an_authenticator_app_does(clock, monkeypatch):
    """RFC 6238, appendix B, for SHA-1: its secret is 20 bytes of ASCII."""
    monkeypatch.setattr(otp.keys, "derive", lambda *args: b"12345678901234567890")
    for moment, expected in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        assert at(moment) == expected


@pytest.mark.parametrize(
    "password", ["", "12345", "1234567", "12345x", "１２３４５６", "123456\0", "-12345", "x" * 5000]
)
def test_what_is_no_password(otp_app, browser, password):
    assert ask(browser, password) == 403


def test_key_of_its_own(otp_app, browser):
    otp_app.otp_key = "only for passwords, known to clients"
    assert ask(browser, generate_otp(KEY)) == 403
    assert ask(browser, generate_otp(otp_app.otp_key)) == 200


def test_a_bad_key_of_its_own_is_told(otp_app, browser, caplog):
    otp_app.otp_key = "short"
    assert browser.get("/admin-task").status_code == 500
    assert 'pref.otp_key = os.environ["OTP_KEY"]' in caplog.text


def test_rotated_keys(otp_app, browser):
    otp_app.securekey = ["another secret of the app", KEY]
    assert ask(browser, generate_otp(KEY)) == 200
    assert ask(browser, generate_otp("another secret of the app")) == 200


def test_key_of_a_user(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        password = was.generate_otp("secret of Hans")
        assert password == generate_otp("secret of Hans")
        return f"{was.verify_otp(password)} {was.verify_otp(password, 'secret of Hans')}"

    assert browser.get("/").text == "False True"


def test_guessing_is_slowed_down(otp_app, browser, clock):
    right = at(clock.now)
    wrong = next(
        f"{n:06}" for n in range(10) if f"{n:06}" not in {at(clock.now + s) for s in (-30, 0, 30)}
    )
    for _ in range(otp.ATTEMPTS):
        assert ask(browser, wrong) == 403
    answer = browser.get("/admin-task", headers={"X-OTP": right})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    clock.now += 30
    assert ask(browser, right) == 200


def test_addresses_of_one_network_are_one(otp_app, browser, clock, monkeypatch):
    for number in range(otp.ATTEMPTS):
        monkeypatch.setattr(TestExchange, "client", (f"2001:db8::{number + 1:x}", 1))
        assert ask(browser, "123") == 403
    assert ask(browser, "123") == 429
    monkeypatch.setattr(TestExchange, "client", ("2001:db8:0:1::1", 1))
    assert ask(browser, "123") == 403


def test_a_client_is_told_of_a_missing_secret():
    with pytest.raises(ValueError, match="secret"):
        generate_otp("")


def test_the_secret_is_not_the_securekey():
    assert KEY.encode() not in pyotp.TOTP(otp.otp_secret(KEY)).byte_secret()
    assert len(pyotp.TOTP(otp.otp_secret(KEY)).byte_secret()) == 20
