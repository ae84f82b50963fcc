"""Rate limits."""

import pytest

from atila import SetupError
from atila_auth.protection import rate_limit


class Clock:
    def __init__(self):
        # The beginning of a window of 60 seconds.
        self.now = 1_800_000_000.0

    def time(self):
        return self.now

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    assert clock.now % 60 == 0
    for module in ("atila_auth.protection.rate_limit.time", "atila.runtime.shared.time"):
        monkeypatch.setattr(module, clock)
    return clock


@pytest.fixture
def ask(app):
    client = app.test_client()

    def ask(url="/", **options):
        answer = client.get(url, **options)
        return answer.status_code, answer.headers.get("retry-after")

    return ask


def test_a_limit(app, ask, clock):
    app.route("/")(app.rate_limit(3, 60)(lambda was: "in"))
    app.route("/other")(app.rate_limit(3, 60)(lambda was: "in"))
    assert [ask() for _ in range(3)] == [(200, None)] * 3
    # The last one shall be gone by a third: 60 seconds, and 20 of the next window.
    assert [ask() for _ in range(3)] == [(429, "80")] * 3
    assert ask("/other") == (200, None)
    clock.now += 30
    assert ask() == (429, "50")
    clock.now += 49
    assert ask() == (429, "1")
    clock.now += 1
    assert ask() == (200, None)
    assert ask() == (429, "20")
    clock.now += 20
    assert ask() == (200, None)


def most_in(passed, seconds):
    return max(sum(start <= at < start + seconds for at in passed) for start in passed)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_how_many_pass_at_most(app, ask, clock, limit):
    """Clients that come all at once at some time of a window, and then whenever they may."""
    app.route("/")(app.rate_limit(limit, 60)(lambda was: "in"))
    worst, began = 0, clock.now
    for second in range(0, 60, 4):
        # Nothing is left of those before.
        began += 3600
        clock.now, passed = began + second + 3.5, []
        while clock.now < began + 600:
            status, after = ask()
            if status == 200:
                passed.append(clock.now)
            else:
                clock.now += int(after)
        for window in range(10):
            from_here = began + 60 * window
            assert sum(from_here <= at < from_here + 60 for at in passed) <= limit
        for count in range(1, 9):
            assert most_in(passed, 60 * count) < (count + 1) * limit
        # And no client that waits is starved.
        assert len(passed) >= limit * 4
        worst = max(worst, most_in(passed, 60))
    assert worst == 2 * limit - 1


def test_who_waits_as_long_as_told_is_let_in(app, ask, clock):
    app.route("/")(app.rate_limit(7, 60)(lambda was: "in"))
    for _ in range(60):
        status, after = ask()
        if status == 429:
            clock.now += int(after)
            assert ask()[0] == 200
        clock.now += 1.7


def test_no_fewer_than_one(app, ask, clock):
    app.route("/")(app.rate_limit(1, 60)(lambda was: "in"))
    assert ask() == (200, None)
    assert ask() == (429, "120")
    clock.now += 120
    assert ask() == (200, None)


def test_workers_count_together(app, ask, clock):
    """What another worker counts is in the shared state."""
    app.route("/")(app.rate_limit(3, 60)(lambda was: "in"))
    assert ask() == (200, None)
    shared = app.site.shared
    (name,) = shared.names(rate_limit.SPACE)
    assert shared.incr(rate_limit.SPACE, name) == 2
    assert shared.incr(rate_limit.SPACE, name) == 3
    assert ask()[0] == 429


def test_refused_requests_write_nothing(app, ask, clock, monkeypatch):
    app.route("/")(app.rate_limit(2, 60)(lambda was: "in"))
    ask(), ask()
    shared = app.site.shared

    def write(*args):
        raise AssertionError("written")

    for name in ("set", "add", "incr"):
        monkeypatch.setattr(shared, name, write)
    assert ask()[0] == 429


def test_counts_are_forgotten(app, ask, clock):
    app.route("/")(app.rate_limit(2, 60)(lambda was: "in"))
    ask()
    assert len(app.site.shared.names(rate_limit.SPACE)) == 1
    clock.now += 200
    assert app.site.shared.names(rate_limit.SPACE) == []


def test_by_a_function(app, ask, clock):
    @app.route("/login")
    @app.rate_limit(2, 60, key=lambda was: was.request.args.get("username"))
    def login(was, username=None):
        return "in"

    for name in ("hans", "grete", "x" * 100_000):
        url = f"/login?username={name}"
        assert [ask(url)[0] for _ in range(3)] == [200, 200, 429]
    # None is not counted.
    assert [ask("/login")[0] for _ in range(5)] == [200] * 5
    # Neither as they are, nor of their length.
    names = app.site.shared.names(rate_limit.SPACE)
    assert all("hans" not in name and len(name) < 100 for name in names)


def test_by_an_async_function(app, ask, clock):
    async def key(was):
        return was.request.args["username"]

    app.route("/")(app.rate_limit(2, 60, key)(lambda was, username: "in"))
    assert [ask("/?username=a")[0] for _ in range(3)] == [200, 200, 429]
    assert ask("/?username=b")[0] == 200


def test_by_user(app, ask, clock):
    app.users = {"hans": "1", "grete": "1"}

    @app.route("/", authenticate="basic")
    @app.rate_limit(2, 60, key="user")
    def index(was):
        return "in"

    hans, grete = (
        {"headers": {"Authorization": f"Basic {text}"}} for text in ("aGFuczox", "Z3JldGU6MQ==")
    )
    assert [ask(**hans)[0] for _ in range(3)] == [200, 200, 429]
    assert [ask(**grete)[0] for _ in range(3)] == [200, 200, 429]
    assert [ask()[0] for _ in range(5)] == [401] * 5


@pytest.mark.parametrize(
    ("user", "key"),
    [
        (None, "address 127.0.0.1"),
        (object(), "address 127.0.0.1"),
        ("hans", "user hans"),
        ({"sub": "x", "exp": 1}, "user x"),
        ({"uid": 7}, "user 7"),
        ({"exp": 1}, "address 127.0.0.1"),
    ],
)
def test_the_key_of_a_user(app, user, key):
    @app.route("/")
    def index(was):
        was.request.user = user
        return rate_limit._user(was)

    assert app.test_client().get("/").text == key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_the_key_of_an_address(address, key):
    class Exchange:
        client = (address, 1)

    class Was:
        exchange = Exchange

    assert rate_limit._address(Was) == key


def test_behind_a_proxy(app, ask, clock):
    app.route("/")(app.rate_limit(2, 60)(lambda was: "in"))

    def of(address):
        return [ask(headers={"X-Forwarded-For": address})[0] for _ in range(3)]

    # Nobody may choose an address, unless what says it is trusted.
    assert of("192.0.2.1") == [200, 200, 429]
    assert of("192.0.2.2") == [429] * 3
    app.site.shutdown()
    app.config.TRUSTED_PROXIES = ["127.0.0.1"]
    assert of("192.0.2.1") == of("192.0.2.2") == [200, 200, 429]
    # What the client has said before the proxy is the client's word.
    assert of("192.0.2.3, 192.0.2.2") == [429] * 3


def test_guessing_passwords_is_limited_before_they_are_looked_at(app, ask, clock):
    asked = []

    @app.authorization_handler
    def auth_handler(was, username):
        asked.append(username)
        return None

    @app.route("/", authenticate="basic")
    @app.rate_limit(3, 60)
    def index(was):
        return "in"

    answers = [ask(headers={"Authorization": "Basic aGFuczox"})[0] for _ in range(9)]
    assert answers == [401] * 3 + [429] * 6
    assert len(asked) == 3


@pytest.mark.parametrize("methods", [["GET"], ["GET", "OPTIONS"]])
def test_preflights_do_not_count(app, ask, clock, methods):
    app.access_control_allow_origin = ["https://a.org"]
    app.route("/", methods=methods)(app.rate_limit(2, 60)(lambda was: "in"))
    headers = {"Origin": "https://a.org", "Access-Control-Request-Method": "GET"}
    client = app.test_client()
    assert {client.options("/", headers=headers).status_code for _ in range(5)} == {204}
    assert [ask()[0] for _ in range(3)] == [200, 200, 429]
    assert client.options("/", headers=headers).status_code == 204


def test_two_limits(app, ask, clock):
    @app.route("/")
    @app.rate_limit(2, 10)
    @app.rate_limit(3, 3600)
    def index(was):
        return "in"

    assert [ask()[0] for _ in range(3)] == [200, 200, 429]
    clock.now += 20
    assert [ask()[0] for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0,), "1 or more"),
        ((True,), "1 or more"),
        ((1.5,), "1 or more"),
        ((1, 0), "more than 0"),
        ((1, "60"), "more than 0"),
        ((1, 60, "ip"), '"address", "user" or a function'),
        ((1, 60, ["user"]), '"address", "user" or a function'),
    ],
)
def test_mistakes_fail_at_mount(app, arguments, says):
    app.route("/")(app.rate_limit(*arguments)(lambda was: "in"))
    with pytest.raises(SetupError, match=says):
        app.test_client().get("/")
