"""Answers that failed or came empty: written files, formats that a client wants alike."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest

from atila import Atila
from atila.testing import TestClient
from atila_render.data.json import writer
from atila_render.data.negotiation import best

OFFERS = ("text/html", "application/json", "application/xml")

NAIVE = datetime.datetime(2024, 7, 1, 12)


def _refuse(value: object) -> object:
    """An encoder of an app that knows no type."""
    raise TypeError


@pytest.fixture
def app() -> Atila:
    return Atila(__name__)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


@pytest.mark.parametrize(
    ("accept", "right"),
    [
        ("application/json, text/html", "application/json"),
        ("text/html, application/json", "text/html"),
        ("application/xml, application/json", "application/xml"),
        ("application/json;q=0.5, text/html", "text/html"),
        ("*/*, application/json", "application/json"),
        ("application/*", "application/json"),
        ("*/*", "text/html"),
    ],
)
def test_of_types_wanted_alike_the_first_is_given(accept: str, right: str) -> None:
    assert best(accept, OFFERS) == right


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("kind", ["bytes", "text", "disk"])
@pytest.mark.parametrize(("at", "right"), [(None, "abcdef"), (0, "abcdef"), (2, "cdef")])
def test_a_file_that_was_just_written(
    app: Atila, client: TestClient, tmp_path: Any, wrapped: bool, kind: str, at: Any, right: str
) -> None:
    @app.route("/")
    def index(was):
        if kind == "text":
            file: Any = io.StringIO()
        else:
            file = io.BytesIO() if kind == "bytes" else open(tmp_path / "file", "w+b")  # noqa: SIM115
        file.write("abcdef" if kind == "text" else b"abcdef")
        if at is not None:
            file.seek(at)
        return was.File(file, "text/plain") if wrapped else file

    assert client.get("/").text == right


@pytest.mark.parametrize("kind", ["application/json", "application/xml"])
def test_an_answer_within_an_answer(app: Atila, client: TestClient, kind: str) -> None:
    @app.route("/")
    def index(was):
        return was.response("201 Created", was.API("202 Accepted", {"at": NAIVE}), {"X-One": "1"})

    answer = client.get("/", headers={"accept": kind})
    assert (answer.status_code, answer.headers["x-one"]) == (201, "1")
    assert "2024-07-01T12:00:00" in answer.text
    assert "00:00:00" not in answer.text
    assert "+" not in answer.text


@pytest.mark.parametrize("encoder", [None, "rfc3339", "str", _refuse])
def test_a_datetime_without_offset_has_none(encoder: Any) -> None:
    separator = " " if encoder == "str" else "T"
    assert writer(encoder)([NAIVE]) == f'["2024-07-01{separator}12:00:00"]'.encode()
    aware = NAIVE.replace(tzinfo=datetime.UTC)
    assert writer(encoder)([aware]) == f'["2024-07-01{separator}12:00:00+00:00"]'.encode()
