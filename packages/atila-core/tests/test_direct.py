"""Parameters of path and query go a direct way: it gives what the long one gives, fault or not."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import annotated_types as at
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila, Cookie, Header, HTTPError, Query, Was
from atila.testing.client_request import ClientRequest
from atila.validation.binding import Binding
from atila.validation.direct import direct

ALONE = {"tasks": None, "auth": None, "render": None, "ws": None}


def one_of_each(
    was: Was,
    user: int,
    page: int,
    name: str = "-",
    limit: Annotated[int, at.Interval(ge=1, le=100)] = 10,
    ratio: float = 0.5,
    day: datetime.date | None = None,
    at_most: int | None = None,
    word: str | None = None,
    order: Literal["up", "down"] = "up",
    tags: list[int] = [],  # noqa: B006
    full: bool = False,
    either: int | bool = 0,
    other: Annotated[str, Query("o")] = "",
    untyped="",  # type: ignore[no-untyped-def]
) -> str:
    return ""


def texts(was: Was, user: str, page: str) -> str:
    return ""


def loose(was: Was, user, page: int, **more: int) -> str:  # type: ignore[no-untyped-def]
    return ""


def loose_texts(was: Was, page: int, **more: str) -> str:
    return ""


def taking_all(was: Was, page: int, **more) -> str:  # type: ignore[no-untyped-def]
    return ""


def optional(was: Was, page: int = 1, user: int | None = None) -> str:
    return ""


def of_pydantic(was: Was, user: pydantic.PositiveInt, page: pydantic.PositiveInt = 1) -> str:
    return ""


HANDLERS: list[tuple[str, Callable[..., Any]]] = [
    ("/a/<int:user>", one_of_each),
    ("/b/<user>", texts),
    ("/c/<int:user>", loose),
    ("/d/<int:user>", optional),
    ("/e/<float:user>", of_pydantic),
    ("/f/<int:user>", taking_all),
    ("/g/<user>", loose_texts),
]
APP = Atila(__name__, layers=ALONE)
for _rule, _handler in HANDLERS:
    APP.route(_rule)(_handler)
CLIENT = APP.test_client()


def bound(url: str, *, directly: bool) -> Any:
    """The parameters of a request and all its arguments, or its error."""
    exchange = CLIENT._exchange(ClientRequest("GET", url, []))
    was = APP.site.open(exchange)
    binding = was.endpoint.binding
    assert isinstance(binding, Binding)
    try:
        bind = binding.bind if directly else binding.long_way
        return dict(bind(was)), was.args
    except HTTPError as error:
        return error.code, error.detail, error.errors, type(error.__context__)


FIELDS = [
    "user", "page", "name", "limit", "ratio", "day", "at_most", "word", "order", "tags", "full",
    "either", "o", "other", "untyped", "unknown", "was",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(
        ["", "7", "07", "+7", "-7", "0", "101", "1e3", "nan", "2.5", "me", "true", "on", "up",
         "2026-01-31", "null", "ä b", "７", "9" * 301, " 7"]
    ),
    st.text(max_size=4),
)  # fmt: skip
QUERIES = st.lists(st.tuples(st.sampled_from(FIELDS), TEXTS), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    rule=st.sampled_from([rule for rule, _ in HANDLERS]),
    user=st.sampled_from(["42", "0", "me", "-3", "9" * 300]),
    query=QUERIES,
    has_page=st.booleans(),
)
def test_both_ways_lead_to_the_same(
    rule: str, user: str, query: list[tuple[str, str]], has_page: bool
) -> None:
    fields = [("page", "3"), *(f for f in query if f[0] != "page")] if has_page else query
    url = f"{rule.rpartition('/')[0]}/{user}?{urlencode(fields)}"
    assert bound(url, directly=True) == bound(url, directly=False)


@pytest.mark.parametrize(
    "url",
    [
        "/a/42?page=3",
        "/a/42?page=3&limit=100&ratio=1&day=2026-01-31&at_most=&word=&order=down&tags=1&tags=2",
        "/a/42?page=3&either=true&o=x&untyped=y&full=off&at_most=5",
        "/d",
        "/d/42?page=2",
        "/a/42?page=3&tags=1&limit=5&tags=2&untyped=x&untyped=y",
        "/a/42?page=%33&name=Hans+Roh",
        "/f/42?page=3",
        "/g/x?page=3",
    ],
)
def test_a_request_without_a_fault_takes_the_direct_way(url: str) -> None:
    was = APP.site.open(CLIENT._exchange(ClientRequest("GET", url, [])))
    binding = was.endpoint.binding
    assert isinstance(binding, Binding)
    direct(binding, otherwise=pytest.fail)(was)
    assert was._given is not None


def test_there_are_no_more_fields_than_allowed() -> None:
    url = "/a/42?page=3&" + "&".join(["tags=1"] * APP.config.MAX_FIELDS)
    answer = bound(url, directly=True)
    assert answer == bound(url, directly=False)
    assert answer[:2] == (400, "more than 1000 fields")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("/a/42?page=x", "parameter 'page' must be a whole number, not 'x'"),
        ("/a/42", "parameter 'page' is required"),
        ("/a/42?page=1&limit=101", "parameter 'limit' must be at most 100, not 101"),
        ("/a/42?page=1&ratio=nan", "parameter 'ratio' must be a number, not 'nan'"),
        ("/a/42?page=1&user=43", "parameter 'user' must be the same as in the path"),
        ("/a/me?page=1", "parameter 'user' must be a whole number, not 'me'"),
        ("/d/42?pages=1", "unknown parameter 'pages'; known are page"),
        ("/d/42?page=%ff", "a field is not percent-encoded UTF-8"),
    ],
)
def test_faults_have_the_words_that_they_had(url: str, told: str) -> None:
    answer = CLIENT.get(url, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (400, told)


def test_more_faults_in_one_parameter_than_are_listed() -> None:
    answer = CLIENT.get("/a/42?page=1&" + "&".join(["tags=x"] * 200))
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 100


def test_a_handler_that_takes_more_than_path_and_query_has_the_long_way() -> None:
    app = Atila(__name__, layers=ALONE)

    @app.route("/head")
    def head(was: Was, page: int, agent: Annotated[str, Header("user-agent")] = "") -> str:
        return ""

    @app.route("/cookie")
    def cookie(was: Was, page: int, theme: Annotated[str, Cookie()] = "") -> str:
        return ""

    @app.route("/twice/<int:id>")
    def twice(was: Was, id: int, other: Annotated[int, Query("id")] = 0) -> str:
        return f"{id} {other}"

    @app.route("/both")
    def both(was: Was, a: Annotated[int, Query("k")] = 1, b: Annotated[int, Query("k")] = 2) -> str:
        return f"{a} {b}"

    client = app.test_client()
    assert client.get("/both?k=3").text == "3 3"
    assert client.get("/both?k=3&z=1").status_code == 400
    assert client.get("/twice/7").text == "7 0"
    assert client.get("/twice/7?id=7").text == "7 7"
    assert client.get("/twice/7?id=8").status_code == 400
    of = {endpoint.route.rule: endpoint for endpoint in app.endpoints}
    for rule in ("/head", "/cookie", "/twice/<int:id>", "/both"):
        binding = of[rule].binding
        assert binding is not None
        assert binding.bind == binding.long_way
