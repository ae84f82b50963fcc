"""`was.mbox`: messages for the next page."""

import random
from urllib.parse import quote

import pytest

from atila import HTTPError
from atila.testing.client_request import prepared
from atila_auth.sessions.message_box import COOKIE


@pytest.fixture
def mbox_app(secure_app):
    @secure_app.route("/send")
    def send(was, msg, category="notice", valid="0", **extra):
        return str(was.mbox.send(msg, category, float(valid), **extra))

    @secure_app.route("/get")
    def get(was, key=None, val=None):
        return " ".join(message.msg for message in was.mbox.get(key, val))

    @secure_app.route("/search")
    def search(was, key, val=None):
        return str(was.mbox.search(key, val))

    @secure_app.route("/remove")
    def remove(was, mid):
        was.mbox.remove(int(mid))

    return secure_app


def test_the_example_of_the_specification(secure_app, browser, clock):
    app = secure_app

    @app.route("/msg")
    def msg(was):
        was.mbox.send("This is Flash Message", "flash")
        was.mbox.send(
            "This is Alert Message Kept by 60 seconds on every request", "alram", valid=60
        )
        return was.redirect("/showmsg", status="302 Object Moved")

    @app.route("/showmsg")
    def showmsg(was):
        assert was.mbox is was.request.mbox
        return "\n".join(
            f"{category} {valid} {msg}"
            for mid, category, created, valid, msg, extra in was.mbox.get()
        )

    assert browser.get("/msg").status_code == 302
    flash = "flash 0 This is Flash Message"
    alarm = "alram 60 This is Alert Message Kept by 60 seconds on every request"
    assert browser.get("/showmsg").text == f"{flash}\n{alarm}"
    assert browser.get("/showmsg").text == alarm
    clock.now += 59
    assert browser.get("/showmsg").text == alarm
    clock.now += 1
    assert browser.get("/showmsg").text == ""


def test_filters(mbox_app, browser):
    browser.get("/send?msg=one&category=notice&news=1")
    browser.get("/send?msg=two&category=notice")
    browser.get("/send?msg=three&category=news")
    browser.get("/send?msg=four&category=x&notice=news")
    assert browser.get("/get?key=news&val=1").text == "one"
    assert browser.get("/get?key=news&val=1").text == ""
    # Of the template in the specification: a name and a value of what it was sent with.
    assert browser.get("/get?key=notice&val=news").text == "four"
    assert browser.get("/get?key=notice").text == "two"
    assert browser.get("/get?key=nothing").text == ""
    assert browser.get("/get").text == "three"
    assert browser.jar == {}


def test_search_and_remove(mbox_app, browser):
    ids = [browser.get(f"/send?msg={n}&category=c{n % 2}&n={n}").text for n in range(4)]
    assert len(set(ids)) == 4
    assert browser.get("/search?key=c1").text == f"[{ids[1]}, {ids[3]}]"
    assert browser.get("/search?key=n&val=2").text == f"[{ids[2]}]"
    browser.get(f"/remove?mid={ids[1]}")
    browser.get("/remove?mid=17")
    assert browser.set_cookies == []
    assert browser.get("/get").text == "0 2 3"


@pytest.mark.parametrize("valid", ["60", -1, float("nan"), [1]])
def test_no_time(secure_app, browser, valid):
    @secure_app.route("/")
    def index(was):
        with pytest.raises(TypeError, match="seconds"):
            was.mbox.send("a", "b", valid)
        return str(was.mbox.send("a", "b", None) > 0)

    assert browser.get("/").text == "True"
    assert browser.get("/").text == "True"


def test_extra_and_times(secure_app, browser, clock):
    @secure_app.route("/")
    def index(was):
        was.mbox.send("m", "c", 5, a=1, b=["x"])
        (message,) = was.mbox.get()
        assert message == (message[0], "c", int(clock.now), 5, "m", {"a": 1, "b": ["x"]})
        return "fine"

    assert browser.get("/").text == "fine"


def test_reading_an_empty_box_writes_no_cookie(mbox_app, browser):
    browser.get("/get")
    assert browser.set_cookies == []
    assert browser.answer.headers["vary"] == "cookie"


def test_flags(mbox_app, browser):
    browser.get("/send?msg=a")
    attributes = browser.set_cookies[0].split("; ")[1:]
    assert attributes == ["Path=/", "SameSite=Lax", "HttpOnly"]


def test_kept_with_an_error_and_given_up_with_a_failure(mbox_app, browser):
    @mbox_app.route("/refuse")
    def refuse(was):
        was.mbox.send("try again", "error")
        raise HTTPError(403)

    @mbox_app.route("/fail")
    def fail(was):
        assert was.mbox.get()
        raise RuntimeError

    browser.get("/refuse")
    browser.get("/fail")
    assert browser.get("/get").text == "try again"


def test_a_full_box_drops_its_oldest(mbox_app, browser, caplog):
    for number in range(40):
        assert browser.get(f"/send?msg=message-{number:03}-{'x' * 100}").status_code == 200
    kept = browser.get("/get").text.split(" ")
    assert 10 < len(kept) < 40
    assert kept[-1].startswith("message-039")
    assert "oldest message is dropped" in caplog.text


def test_too_much_for_a_cookie(mbox_app, browser, caplog):
    browser.get("/send?msg=kept")
    assert browser.get(f"/send?msg={'x' * 5000}").status_code == 500
    assert "browsers keep no more than 4096" in caplog.text
    assert browser.get("/get").text == "kept"


def test_no_message_after_the_head(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        yield "a"
        try:
            was.mbox.send("late")
        except RuntimeError as error:
            yield str(error)

    assert "the answer has begun" in browser.get("/").text


def test_mutations_are_an_empty_box(mbox_app, browser):
    browser.get("/send?msg=hello")
    text = browser.jar[COOKIE, "/"]
    rng = random.Random(3)
    for _ in range(20_000):
        at = rng.randrange(len(text))
        changed = rng.choice(
            [
                text[:at] + chr(rng.randrange(33, 127)) + text[at + 1 :],
                text[:at],
                text[at:] + text[:at],
                text[:at] + chr(rng.randrange(256)) + text[at:],
            ]
        )
        exchange = prepared("GET", "/get", headers={"Cookie": f"{COOKIE}={changed}"}).exchange()
        was = mbox_app.site.open(exchange)
        assert len(was.mbox) == 0 or was.cookie[COOKIE] == text
    for junk in ("x", "A" * 9000, quote("[[1]]")):
        assert browser.get("/get", headers={"Cookie": f"{COOKIE}={junk}"}).text == ""
