"""Answers that failed or came empty: written files, formats that a client wants alike."""

from __future__ import annotations

import io
from typing import Any

import pytest

from atila import Atila
from atila.testing import TestClient
from atila_render.data.negotiation import best

OFFERS = ("text/html", "application/json", "application/xml")


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


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
