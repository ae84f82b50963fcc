"""Cookies: what a client sends, and what it is told to keep."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila
from atila.http.cookies import CENTURY, build, parse
from atila.serving.site import Mount, Site
from atila.testing import TestClient, TestResponse


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


def sent(answer: TestResponse) -> list[str]:
    return [value for name, value in answer.header_list if name == "set-cookie"]


def one(app: Atila, *args: Any, **options: Any) -> str:
    """The header that one call of `set` makes."""

    @app.route("/")
    def index(was):
        was.cookie.set(*args, **options)
        return "done"

    answer = app.test_client().get("/")
    assert answer.status_code == 200, answer.text
    (header,) = sent(answer)
    return header


def attributes(header: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in header.split("; ")[1:])
    return {name.lower(): value for name, _, value in pairs}


def test_it_is_a_dictionary(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was):
        assert was.cookie is was.request.cookie
        if "user_id" not in was.cookie:
            was.request.cookie.set("user_id", "hansroh")
        was.request.cookie["other"] = "1"
        assert was.cookie.get("absent") is None
        assert was.cookie.get("absent", "x") == "x"
        with pytest.raises(KeyError):
            was.cookie["absent"]
        with pytest.raises(KeyError):
            del was.cookie["absent"]
        return str(sorted(was.cookie.items()))

    answer = client.get("/", headers={"cookie": "a=1; b=2"})
    assert answer.text == "[('a', '1'), ('b', '2'), ('other', '1'), ('user_id', 'hansroh')]"
    assert [header.partition(";")[0] for header in sent(answer)] == ["user_id=hansroh", "other=1"]
    assert len(sent(client.get("/", headers={"cookie": "user_id=x"}))) == 1


def test_safe_by_default(app: Atila) -> None:
    assert one(app, "a", "1") == "a=1; Path=/; SameSite=Lax; HttpOnly"


def test_defaults_can_be_declined(app: Atila) -> None:
    header = one(app, "a", "1", http_only=False, secure=False, samesite=None)
    assert header == "a=1; Path=/"


def test_secure_under_https(app: Atila, client: TestClient, monkeypatch) -> None:
    from atila.testing import exchange as testing

    monkeypatch.setattr(testing.TestExchange, "scheme", "https")
    assert "Secure" in one(app, "a", "1")

    @app.route("/declined")
    def declined(was):
        was.cookie.set("a", "1", secure=False)
        return ""

    assert "Secure" not in sent(client.get("/declined"))[0]


def test_every_option(app: Atila) -> None:
    header = one(app, "a", "1", 60, "/x", "example.com", True, True, "strict")
    assert header.startswith("a=1; Path=/x; Domain=example.com; Max-Age=60; Expires=")
    assert header.endswith("; SameSite=Strict; Secure; HttpOnly")
    # Browsers drop one that is not.
    assert "Secure" in one(Atila("x"), "a", "1", samesite="None")


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [(None, None), (0, 0), ("now", 0), (-5, 0), (90, 90), (90.7, 90), ("never", CENTURY)],
)
def test_expiry(app: Atila, expires: Any, seconds: int | None) -> None:
    found = attributes(one(app, "a", "1", expires))
    if seconds is None:
        assert not found.keys() & {"max-age", "expires"}
        return
    assert found["max-age"] == str(seconds)
    at = parsedate_to_datetime(found["expires"]).timestamp()
    assert at == 0 if seconds == 0 else abs(at - time.time() - seconds) < 5


def test_remove(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was):
        was.cookie.remove("a")
        del was.cookie["b"]
        assert "a" not in was.cookie
        return str(list(was.cookie))

    answer = client.get("/", headers={"cookie": "a=1; b=2; c=3"})
    assert answer.text == "['c']"
    assert [attributes(header)["max-age"] for header in sent(answer)] == ["0", "0"]


def test_a_cookie_set_twice_is_sent_once(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was):
        was.cookie.set("a", "1")
        was.cookie.set("a", "2")
        was.cookie.set("a", "3", path="/other")
        return was.cookie["a"]

    answer = client.get("/")
    assert [header[:14] for header in sent(answer)] == ["a=2; Path=/; S", "a=3; Path=/oth"]


def test_the_path_is_the_mount_point(app: Atila) -> None:
    @app.route("/set")
    def index(was):
        was.cookie["a"] = "1"
        return ""

    Site([Mount("/shop x", app)])
    assert "; Path=/shop%20x;" in sent(app.test_client().get("/shop%20x/set"))[0]


def test_an_error_drops_them(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was):
        was.cookie["a"] = "1"
        raise was.Error("403 Forbidden")

    assert sent(client.get("/")) == []


@pytest.mark.parametrize(
    "value", ["häl", "a;b", 'a"b', "a,b", "a b", "a\\b", "%41", "", "a=b", "\U0001f600"]
)
def test_any_value_comes_back(app: Atila, client: TestClient, value: str) -> None:
    header = one(app, "a", value).partition(";")[0]
    assert header.isascii()
    app.route("/back")(lambda was: was.cookie["a"])
    assert client.get("/back", headers={"cookie": header}).text == value


@given(st.text())
def test_values_round(value: str) -> None:
    header = build("a", value[:300])
    assert parse(header.partition(";")[0])["a"] == value[:300]
    assert header.isprintable()
    assert header.isascii()


# Abuse


@pytest.mark.parametrize(
    "options",
    [
        {"key": "a=b"},
        {"key": "a;b"},
        {"key": "a b"},
        {"key": ""},
        {"key": "a\r\nX: 1"},
        {"key": "ä"},
        {"path": "/\r\nSet-Cookie: x=1"},
        {"path": "/; Domain=evil"},
        {"path": "relative"},
        {"domain": "evil; Path=/"},
        {"domain": "a\nb"},
        {"domain": ""},
        {"samesite": "Lax; Domain=evil"},
        {"expires": "tomorrow"},
        {"val": "x" * 5000},
    ],
)
def test_injection_is_refused(app: Atila, client: TestClient, options: dict[str, Any]) -> None:
    @app.route("/")
    def index(was):
        with pytest.raises(ValueError, match=r"."):
            was.cookie.set(**{"key": "a", "val": "1", **options})
        return "refused"

    answer = client.get("/")
    assert answer.text == "refused"
    assert sent(answer) == []


def test_a_value_cannot_add_a_header(app: Atila) -> None:
    assert one(app, "a", "1\r\nX: 1; Domain=evil").startswith("a=1%0D%0AX:%201%3B%20Domain=evil; ")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        (";;;", {}),
        ("=", {}),
        ("=1", {}),
        ("a", {}),
        ("a=", {"a": ""}),
        ("a=1;a=2", {"a": "1"}),
        (' a = "1" ;b=2', {"a": "1", "b": "2"}),
        ('a="', {"a": '"'}),
        ('a=""', {"a": ""}),
        ("a=%", {"a": "%"}),
        ("a=%zz%4", {"a": "%zz%4"}),
        ("a=%ff", {"a": "\ufffd"}),
        ("a=b=c", {"a": "b=c"}),
        ("[]={}; $Version=1", {"[]": "{}", "$Version": "1"}),
    ],
)
def test_parsing(header: str, found: dict[str, str]) -> None:
    assert parse(header) == found


@given(st.text())
def test_parsing_never_fails(header: str) -> None:
    parse(header)


@pytest.mark.measures
def test_parsing_takes_no_time() -> None:
    before = time.perf_counter()
    assert len(parse("".join(f"c{number}=%41;" for number in range(200_000)))) == 500
    parse('a="' * 100_000)
    parse("=" * 1_000_000)
    assert time.perf_counter() - before < 1.0


def test_values_are_not_in_a_repr(app: Atila, client: TestClient) -> None:
    app.route("/")(lambda was: repr(was.cookie))
    assert "secret" not in client.get("/", headers={"cookie": "a=secret"}).text
