"""Bodies of unusual types, and seldom answers, over real connections."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

SCRIPT = Path(__file__).with_name("apps") / "border_bodies.py"
BODY = b'{"name": "Hans"}'


@pytest.mark.parametrize("kind", ["text/json", "application/vnd.a+json; charset=utf-8"])
def test_all_types_of_json_are_read(client: httpx.Client, kind: str) -> None:
    answer = client.post("/named", content=BODY, headers={"content-type": kind})
    assert (answer.status_code, answer.text) == (200, "Hans")


@pytest.mark.parametrize("kind", [None, "text/plain"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_would_vanish_is_refused(
    client: httpx.Client, kind: str | None, chunked: bool
) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = client.post("/named", content=iter((BODY,)) if chunked else BODY, headers=headers)
    assert answer.status_code == 415
    assert (kind or "no Content-Type") in answer.json()["detail"]
    assert client.post("/raw?mode=w", content=BODY, headers=headers).text == "w 16"


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_compressed_body_is_refused(client: httpx.Client, coding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    answer = client.post("/named", content=gzip.compress(BODY), headers=headers)
    assert answer.status_code == 415
    assert coding in answer.json()["detail"]
    assert answer.headers["accept-encoding"] == "identity"


def test_a_file_with_an_extended_name_alone(client: httpx.Client) -> None:
    body = (
        "--b\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''h%C3%A4l.txt\r\n\r\n"
        "abc\r\n--b--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/upload", content=body, headers=headers).text == "häl.txt 3"


def test_a_file_that_was_just_written(client: httpx.Client) -> None:
    assert client.get("/written").text == "written"


@pytest.mark.parametrize("way", ["returned", "streamed", "raised"])
def test_reason_phrase_is_sent_where_it_can_be(client: httpx.Client, engine: str, way: str) -> None:
    answer = client.get(f"/reason/{way}")
    assert answer.status_code == 488
    assert (answer.reason_phrase == "Not My Fault") is (
        engine in ("skitai", "gunicorn", "waitress")
    )
    # The next answer of the connection has its own.
    assert client.get("/").reason_phrase == ("" if engine == "hypercorn" else "OK")


def test_reason_phrase_adds_no_header(client: httpx.Client) -> None:
    answer = client.get("/reason/unsafe")
    assert answer.status_code == 488
    assert "x-bad" not in answer.headers


def test_of_types_wanted_alike_the_first_is_given(client: httpx.Client) -> None:
    for accept in ("application/xml, application/json", "application/json, application/xml"):
        answer = client.get("/wanted", headers={"accept": accept})
        assert answer.headers["content-type"] == accept.partition(",")[0]


def test_an_answer_within_an_answer(client: httpx.Client) -> None:
    answer = client.post("/created")
    assert (answer.status_code, answer.headers["x-one"]) == (201, "1")
    assert answer.json() == {"id": 1, "at": "2024-07-01T12:00:00"}
    text = client.post("/created", headers={"accept": "application/xml"}).text
    assert "<at>2024-07-01T12:00:00</at>" in text
