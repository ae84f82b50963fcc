"""JSON is exact: integers of any length in both directions, and values that JSON does not have."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import fractions
import ipaddress
import json as standard
import pathlib
import types
import uuid
from collections import OrderedDict, UserDict, UserList, UserString, deque, namedtuple
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila
from atila.values import json
from atila.values.plain import plain

# Integers ---

LONG = [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, -(10**100)]


@pytest.mark.parametrize("number", LONG)
def test_integers_are_exact(number: int) -> None:
    for value in (number, [number], {"a": {"b": [1, number, "x"]}}, (number,), {number: number}):
        text = json.dumps(value)
        assert text == standard.dumps(value, separators=(",", ":")).encode()
        assert json.loads(text) == standard.loads(text)
    assert json.dumps({"a": number}, None) == b'{"a":%d}' % number
    for strict in ({number: 1}, {"a": {1: number}}, [number, Decimal(1)], [number, {1}]):
        with pytest.raises(TypeError):
            json.dumps(strict, None)


class Level(enum.IntEnum):
    HIGH = 2**70


class Grand(int):
    pass


@dataclasses.dataclass
class Pair:
    left: Any
    _hidden: int = 0


Point = namedtuple("Point", "x y")


def test_long_integers_wherever_they_are() -> None:
    big = 2**70
    assert json.loads(json.dumps(Level.HIGH)) == big
    assert json.loads(json.dumps([Grand(big)])) == [big]
    assert json.loads(json.dumps(Pair(big))) == {"left": big}
    assert json.loads(json.dumps(Point(big, 1))) == [big, 1]
    assert json.loads(json.dumps({"a": {1, big}}))["a"] in ([1, big], [big, 1])
    assert json.loads(json.dumps([UserDict(a=big), deque([big])])) == [{"a": big}, [big]]
    day = datetime.date(2026, 1, 2)
    assert json.loads(json.dumps([big, day, {day: uuid.UUID(int=1)}, 1.5, None, True])) == [
        big,
        "2026-01-02",
        {"2026-01-02": str(uuid.UUID(int=1))},
        1.5,
        None,
        True,
    ]
    pretty = json.dumps({"a": big}, option=orjson.OPT_INDENT_2)
    assert pretty == b'{\n  "a": %d\n}' % big


def test_longer_than_python_reads() -> None:
    assert json.loads("9" * 4300) == int("9" * 4300)
    for text in ("9" * 4301, "1e400", "-1e400", "[1, 1e999]"):
        with pytest.raises(json.NotJSON, match="out of range"):
            json.loads(text)
    with pytest.raises(TypeError, match="4300 digits"):
        json.dumps([10**5000])


numbers = st.integers() | st.integers(2**60, 2**80)
values = st.recursive(
    st.none() | st.booleans() | st.text() | numbers | st.floats(-1e300, 1e300),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(values)
def test_comes_back_as_it_was(value: Any) -> None:
    found = json.loads(json.dumps(value))
    assert found == value
    assert standard.dumps(found) == standard.dumps(value)


FLAWS = {
    "[1,]": "trailing comma",
    "": "empty",
    "{": "line 1, column",
    "[1,\n x]": "line 2, column 2",
    b'"\xff"': "UTF-8",
    '"\\ud800"': "surrogate",
    "NaN": "column 1",
    "\ufeff1": "byte order mark",
    "1 2": "column 3",
    '{"a" 1}': "column 6",
}


@pytest.mark.parametrize("text", FLAWS)
def test_what_is_no_json(text: Any) -> None:
    with pytest.raises(json.NotJSON) as caught:
        json.loads(text)
    assert FLAWS[text] in str(caught.value)


@pytest.mark.parametrize("inside", ["1", "18446744073709551616", '{"a": 1}'])
def test_what_clients_send_can_be_answered(inside: str) -> None:
    levels = json.DEEPEST_SENT - inside.count("{")
    text = "[" * levels + inside + "]" * levels
    for sent in (text, text.encode()):
        assert json.dumps({"sent": [json.loads_sent(sent)]})
    with pytest.raises(json.NotJSON, match="nested deeper than 200 levels"):
        json.loads_sent(f"[{text}]")
    # Many, but beside each other.
    assert len(json.loads_sent("[" + "[[]]," * 500 + "{}]")) == 501
    # A store has what it was given.
    assert json.loads(f"[{text}]")


def test_too_deep() -> None:
    with pytest.raises(json.NotJSON):
        json.loads("[" * 100_000 + "]" * 100_000)
    endless: list[Any] = [2**70]
    endless.append(endless)
    with pytest.raises(TypeError):
        json.dumps(endless)


# Values that JSON does not have -------------------------------------------------------------------


class DriversUUID(uuid.UUID):
    """As asyncpg has one."""


class DriversMoment(datetime.datetime):
    """As many libraries have one."""


Range = types.new_class("Range", (), {}, lambda names: names.update(__module__="asyncpg.types"))


def ranged(lower: Any, upper: Any, bounds: str = "[)", *, empty: bool = False) -> Any:
    made = Range()
    made.lower, made.upper, made.isempty = lower, upper, empty
    made.lower_inc, made.upper_inc = bounds[0] == "[", bounds[1] == "]"
    return made


NINE = datetime.timezone(datetime.timedelta(hours=9))

PLAIN: list[tuple[Any, Any]] = [
    (DriversUUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (DriversMoment(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
    (datetime.time(10, 0, 1, 5, tzinfo=NINE), "10:00:01.000005+09:00"),
    (datetime.timedelta(days=1, seconds=90), "P1DT90S"),
    (datetime.timedelta(seconds=-1.5), "-PT1.5S"),
    (datetime.timedelta(0), "P0D"),
    (Decimal("1.10"), "1.10"),
    (fractions.Fraction(1, 3), "1/3"),
    (ipaddress.ip_address("::1"), "::1"),
    (ipaddress.ip_interface("10.0.0.1/8"), "10.0.0.1/8"),
    (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
    (pathlib.Path("/a/b"), "/a/b"),
    (b"\x00\xff", "AP8="),
    (bytearray(b"\x00\xff"), "AP8="),
    (memoryview(b"\x00\xff"), "AP8="),
    (deque([1, 2]), [1, 2]),
    (frozenset([1]), [1]),
    (Point(1, 2), [1, 2]),
    (range(3), [0, 1, 2]),
    (UserList([1]), [1]),
    (UserDict(a=1), {"a": 1}),
    (OrderedDict(a=1), {"a": 1}),
    (UserString("a"), "a"),
    ({"a": 1}.values(), [1]),
    ({"a": 1}.keys(), ["a"]),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (ranged(1, 5), "[1,5)"),
    (ranged(None, Decimal("1.5"), "(]"), "(,1.5]"),
    (ranged(datetime.date(2026, 1, 2), None), "[2026-01-02,)"),
    (ranged("a,b", 'c"\\', "[]"), '["a,b","c\\"\\\\"]'),
    (ranged(None, None, empty=True), "empty"),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=lambda value: type(value).__name__)
def test_what_stands_for_values(value: Any, expected: Any) -> None:
    assert json.loads(json.dumps(value)) == expected
    assert json.loads(json.dumps({"a": [value, 2**70]})) == {"a": [expected, 2**70]}


def test_keys() -> None:
    keys = [DriversUUID(int=1), Decimal("2.0"), datetime.time(1, tzinfo=NINE), None, True, 1.5, 7]
    expected = [str(uuid.UUID(int=1)), "2.0", "01:00:00+09:00", "null", "true", "1.5", "7"]
    assert list(json.loads(json.dumps(dict.fromkeys(keys)))) == expected
    with pytest.raises(TypeError):
        json.dumps({object(): 1})
    with pytest.raises(TypeError):
        json.dumps({Point(1, 2): 1})


@pytest.mark.parametrize("value", [object(), lambda: 1, iter([1]), 1j, type, Ellipsis])
def test_what_nothing_stands_for(value: Any) -> None:
    with pytest.raises(TypeError):
        plain(value)
    with pytest.raises(TypeError):
        json.dumps({"a": [value]})


def test_pydantic_and_its_secrets() -> None:
    pydantic = pytest.importorskip("pydantic")
    assert plain(pydantic.AnyUrl("https://example.com/a")) == "https://example.com/a"
    assert plain(pydantic.SecretStr("hunter2")) == "**********"
    assert plain(pydantic.SecretBytes(b"hunter2")) in ("**********", "b'**********'")


# Where it is used ---------------------------------------------------------------------------------


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers={"tasks": None, "auth": None, "render": None, "ws": None})


@pytest.mark.parametrize("number", LONG)
def test_bodies_and_stores(app: Atila, number: int) -> None:
    @app.route("/", methods=["POST"])
    def index(was: Any, n: Any) -> str:
        app.store["n"] = was.g["n"] = [n]
        return f"{n} {app.store['n'][0]} {was.g['n'][0]} {type(n).__name__}"

    client = app.test_client()
    assert client.post("/", json={"n": number}).text == f"{number} {number} {number} int"


@pytest.mark.parametrize("number", ["1e400", "9" * 4301])
def test_numbers_that_are_refused(app: Atila, number: str) -> None:
    @app.route("/", methods=["POST"])
    def index(was: Any, n: Any) -> str:
        return "taken"

    answer = app.test_client().post(
        "/", data=f'{{"n": {number}}}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert "out of range" in answer.json()["detail"]
