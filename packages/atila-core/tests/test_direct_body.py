"""A body that one parameter takes goes a direct way: it gives what the long one gives."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any

import annotated_types as at
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila, Body, HTTPError, Was
from atila.testing.client_request import ClientRequest
from atila.validation.binding import Binding
from atila.validation.direct import direct_body

ALONE = {"tasks": None, "auth": None, "render": None, "ws": None}
JSON = "application/json"


class Part(msgspec.Struct):
    id: int
    price: float = 0.5


class Order(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    parts: list[Part] = []


class Row(msgspec.Struct):
    id: int
    name: str


class Stock(msgspec.Struct):
    title: str
    rows: list[Row]


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    id: int


@dataclasses.dataclass
class Plain:
    count: Annotated[int, at.Gt(0)]
    note: str | None = None


class Pydantic(pydantic.BaseModel):
    count: pydantic.PositiveInt


def order(was: Was, order: Order) -> str:
    return ""


def stock(was: Was, stock: Stock) -> str:
    return ""


def under(was: Was, id: int, order: Order) -> str:
    return ""


def closed(was: Was, body: Closed) -> str:
    return ""


def plain(was: Was, body: Plain) -> str:
    return ""


def of_pydantic(was: Was, body: Pydantic) -> str:
    return ""


def numbers(was: Was, body: Annotated[list[int], Body()]) -> str:
    return ""


def maybe(was: Was, order: Order | None = None) -> str:
    return ""


HANDLERS = {
    "/order": order, "/stock": stock, "/under/<int:id>": under, "/closed": closed, "/plain": plain,
    "/pydantic": of_pydantic, "/numbers": numbers, "/maybe": maybe,
}  # fmt: skip
APP = Atila(__name__, layers=ALONE)
for _rule, _handler in HANDLERS.items():
    APP.route(_rule, methods=["POST"])(_handler)
CLIENT = APP.test_client()


def opened(url: str, body: bytes, media: str = JSON, **more: str) -> tuple[Was, Binding]:
    request = ClientRequest("POST", url, [("content-type", media), *more.items()], body)
    was = APP.site.open(CLIENT._exchange(request))
    assert isinstance(was.endpoint.binding, Binding)
    return was, was.endpoint.binding


def _not_directly(was: Was) -> Mapping[str, Any]:
    raise AssertionError("it takes the long way")


def _shown(values: Mapping[str, Any]) -> list[str]:
    # 1 and 1.0 are alike otherwise, and True.
    return sorted(map(repr, values.items()))


def bound(url: str, body: bytes, media: str, *, directly: bool) -> Any:
    """The parameters of a request and all its arguments, or its error."""
    was, binding = opened(url, body, media)
    assert binding.bind != binding.long_way
    bind = binding.bind if directly else binding.long_way
    try:
        return _shown(bind(was)), _shown(was.args)
    except HTTPError as error:
        return error.code, error.detail, error.errors, type(error.__context__)


STOCKS = [
    b'{"title":"a","rows":[{"id":1,"name":"b"},{"id":2,"name":"c"}]}',
    b'{"title":"a","rows":[]}',
    # As many colons as keys that are wanted, or as many more as there are in texts.
    b'{"title":"a:","rows":[{"id":1,"name":"{"}]}',
    b'{"title":"a","rows":[{"id":1,"name":"b","id":2}]}',
    b'{"title":"a","rows":[{"id":1,"name":":","id":2}]}',
    b'{"title":"a","rows":[{"id":1,"name":"\\u003a"}]}',
    b'{"title":"a","rows":[{"id":1,"n\\u0061me":"b"}]}',
    b'{"title":"a","rows":[{"id":1}],"title":"b"}',
    b'{"title":"a","rows":[{"id":1,"id":2}]}',
    b'{"title":"a","rows":[{"id":1,"name":"b"}],"rows":[]}',
    b'{"title":"a","rows":[],"rows":[{"id":1,"name":"b"}]}',
    b'{"title":"a","rows":[],"more":{"a":1}}',
]
VALUES = st.one_of(
    st.sampled_from(
        [{"name": "a", "parts": [{"id": 1}]}, {"id": 7}, {"count": 3}, [1, 2], {"name": "toolong"},
         {"name": "a", "more": 1}, {"id": 1, "name": "b"}, {"count": 0}, {"count": "3"}, None, 3,
         {"name": "a", "parts": [{"id": "x"}]}, {"id": 2**80}, [2**70], {"count": 1, "note": None}]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "id", "count", "x"]), inner, max_size=3),
        max_leaves=6,
    ),
)  # fmt: skip
BODIES = st.one_of(
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [b"", b"{", b"nan", b'{"name":"a","name":"b"}', b'{"name":"\\u0061"}', b"\xff", b"[1e400]",
         b'{"id":1,"id":1}', b'{"name":":"}', *STOCKS, b'{"count":1.0}', b"[" * 5000, b" [1] "]
    ),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    rule=st.sampled_from(list(HANDLERS)),
    body=BODIES,
    query=st.sampled_from(["", "", "", "?id=3", "?x=1"]),
    media=st.sampled_from(
        [JSON, JSON, "application/merge-patch+json; charset=utf-8", "text/plain"]
    ),
)
def test_both_ways_lead_to_the_same(rule: str, body: bytes, query: str, media: str) -> None:
    url = rule.replace("<int:id>", "7") + query
    ways = [bound(url, body, media, directly=directly) for directly in (True, False)]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("body", STOCKS)
def test_keys_that_are_counted_are_found_twice_as_they_are_by_the_long_way(body: bytes) -> None:
    ways = [bound("/stock", body, JSON, directly=directly) for directly in (True, False)]
    assert ways[0] == ways[1]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/order", b'{"name":"a","parts":[{"id":1}]}'),
        ("/stock", STOCKS[0]),
        ("/stock", STOCKS[2]),
        ("/under/7", b'{"name":"a"}'),
        ("/closed", b'{"id":1}'),
        ("/plain", b'{"count":1,"note":"n"}'),
        ("/pydantic", b'{"count":1}'),
        ("/numbers", b"[1,2]"),
        ("/maybe", b'{"name":"a"}'),
    ],
)
def test_a_body_without_a_fault_takes_the_direct_way(url: str, body: bytes) -> None:
    was, binding = opened(url, body)
    assert direct_body(binding, _not_directly)(was)
    assert was._given is not None


@pytest.mark.parametrize(
    ("url", "body", "media", "status", "told"),
    [
        ("/order", b'{"name":"a","name":"b"}', JSON, 400,
         "the body is not valid JSON: the key 'name' twice"),
        ("/under/7", b'{"name":"a","id":8}', JSON, 400,
         "parameter 'id' must be the same as in the path"),
        ("/order?x=1", b'{"name":"a"}', JSON, 400, "unknown parameter 'x'"),
        ("/numbers", b'["x"]', JSON, 400, "parameter '[0]' must be a whole number, not 'x'"),
    ],
)  # fmt: skip
def test_faults_have_the_words_that_they_had(
    url: str, body: bytes, media: str, status: int, told: str
) -> None:
    headers = {"content-type": media, "accept": JSON}
    answer = CLIENT.post(url, data=body, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (status, told)


def test_a_compressed_body_is_refused() -> None:
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    assert CLIENT.post("/order", data=b'{"name":"a"}', headers=headers).status_code == 415


def test_a_handler_with_more_than_path_and_body_has_the_long_way() -> None:
    app = Atila(__name__, layers=ALONE)

    @app.route("/more", methods=["POST"])
    def more(was: Was, order: Order, page: int = 1) -> str:
        return f"{order.name} {page}"

    @app.route("/any", methods=["POST"])
    def anything(was: Was, order: Order, **rest: Any) -> str:
        return f"{order.name} {sorted(rest)}"

    @app.route("/raw", methods=["POST"])
    def raw(was: Was, body: Annotated[bytes, Body()]) -> bytes:
        return body

    client = app.test_client()
    assert client.post("/more?page=3", json={"name": "a"}).text == "a 3"
    assert client.post("/any?q=1", json={"name": "a"}).text == "a ['q']"
    assert client.post("/raw", data=b"\x00", headers={"content-type": "x/y"}).content == b"\x00"
    for endpoint in app.endpoints:
        binding = endpoint.binding
        assert binding is not None
        assert binding.bind == binding.long_way
