"""`@app.inspect` over a real connection on every engine."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

SCRIPT = Path(__file__).with_name("apps") / "together.py"
HOST = "inspection.test"

PERSON = {
    "name": "Jürgen",
    "email": "Hans@GMail.com",
    "key": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "height": "1.75",
    "tags": ["a", "b"],
    "gender": "",
    "birth_year": "1970",
    "title": "a < b",
    "resume": "<p>I am</p>",
    "mobile": "010-123-4567",
}
GOT = {**PERSON, "email": "Hans@gmail.com", "height": 1.75, "gender": None, "birth_year": 1970}


def detail(answer: httpx.Response) -> str:
    assert answer.status_code == 400
    return answer.json()["detail"]


def test_parameters_of_path_and_query(client: httpx.Client) -> None:
    assert client.get("/profiles/7?detail=yes").text == "[7, True]"
    assert client.get("/profiles").text == "[None, False]"
    for word in ("me", "notme", "new"):
        assert client.get(f"/profiles/{word}?detail=f").text == f"['{word}', False]"
    assert detail(client.get("/profiles/7?detail=perhaps")) == (
        "parameter 'detail' must be true or false, yes or no, y or n, t or f, not 'perhaps'"
        " [booleans]"
    )
    assert "unknown parameter 'more'" in detail(client.get("/profiles/7?more=1"))


def test_query_form_and_json_are_converted(client: httpx.Client) -> None:
    assert client.get("/people", params=PERSON).text == repr(GOT)
    assert client.post("/people", data=PERSON).text == repr(GOT)
    assert client.post("/people", json=PERSON).text == repr(GOT)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("name", "abc", "has a length of 3, which must be more than 3 [name__len__gt]"),
        ("name", "ä" * 65, "has a length of 65, which must be at most 64 [name__len__lte]"),
        ("email", "hans", "must be an e-mail address, not 'hans' [emails]"),
        ("key", "7", "must be a UUID, not '7' [uuids]"),
        ("height", "tall", "must be a number, not 'tall' [floats]"),
        ("birth_year", "x", "must be a whole number, not 'x' [birth_year]"),
        ("birth_year", "1800", "must be between 1900 and "),
        ("gender", "x", "must be one of 'male', 'female', 'not-determine', not 'x' [gender__in]"),
        ("mobile", "1", "must match [0-9]{3}-[0-9]{3}-[0-9]{4}, not '1' [mobile]"),
        ("title", "<b>a</b>", "must not have HTML tags [notags]"),
        ("resume", "<p onclick='x'>", "must not have scripts, event handlers, "),
    ],
)
def test_what_is_refused(client: httpx.Client, name: str, value: str, problem: str) -> None:
    person = {**PERSON, name: value}
    for answer in (
        client.get("/people", params=person),
        client.post("/people", data=person),
        client.post("/people", json=person),
    ):
        assert detail(answer).startswith(f"parameter {name!r} {problem}")


def test_one_or_both_of_two(client: httpx.Client) -> None:
    assert client.get("/people?email=a@b.de").is_success
    assert detail(client.get("/people?name=Hans")) == (
        "one of the parameters 'email', 'mobile' is required [manyof]"
    )


def test_inside_json(client: httpx.Client) -> None:
    order = {"lines": [{"count": "3"}]}
    assert client.post("/orders", json={"order": order}).text == "{'lines': [{'count': 3}]}"
    order["lines"][0]["count"] = "0"
    assert detail(client.post("/orders", json={"order": order})) == (
        "parameter 'order.lines[0].count' must be at least 1, not 0 [order___lines__0___count__gte]"
    )
    order["lines"].clear()
    assert "'order.lines[0].count' is missing" in detail(
        client.post("/orders", json={"order": order})
    )
    assert "must come in a JSON body" in detail(client.post("/orders", data={"order": "x"}))


def test_the_other_name_and_a_form(client: httpx.Client) -> None:
    assert client.post("/old", data={"offset": "7"}).text == "7"
    assert "'offset' must be a whole number" in detail(client.post("/old", data={"offset": "t"}))


def test_errors_are_pages_for_browsers(client: httpx.Client) -> None:
    answer = client.get(
        "/profiles/7", params={"detail": "<script>"}, headers={"Accept": "text/html"}
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
