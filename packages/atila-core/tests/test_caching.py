"""Validators, conditional requests and ranges."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila
from atila.http.caching import http_date, make_etag, parse_date
from atila.testing import TestClient, TestResponse
from atila.testing.exchange import TestExchange

CHANGED = 784111777
"""Sun, 06 Nov 1994 08:49:37 GMT"""
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
TAG = make_etag("key")
OTHER = '"other"'
BODY = "0123456789"


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


@pytest.fixture
def client(app: Atila) -> TestClient:
    @app.route("/")
    def tagged(was):
        was.response.set_header("X-A", "1")
        was.response.set_etag("key", max_age=60)
        return BODY

    @app.route("/dated")
    def dated(was):
        was.response.set_mtime(CHANGED)
        return BODY

    @app.route("/both")
    def both(was):
        was.response.set_mtime(CHANGED)
        was.response.set_etag("key")
        return BODY

    @app.route("/stream")
    def stream(was):
        was.response.set_etag("key")
        return iter(BODY)

    app.route("/plain")(lambda was: BODY)
    return app.test_client()


def ask(client: TestClient, url: str, method: str = "GET", **headers: str) -> TestResponse:
    return client.request(
        method, url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_headers(client: TestClient) -> None:
    answer = ask(client, "/")
    assert answer.headers["etag"] == TAG
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.headers["accept-ranges"] == "bytes"
    assert ask(client, "/dated").headers["last-modified"] == DATE
    assert ask(client, "/plain").headers == {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("/", {"if_none_match": TAG}, 304),
        ("/", {"if_none_match": f"{OTHER}, W/{TAG}"}, 304),
        ("/", {"if_none_match": "*"}, 304),
        ("/", {"if_none_match": OTHER}, 200),
        ("/", {"if_none_match": TAG.strip('"')}, 200),
        ("/", {"if_none_match": ""}, 200),
        ("/", {"if_match": TAG}, 200),
        ("/", {"if_match": "*"}, 200),
        ("/", {"if_match": OTHER}, 412),
        # A weak tag is not good enough for that.
        ("/", {"if_match": f"W/{TAG}"}, 412),
        ("/", {"if_modified_since": DATE}, 200),
        ("/dated", {"if_modified_since": DATE}, 304),
        ("/dated", {"if_modified_since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
        ("/dated", {"if_modified_since": "Sun Nov  6 08:49:37 1994"}, 304),
        ("/dated", {"if_modified_since": EARLIER}, 200),
        ("/dated", {"if_modified_since": "nonsense"}, 200),
        ("/dated", {"if_unmodified_since": EARLIER}, 412),
        ("/dated", {"if_unmodified_since": DATE}, 200),
        ("/dated", {"if_unmodified_since": "nonsense"}, 200),
        # Tags go before dates, whichever is set first.
        ("/both", {"if_none_match": OTHER, "if_modified_since": DATE}, 200),
        ("/both", {"if_none_match": TAG, "if_modified_since": EARLIER}, 304),
        ("/both", {"if_match": TAG, "if_unmodified_since": EARLIER}, 200),
        ("/stream", {"if_none_match": TAG}, 304),
        ("/plain", {"if_none_match": TAG, "if_match": OTHER}, 200),
    ],
)
def test_conditions(client: TestClient, url: str, headers: dict[str, str], status: int) -> None:
    for method in ("GET", "HEAD"):
        answer = ask(client, url, method, **headers)
        assert answer.status_code == status
        if status == 304:
            assert answer.content == b""
            assert not answer.headers.keys() & {"content-type", "content-length", "accept-ranges"}


def test_304_has_what_a_cache_is_to_know(client: TestClient) -> None:
    answer = ask(client, "/", if_none_match=TAG)
    assert answer.headers == {"x-a": "1", "etag": TAG, "cache-control": "max-age=60"}


def test_the_work_is_not_done_for_a_304(app: Atila) -> None:
    done, failed, over = [], [], []
    app.failed_request(lambda was, exc_info: failed.append(1))
    app.teardown_request(lambda was: over.append(1))

    @app.route("/")
    def index(was):
        was.response.set_etag("key")
        done.append(1)
        return BODY

    client = app.test_client()
    assert ask(client, "/", if_none_match=TAG).status_code == 304
    app.site.pool.close(10)
    app.leave()
    assert (done, failed, over) == ([], [], [1])


def test_a_change_that_would_be_lost_is_refused_before_it_is_made(app: Atila) -> None:
    made = []

    @app.route("/", methods=["PUT"])
    def put(was):
        was.response.set_etag("key")
        made.append(1)
        return "put"

    client = app.test_client()
    assert ask(client, "/", "PUT", if_match=OTHER).status_code == 412
    assert ask(client, "/", "PUT", if_none_match="*").status_code == 412
    assert made == []
    assert ask(client, "/", "PUT", if_match=TAG).text == "put"


def test_coroutines_too(app: Atila) -> None:
    @app.route("/")
    async def index(was):
        was.response.set_etag("key")
        return BODY

    client = app.test_client()
    assert ask(client, "/", if_none_match=TAG).status_code == 304
    assert ask(client, "/", range="bytes=2-3").text == "23"


def test_ages_as_the_version_of_http_has_them(app: Atila, monkeypatch) -> None:
    @app.route("/<int:age>")
    def index(was, age):
        was.response.set_max_age(age)
        return ""

    client = app.test_client()
    assert ask(client, "/60").headers["cache-control"] == "max-age=60"
    assert ask(client, "/0").headers["cache-control"] == "no-cache"
    monkeypatch.setattr(TestExchange, "version", "1.0")
    old = ask(client, "/60").headers
    assert "cache-control" not in old
    assert abs((parse_date(old["expires"]) or 0) - time.time() - 60) < 5
    assert parse_date(ask(client, "/0").headers["expires"]) == 0


def test_mtime_takes_datetimes_and_is_never_in_the_future(app: Atila) -> None:
    @app.route("/datetime")
    def index(was):
        was.response.set_mtime(datetime.fromisoformat("1994-11-06T09:49:37.9+01:00"))
        return ""

    @app.route("/future")
    def future(was):
        was.response.set_mtime(time.time() + 10_000)
        return ""

    client = app.test_client()
    assert ask(client, "/datetime").headers["last-modified"] == DATE
    assert (parse_date(ask(client, "/future").headers["last-modified"]) or 0) <= time.time()


@pytest.mark.parametrize(
    "key", ["a\r\nX: 1", 'a"b', "ä", "\ud800", 5, ("a", 1), b"\xff", "x" * 9999]
)
def test_any_key(app: Atila, key: object) -> None:
    @app.route("/")
    def index(was):
        was.response.set_etag(key)
        return ""

    etag = ask(app.test_client(), "/").headers["etag"]
    assert len(etag) == 34
    assert etag.isascii()


# Ranges


@pytest.mark.parametrize(
    ("asked", "part", "found"),
    [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=-99", BODY, "bytes 0-9/10"),
        ("Bytes = 0-0", "0", "bytes 0-0/10"),
        ("bytes=0-1,2-3", "0123", "bytes 0-3/10"),
        ("bytes=4-5,1-4", "12345", "bytes 1-5/10"),
        ("bytes=0-1,50-60", "01", "bytes 0-1/10"),
    ],
)
def test_a_part(client: TestClient, asked: str, part: str, found: str) -> None:
    for url in ("/", "/dated"):
        answer = ask(client, url, range=asked)
        assert (answer.status_code, answer.text) == (206, part)
        assert answer.headers["content-range"] == found


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,4-5",
        "bytes=5-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0-1;2-3",
        "bytes=1",
        "bytes=--1",
        "bytes=0-" + "9" * 5000,
        "bytes=٣-٤",
        "lines=0-1",
        "",
        "bytes=" + "0-0," * 1000 + "0-0",
    ],
)
def test_ranges_that_are_ignored(client: TestClient, asked: str) -> None:
    answer = ask(client, "/", range=asked)
    assert (answer.status_code, answer.text) == (200, BODY)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=20-,30-40"])
def test_no_such_part(client: TestClient, asked: str) -> None:
    answer = ask(client, "/", range=asked)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */10"


def test_only_get_has_parts(client: TestClient, app: Atila) -> None:
    answer = ask(client, "/", "HEAD", range="bytes=0-1")
    assert (answer.status_code, answer.headers["content-length"]) == (200, "10")
    assert ask(client, "/plain", range="bytes=0-1").text == BODY

    @app.route("/made")
    def made(was):
        was.response.set_etag("key")
        return was.response("201 Created", BODY)

    assert ask(client, "/made", range="bytes=0-1").status_code == 201


@pytest.mark.parametrize(
    ("url", "condition", "status"),
    [
        ("/", TAG, 206),
        ("/", OTHER, 200),
        ("/", f"W/{TAG}", 200),
        ("/", DATE, 200),
        ("/dated", DATE, 206),
        ("/dated", EARLIER, 200),
        ("/dated", "nonsense", 200),
        ("/dated", TAG, 200),
    ],
)
def test_if_range(client: TestClient, url: str, condition: str, status: int) -> None:
    answer = ask(client, url, range="bytes=0-1", if_range=condition)
    assert answer.status_code == status


@given(st.text(st.sampled_from("0123456789-, =bytes\t"), max_size=40), st.integers(0, 20))
def test_ranges_never_fail(text: str, size: int) -> None:
    from atila.http.caching import _merged, _parse_ranges

    ranges = _parse_ranges(text, size)
    if ranges and (part := _merged(ranges)):
        assert 0 <= part[0] < part[1] <= size


@given(st.text())
def test_dates_never_fail(text: str) -> None:
    parse_date(text)


@given(st.integers(0, 253402300799))
def test_dates_round(seconds: int) -> None:
    assert parse_date(http_date(seconds)) == seconds
