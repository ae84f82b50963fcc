"""What JSON_ENCODER makes of values, and what is told of those that cannot be written."""

from __future__ import annotations

import array
import datetime
import enum
import ipaddress
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy
import orjson
import pytest

from atila import HTTPError
from atila.testing.waits import PATIENCE
from atila_render.data.dates import NAMED
from atila_render.data.json import Unwritable, to_json, writer

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
MOMENT = datetime.datetime(2024, 2, 29, 10, 0, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (None, "2024-02-29T10:00:00+09:00"),
        ("rfc3339", "2024-02-29T10:00:00+09:00"),
        ("iso", "2024-02-29T01:00:00+00:00"),
        ("utcoffset", "2024-02-29 01:00:00+00"),
        ("digit", "20240229010000"),
        ("unixepoch", 1709168400.0),
        ("str", "2024-02-29 10:00:00+09:00"),
    ],
)
def test_named(encoder: str | None, expected: Any) -> None:
    value = {"at": MOMENT, "day": MOMENT.date(), "time": datetime.time(1, 2, 3)}
    written = orjson.loads(writer(encoder)(value))
    assert written == {"at": expected, "day": "2024-02-29", "time": "01:02:03"}


ELSEWHERE = """
import datetime, sys
from atila_render.data.json import writer
naive = datetime.datetime(2024, 7, 1, 12)
for name in (None, "iso", "str"):
    print(writer(name)([naive, datetime.datetime.min, naive.date()]).decode())
"""


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (
            "Asia/Seoul",
            [
                '["2024-07-01T12:00:00","0001-01-01T00:00:00","2024-07-01"]',
                '["2024-07-01T03:00:00+00:00","0001-01-01T00:00:00+00:00","2024-07-01"]',
                '["2024-07-01 12:00:00","0001-01-01 00:00:00","2024-07-01"]',
            ],
        ),
        (
            "UTC",
            [
                '["2024-07-01T12:00:00","0001-01-01T00:00:00","2024-07-01"]',
                '["2024-07-01T12:00:00+00:00","0001-01-01T00:00:00+00:00","2024-07-01"]',
                '["2024-07-01 12:00:00","0001-01-01 00:00:00","2024-07-01"]',
            ],
        ),
    ],
)
def test_without_offset_it_has_none_or_is_local_time_in_utc(zone: str, expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.split("\n")[:-1] == expected


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class Shop(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        if isinstance(o, Money):
            return o.cents / 100
        if isinstance(o, datetime.date):
            return o.year
        return super().default(o)


def shop(value: Any) -> Any:
    return Shop().default(value)


@pytest.mark.parametrize("encoder", [Shop, Shop(), shop])
def test_own(encoder: Any) -> None:
    write = writer(encoder)
    value = {"price": Money(150), "at": MOMENT, "set": {1}, "time": datetime.time(1)}
    assert orjson.loads(write(value)) == {
        "price": 1.5,
        "at": 2024,
        "set": [1],
        "time": "01:00:00",
    }
    with pytest.raises(Unwritable, match="of the type object"):
        write(object())


@pytest.mark.parametrize("encoder", ["utc", 7, int, [], "ISO"])
def test_no_encoder(encoder: Any) -> None:
    with pytest.raises(ValueError, match="is "):
        writer(encoder)


def test_pretty() -> None:
    assert writer(None, pretty=True)({"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}'


class Row(dict[str, Any]):
    """A mapping with attribute access."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class View(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return {"a": 1}[key]

    def __iter__(self) -> Any:
        return iter("a")

    def __len__(self) -> int:
        return 1


class Number(enum.IntEnum):
    ONE = 1


def sqlite_rows() -> list[sqlite3.Row]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute("select 1 as a, 'x' as b").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Row(a=1, b=Row(c=2)), {"a": 1, "b": {"c": 2}}),
        (View(), {"a": 1}),
        (sqlite_rows(), [{"a": 1, "b": "x"}]),
        (Number.ONE, 1),
        (ipaddress.ip_address("::1"), "::1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (ipaddress.ip_interface("10.0.0.1/8"), "10.0.0.1/8"),
        (PurePosixPath("/a/b"), "/a/b"),
        (array.array("i", [1, 2]), [1, 2]),
        (numpy.arange(3), [0, 1, 2]),
        (numpy.asfortranarray(numpy.ones((2, 2))), [[1.0, 1.0], [1.0, 1.0]]),
        (numpy.array(["a"]), ["a"]),
        (numpy.array([MOMENT], dtype=object)[0:0], []),
        (numpy.int64(3), 3),
        (numpy.float32(1.5), 1.5),
        (numpy.bool_(True), True),
    ],
)
def test_types(value: Any, expected: Any) -> None:
    assert orjson.loads(to_json(value)) == expected


def test_errors_as_data() -> None:
    error = HTTPError(404, "gone", 7)
    error.url = "/x"
    assert orjson.loads(to_json({"error": error}))["error"] == {
        "code": 404,
        "message": "Not Found",
        "detail": "gone",
        "errno": 7,
        "url": "/x",
        "time": "",
    }


class Task:
    def fetch(self) -> int:
        return 1


ENDLESS: list[Any] = []
ENDLESS.append({"a": ENDLESS})

DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"rows": [1, {"b": object()}]}, r"the value\['rows'\]\[1\]\['b'\] .* type object"),
        ({"a": 10**5000}, r"\['a'\] .* 4300 digits"),
        (["secret\ud800"], r"the value\[0\] .* surrogate"),
        ({"\ud800": 1}, "has a key that is no text"),
        ({(1, 2): 1}, "has a key that is no text"),
        ({"a": Task()}, r"\['a'\] .* is a task \(Task\)"),
        (ENDLESS, "refers to itself"),
        (DEEP, "nested too deep"),
        ({"a": {1: {2: object()}}}, r"\['a'\]\[1\]\[2\]"),
        ({"x" * 200: object()}, "xxx…"),
        (View(), None),
        (object(), "the value cannot"),
    ],
)
def test_what_cannot_be_written_is_named(value: Any, message: str | None) -> None:
    if message is None:
        to_json(value)
        return
    with pytest.raises(Unwritable, match=message) as caught:
        to_json(value)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_each_name_has_its_way() -> None:
    assert set(NAMED) == {"rfc3339", "iso", "utcoffset", "digit", "unixepoch", "str"}
