"""`was.session`: a dict in a sealed cookie, when it ends, and what is done to it by others."""

import random
import threading

import pytest

from atila import HTTPError, SetupError
from atila.testing.client_request import prepared
from atila.testing.waits import wait_until
from atila_auth.protection import csrf
from atila_auth.sealing.seal import sealer
from atila_auth.sessions import message_box, session, state
from atila_auth.tokens import one_time_token

COOKIE = session.COOKIE
KEY = "ds8fdsflksdjf9879dsf;?<>Asda"


@pytest.fixture
def session_app(secure_app):
    @secure_app.route("/set")
    def set_values(was, **values):
        was.session.update(values)
        return repr(sorted(was.session.items()))

    @secure_app.route("/get")
    def get_values(was):
        return repr(sorted(was.session.items()))

    @secure_app.route("/remove")
    def remove(was, name):
        was.session.remove(name)
        return repr(sorted(was.session.items()))

    @secure_app.route("/call")
    def call(was, name, seconds=""):
        given = [float(seconds)] if seconds else []
        return repr(getattr(was.session, name)(*given))

    return secure_app


def opened(browser, name=COOKIE, path="/"):
    """What the cookie of a browser holds."""
    return sealer((KEY,), "session").open(browser.jar[name, path], f"{name}\0{path}\0")


def values_of(browser):
    return opened(browser)[-1]


# Use ------------------------------------------------------------------------------------------


def test_the_example_of_the_specification(secure_app, browser):
    app = secure_app

    @app.route("/session")
    def hello_world(was, **form):
        if "login" not in was.session:
            was.session.set("user_id", form.get("hansroh"))
            # or
            was.session["user_id"] = form.get("hansroh")
        return was.session["user_id"]

    assert browser.get("/session?hansroh=7").text == "7"
    assert values_of(browser) == {"user_id": "7"}


def test_as_a_dict(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        session = was.session
        assert session is was.request.session
        assert len(session) == 0
        assert "a" not in session
        assert session.get("a") is None
        assert session.get("a", 1) == 1
        session["a"] = 1
        session.set("b", ["x", {"y": None}])
        session.update(c=1.5, d=True)
        assert session.setdefault("a", 2) == 1
        assert session.pop("c") == 1.5
        del session["d"]
        session.remove("never there")
        with pytest.raises(KeyError):
            del session["d"]
        with pytest.raises(KeyError):
            session["d"]
        for name in session:
            session[name + name] = session[name]
        assert dict(session) == {"a": 1, "aa": 1, "b": ["x", {"y": None}], "bb": ["x", {"y": None}]}
        session.remove("aa")
        session.remove("bb")
        return str(list(session))

    assert browser.get("/").text == "['a', 'b']"
    assert values_of(browser) == {"a": 1, "b": ["x", {"y": None}]}


def test_kept_from_request_to_request(session_app, browser):
    browser.get("/set?a=1")
    browser.get("/set?b=2")
    assert browser.get("/get").text == "[('a', '1'), ('b', '2')]"
    browser.get("/remove?name=a")
    assert browser.get("/get").text == "[('b', '2')]"
    assert browser.another().get("/get").text == "[]"


def test_what_is_changed_in_place_is_kept(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        was.session.setdefault("cart", []).append(len(was.session["cart"]))
        return str(was.session["cart"])

    @secure_app.route("/add")
    def add(was):
        was.session["cart"].append("in place")

    browser.get("/")
    browser.get("/add")
    assert values_of(browser) == {"cart": [0, "in place"]}


def test_reading_writes_no_cookie(session_app, browser):
    browser.get("/get")
    assert browser.set_cookies == []
    assert browser.answer.headers["vary"] == "cookie"
    browser.get("/set?a=1")
    assert len(browser.set_cookies) == 1
    browser.get("/get")
    assert browser.set_cookies == []
    # Nor does removing what is not there.
    browser.get("/remove?name=zzz")
    assert browser.set_cookies == []


@pytest.mark.parametrize("status", [400, 403, 404])
def test_kept_with_an_error(secure_app, browser, status):
    @secure_app.route("/")
    def index(was):
        was.session["failures"] = was.session.get("failures", 0) + 1
        raise HTTPError(status)

    browser.get("/")
    browser.get("/")
    assert browser.answer.status_code == status
    assert values_of(browser) == {"failures": 2}


def test_given_up_with_a_failure(session_app, browser):
    @session_app.route("/fail")
    def fail(was):
        was.session["a"] = "half"
        was.session.rotate()
        raise RuntimeError("half way")

    browser.get("/set?a=1")
    assert browser.get("/fail").status_code == 500
    assert browser.set_cookies == []
    # The client goes on with what it had.
    assert browser.get("/get").text == "[('a', '1')]"


def test_no_value_but_json(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        for value in (object(), b"bytes", {1: 2}, {"a": {3}}):
            with pytest.raises(TypeError, match="'name'"):
                was.session["name"] = value
        with pytest.raises(TypeError, match="must be a str"):
            was.session[1] = "x"
        assert dict(was.session) == {}
        return "fine"

    assert browser.get("/").text == "fine"
    assert browser.set_cookies == []


@pytest.mark.usefixtures("clock")
def test_too_much_for_a_cookie(secure_app, browser):
    # The times in a session have as many digits as they need: with a clock that goes on, one size
    # may fit and a smaller one not.
    @secure_app.route("/")
    def index(was, size: int):
        try:
            was.session["big"] = "x" * int(size)
        except ValueError as error:
            return str(error)
        return "fits"

    @secure_app.route("/nested")
    def nested(was):
        was.session["list"] = []
        was.session["list"].append("x" * 5000)

    assert "browsers keep no more than 4096" in browser.get("/?size=5000").text
    assert browser.set_cookies == []
    size = next(
        size for size in range(3100, 2000, -1) if browser.get(f"/?size={size}").text == "fits"
    )
    line = browser.set_cookies[0].partition(";")[0]
    assert 4090 <= len(line) - 1 <= 4096
    assert size > 2800
    # What is only seen when the answer is sent fails it, and loses nothing that there was.
    assert browser.get("/nested").status_code == 500
    assert browser.set_cookies == []


# Its end --------------------------------------------------------------------------------------


def test_changes_extend_and_reading_does_not(session_app, browser, clock):
    browser.get("/set?a=1")
    clock.now += 1000
    browser.get("/get")
    clock.now += 199
    assert browser.get("/get").text == "[('a', '1')]"
    clock.now += 2
    assert browser.get("/get").text == "[]"


@pytest.mark.parametrize("change", ["/set?b=2", "/set?a=2", "/remove?name=b", "/call?name=touch"])
def test_what_extends(session_app, browser, clock, change):
    browser.get("/set?a=1&b=1")
    clock.now += 1000
    browser.get(change)
    clock.now += 1199
    assert "'a'" in browser.get("/get").text
    clock.now += 2
    assert browser.get("/get").text == "[]"


def test_max_age_is_the_end(session_app, browser, clock):
    browser.get("/set?a=1")
    assert "; Max-Age=1200; " in browser.set_cookies[0]
    browser.get("/call?name=set_expiry&seconds=86400")
    assert "; Max-Age=86400; " in browser.set_cookies[0]


def test_no_auto_extension_after_set_expiry(session_app, browser, clock):
    browser.get("/set?a=1")
    browser.get("/call?name=set_expiry&seconds=5000")
    ends = clock.now + 5000
    clock.now += 3000
    browser.get("/set?a=2")
    assert opened(browser)[3] == ends
    browser.get("/call?name=touch")
    assert opened(browser)[3] == ends
    # Until the end is sooner than the one that a change would give.
    clock.now += 900
    browser.get("/set?a=3")
    assert opened(browser)[3] == clock.now + 1200 > ends


def test_set_expiry_can_shorten(session_app, browser, clock):
    browser.get("/set?a=1")
    browser.get("/call?name=set_expiry&seconds=60")
    clock.now += 61
    assert browser.get("/get").text == "[]"


def test_a_short_expiry_is_extended_by_a_change(session_app, browser, clock):
    browser.get("/set?a=1")
    browser.get("/call?name=set_expiry&seconds=60")
    browser.get("/set?a=2")
    clock.now += 1199
    assert browser.get("/get").text == "[('a', '2')]"


@pytest.mark.parametrize("seconds", ["-1", "0", "inf", "nan"])
def test_no_time_to_come(session_app, browser, seconds):
    browser.get("/set?a=1")
    assert browser.get(f"/call?name=set_expiry&seconds={seconds}").status_code == 500
    assert browser.get("/get").text == "[('a', '1')]"


def test_use_time_and_impending(session_app, browser, clock):
    browser.get("/set?a=1")
    clock.now += 500
    assert browser.get("/call?name=use_time").text == "500.0"
    browser.get("/set?a=2")
    clock.now += 959
    assert browser.get("/call?name=use_time").text == "1459.0"
    assert browser.get("/call?name=impending").text == "False"
    clock.now += 2
    assert browser.get("/call?name=impending").text == "True"
    browser.get("/call?name=touch")
    assert browser.get("/call?name=impending").text == "False"
    browser.get("/call?name=set_expiry&seconds=100")
    clock.now += 79
    assert browser.get("/call?name=impending").text == "False"
    clock.now += 2
    assert browser.get("/call?name=impending").text == "True"
    # Of a session that nobody has begun.
    stranger = browser.another()
    assert stranger.get("/call?name=impending").text == "False"
    assert stranger.get("/call?name=use_time").text == "0.0"
    stranger.get("/call?name=touch")
    assert stranger.set_cookies == []


def test_expire(session_app, browser):
    browser.get("/set?a=1")
    stolen = dict(browser.jar)
    browser.get("/call?name=expire")
    assert "Max-Age=0" in browser.set_cookies[0]
    assert browser.jar == {}
    # A copy of the cookie is of no use any more.
    browser.jar = stolen
    assert browser.get("/get").text == "[]"


def test_another_after_expire(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        was.session["before"] = 1
        was.session.expire()
        assert dict(was.session) == {}
        was.session["after"] = 1
        return was.session.default.id

    first, second = browser.get("/").text, browser.get("/").text
    assert first != second
    assert values_of(browser) == {"after": 1}


def test_expire_holds_as_long_as_any_copy(session_app, browser, clock):
    browser.get("/set?a=1")
    browser.get("/call?name=set_expiry&seconds=100000")
    stolen = dict(browser.jar)
    browser.get("/call?name=expire")
    clock.now += 99_990
    browser.jar = stolen
    assert browser.get("/get").text == "[]"


@pytest.mark.parametrize("timeout", [0, -1, "1200", None, True, float("nan")])
def test_a_bad_timeout(session_app, browser, timeout, caplog):
    session_app.session_timeout = timeout
    assert browser.get("/get").status_code == 500
    assert "pref.session_timeout = 1200" in caplog.text


# Namespaces -----------------------------------------------------------------------------------


def test_the_namespaced_example_of_the_specification(secure_app, browser):
    app = secure_app

    @app.route("/")
    def index(was):
        was.session.mount("ADMIN", path="/admin")
        was.session.set("login", True)
        was.session.mount()  # resore to default session
        return str("login" in was.session)

    @app.route("/admin/page")
    def page(was):
        was.session.mount("ADMIN", path="/admin")
        return str(was.session.get("login"))

    assert browser.get("/").text == "False"
    assert browser.set_cookies[0].startswith(f"{COOKIE}-ADMIN=")
    assert "; Path=/admin; " in browser.set_cookies[0]
    assert browser.get("/admin/page").text == "True"


def test_a_mounted_session_is_the_same_when_mounted_again(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        was.session["who"] = "default"
        was.session.mount("A")
        was.session["who"] = "a"
        was.session.mount("B", session_timeout=60)
        was.session["who"] = "b"
        found = []
        for name in ("A", "B", None):
            was.session.mount(name)
            found.append(was.session["who"])
        return str(found)

    assert browser.get("/").text == "['a', 'b', 'default']"
    assert sorted(line.partition("=")[0] for line in browser.set_cookies) == [
        COOKIE,
        COOKIE + "-A",
        COOKIE + "-B",
    ]
    assert "Max-Age=60;" in next(line for line in browser.set_cookies if "-B=" in line)
    assert browser.answer.headers["vary"] == "cookie"


def test_options_of_mount(secure_app, browser, clock):
    @secure_app.route("/")
    def index(was):
        was.session.mount(
            "X", 100, "a secret of its own, long enough", "/", "a.org", True, False, extend=False
        )
        was.session["a"] = 1

    browser.get("/")
    line = browser.set_cookies[0].partition("; ")[2]
    assert "Path=/; Domain=a.org; Max-Age=100; " in line
    assert line.endswith("SameSite=Lax; Secure")
    clock.now += 60
    browser.get("/")
    # extend=False: a change leaves the end where it was.
    assert "Max-Age=40;" in browser.set_cookies[0]
    clock.now += 60
    browser.get("/")
    assert "Max-Age=100;" in browser.set_cookies[0]


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a b"},
        {"name": "a;b"},
        {"name": ""},
        {"name": "a\r\nb"},
        {"name": "A", "path": "admin"},
        {"name": "A", "path": "/a;b"},
        {"name": "A", "domain": "a b"},
        {"name": "A", "session_timeout": 0},
        {"name": "A", "securekey": "short"},
    ],
)
def test_mounts_that_cannot_be(secure_app, browser, options):
    @secure_app.route("/")
    def index(was):
        with pytest.raises(Exception, match=r"cookie|securekey|session_timeout|name"):
            was.session.mount(**options)
        return "refused"

    assert browser.get("/").text == "refused"


# Flags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_flags(session_app, browser, scheme, monkeypatch):
    from atila.testing.exchange import TestExchange

    monkeypatch.setattr(TestExchange, "scheme", scheme)
    browser.get("/set?a=1")
    (line,) = browser.set_cookies
    assert "; HttpOnly" in line
    assert "; SameSite=Lax" in line
    assert ("; Secure" in line) is (scheme == "https")
    assert "Domain" not in line


# Abuse ----------------------------------------------------------------------------------------


def test_mutations_are_an_empty_session(session_app, browser):
    browser.get("/set?user_id=1&roles=admin")
    text = browser.jar[COOKIE, "/"]
    rng = random.Random(7)
    site = session_app.site
    for _ in range(20_000):
        at = rng.randrange(len(text))
        changed = rng.choice(
            [
                text[:at] + chr(rng.randrange(33, 127)) + text[at + 1 :],
                text[:at],
                text[:at] + text[at + 1 :],
                text[:at] + chr(rng.randrange(256)) + text[at:],
                text[at:] + text[:at],
            ]
        )
        was = site.open(
            prepared("GET", "/get", headers={"Cookie": f"{COOKIE}={changed}"}).exchange()
        )
        # What a quote or a semicolon leaves of it may be the cookie itself.
        assert dict(was.session) == {} or was.cookie[COOKIE] == text


@pytest.mark.parametrize(
    "value", ["", "x", '""', "%", "A" * 5000, "A" * 100_000, "null", "[]", "%00", "AQ" + "A" * 60]
)
def test_forged_cookies(session_app, browser, value):
    answer = browser.get("/get", headers={"Cookie": f"{COOKIE}={value}"})
    assert (answer.status_code, answer.text) == (200, "[]")
    # And they do not stand in the way of a new one.
    browser.get("/set?a=1", headers={"Cookie": f"{COOKIE}={value}"})
    assert values_of(browser) == {"a": "1"}


def test_not_taken_for_anything_else(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        was.session["role"] = "default"
        was.mbox.send("a", "b", valid=60)
        was.session.mount("A")
        was.session["role"] = "a"
        was.session.mount("A", path="/other")
        was.session["role"] = "other"
        return f"{was.csrf_token} {was.encode_ott(['x', 1, 2, {}], 60)}"

    @secure_app.route("/look")
    def look(was):
        found = [was.session.get("role"), len(was.mbox), was.verify_csrf()]
        was.session.mount("A")
        return str([*found, was.session.get("role")])

    token, ott_text = browser.get("/").text.split()
    values = [*browser.jar.values(), token, ott_text]
    assert len(values) == 7
    names = [COOKIE, message_box.COOKIE, csrf.COOKIE, COOKIE + "-A"]
    right = {name: browser.jar[name, "/"] for name in names}
    for name in names:
        for value in values:
            if value == right[name]:
                continue
            cookies = {**dict.fromkeys(names, "x"), name: value}
            text = "; ".join(f"{n}={v}" for n, v in cookies.items())
            assert browser.get("/look", headers={"Cookie": text}).text == "[None, 0, False, None]"
    text = "; ".join(f"{n}={v}" for n, v in right.items())
    answer = browser.get("/look", headers={"Cookie": text, csrf.HEADER: token})
    assert answer.text == "['default', 1, True, 'a']"


def test_wrong_and_rotated_keys(session_app, browser):
    browser.get("/set?a=1")
    session_app.securekey = ["another secret of the app", KEY]
    assert browser.get("/get").text == "[('a', '1')]"
    before = dict(browser.jar)
    browser.get("/set?b=2")
    session_app.securekey = "another secret of the app"
    assert browser.get("/get").text == "[('a', '1'), ('b', '2')]"
    browser.jar = before
    assert browser.get("/get").text == "[]"


def test_an_expired_cookie_stays_expired(session_app, browser, clock):
    browser.get("/set?a=1")
    clock.now += 1201
    assert browser.get("/set?b=2").text == "[('b', '2')]"


def test_fixation(secure_app, browser):
    @secure_app.route("/page")
    def page(was):
        was.session.setdefault("visited", True)
        return was.csrf_token

    @secure_app.route("/login", methods=["POST"])
    def login(was):
        was.session.rotate()
        was.session["user"] = "hans"
        return repr(dict(was.session))

    @secure_app.route("/who")
    def who(was):
        return f"{was.session.get('user')} {was.session.get('visited')} {was.verify_csrf()}"

    # Somebody begins a session, and plants its cookies in the browser of a victim.
    attacker, victim = browser, browser.another()
    token = attacker.get("/page").text
    victim.jar = dict(attacker.jar)
    victim.post("/login")
    token_header = {csrf.HEADER: token}
    # The victim is in, with what there was before, and the token is of no use against him.
    assert victim.get("/who", headers=token_header).text == "hans True False"
    # The attacker is not, and his session is over.
    assert attacker.get("/who").text == "None None False"


def test_concurrent_requests_of_many(session_app, browser):
    browsers = [browser.another() for _ in range(16)]
    wrong = []

    def work(number):
        mine = browsers[number]
        for each in range(40):
            mine.get(f"/set?user={number}&n={each}")
            text = mine.get("/get").text
            if text != f"[('n', '{each}'), ('user', '{number}')]":
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(browsers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_concurrent_requests_of_one_client(session_app, browser):
    """The cookie that arrives last is kept, whole: none is a mixture."""
    browser.get("/set?a=0")
    one, two = browser.another(), browser.another()
    one.jar, two.jar = dict(browser.jar), dict(browser.jar)
    one.get("/set?one=1")
    two.get("/set?two=2")
    assert values_of(one) == {"a": "0", "one": "1"}
    assert values_of(two) == {"a": "0", "two": "2"}


# After the head of the answer -----------------------------------------------------------------


@pytest.fixture
def stream_app(session_app):
    @session_app.route("/stream")
    def stream(was, **values):
        session = was.session

        def pieces():
            yield "first"
            for name, value in values.items():
                if value:
                    session[name] = value
                else:
                    session.remove(name)
            yield "second"

        return pieces()

    return session_app


def test_what_a_stream_changes_is_kept_for_the_next_request(stream_app, browser):
    browser.get("/set?a=1&b=1")
    browser.get("/stream?a=2&b=&c=3")
    assert browser.answer.text == "firstsecond"
    assert browser.set_cookies == []
    assert browser.get("/get").text == "[('a', '2'), ('c', '3')]"
    # It is in the cookie by now, so a later change wins over it.
    browser.get("/set?a=4")
    assert browser.get("/get").text == "[('a', '4'), ('c', '3')]"
    # Also when there is another one that comes too late.
    browser.get("/stream?c=5")
    assert browser.get("/get").text == "[('a', '4'), ('c', '5')]"
    browser.get("/stream?a=6")
    assert browser.get("/get").text == "[('a', '6'), ('c', '5')]"


def test_an_answer_under_way_does_not_lose_it(stream_app, browser):
    browser.get("/set?a=1")
    other = browser.another()
    other.jar = dict(browser.jar)
    browser.get("/stream?late=1")
    # This one was read before, and its cookie arrives after it.
    other.get("/set?b=2")
    before = other.jar
    assert "late" in values_of(other)
    browser.get("/stream?late=2")
    other.jar = before
    assert other.get("/get").text == "[('a', '1'), ('b', '2'), ('late', '2')]"


def test_too_much_together(session_app, browser, caplog):
    browser.get("/set?a=1")
    headers = {"Cookie": browser.cookies("/")}
    under_way = []
    for _ in range(2):
        was = session_app.site.open(prepared("GET", "/get", headers=headers).exchange())
        assert was.session["a"] == "1"
        was.headers_sent = True
        under_way.append(was)
    for name, was in zip(["big", "huge"], under_way, strict=True):
        was.session[name] = "x" * 2000
    assert browser.get("/get").text == "[('a', '1')]"
    assert "do not fit" in caplog.text
    browser.get("/set?b=1")
    assert browser.get("/get").text == "[('a', '1'), ('b', '1')]"


def test_without_a_session_it_is_lost_and_told(stream_app, browser, caplog):
    browser.get("/stream?a=1")
    assert "the value 'a' of its session is lost" in caplog.text
    assert browser.get("/get").text == "[]"


def test_what_a_hook_changes_after_the_answer(session_app, browser, caplog):
    @session_app.teardown_request
    def teardown(was):
        if was.request.path != "/get":
            was.session["seen"] = was.request.path

    browser.get("/set?a=1")
    assert values_of(browser) == {"a": "1"}
    both = "[('a', '1'), ('seen', '/set')]"
    wait_until(lambda: browser.get("/get").text == both, "the hook has run")
    assert "lost" not in caplog.text
    # Of a client without a session.
    other = browser.another()
    other.get("/remove?name=a")
    wait_until(lambda: "the value 'seen' of its session is lost" in caplog.text, "it is lost")
    assert other.get("/get").text == "[]"


def test_no_other_end_after_the_head(session_app, browser):
    @session_app.route("/late")
    def late(was, name):
        def pieces():
            yield ""
            args = [60] if name == "set_expiry" else []
            try:
                getattr(was.session, name)(*args)
            except RuntimeError as error:
                yield str(error)

        return pieces()

    browser.get("/set?a=1")
    for name in ("touch", "set_expiry", "rotate"):
        assert "the answer has begun" in browser.get(f"/late?name={name}").text
    # To end it is possible at any time.
    browser.get("/late?name=expire")
    assert browser.get("/get").text == "[]"


# Cost -----------------------------------------------------------------------------------------


def test_a_plain_route_pays_nothing(session_app, browser, monkeypatch):
    @session_app.route("/plain")
    def plain(was):
        return "plain"

    browser.get("/set?a=1")

    def fail(*args):
        raise AssertionError("crypto on a plain route")

    for module, name in (
        (state, "SealedCookie"),
        (session, "SealedCookie"),
        (message_box, "SealedCookie"),
        (csrf, "SealedCookie"),
        (one_time_token, "sealer"),
    ):
        monkeypatch.setattr(module, name, fail)
    answer = browser.get("/plain")
    assert answer.text == "plain"
    assert answer.header_list == [("content-type", "text/html; charset=utf-8")]
    endpoint = next(e for e in session_app.endpoints if e.route.name == "plain")
    assert (endpoint._before, endpoint._after, endpoint.headers) == (None, None, ())


def test_secure_cookies_behind_a_proxy(session_app, browser):
    session_app.config.COOKIES_SECURE = True
    browser.get("/set?a=1")
    assert "; Secure" in browser.set_cookies[0]


def test_same_site(session_app, browser):
    session_app.config.COOKIES_SAMESITE = "Strict"
    browser.get("/set?a=1")
    assert "; SameSite=Strict" in browser.set_cookies[0]


@pytest.mark.parametrize(("name", "value"), [("SECURE", "yes"), ("SAMESITE", "lax")])
def test_bad_settings_of_cookies(broken_app, name, value):
    broken_app.route("/")(lambda was: "")
    broken_app.config[f"COOKIES_{name}"] = value
    with pytest.raises(SetupError, match=f"COOKIES_{name}"):
        _ = broken_app.site


def test_no_cache_gives_it_to_somebody_else(secure_app, browser):
    @secure_app.route("/")
    def index(was):
        was.response.set_max_age(60)
        was.mbox.send("a")
        was.session.setdefault("visited", True)
        return "page"

    browser.get("/")
    assert len(browser.set_cookies) == 2
    headers = browser.answer.headers
    assert headers["cache-control"] == "max-age=60, private"
    assert headers["vary"] == "cookie"
