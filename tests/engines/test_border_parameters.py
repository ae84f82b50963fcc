"""Parameters that a client names like our own arguments, or that stand in for those of the path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from support.servers import Server
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE

SCRIPT = Path(__file__).with_name("apps") / "together.py"
HOST = "bordering.test"

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def given(client: httpx.Client, path: str, name: str, way: str) -> httpx.Response:
    """The answer of a path that is given a parameter of a name."""
    match way:
        case "query":
            return client.get(path, params={name: "1"})
        case "form":
            return client.post(path, data={name: "1"})
        case "multipart":
            return client.post(path, files={name: (None, "1")})
        case _:
            return client.post(path, json={name: "1"})


WAYS = pytest.mark.parametrize("way", ["query", "form", "multipart", "JSON"])


@WAYS
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/anything", "was"),
        ("/named-otherwise", "context"),
        ("/nothing-else", "was"),
        ("/coroutine", "was"),
        ("/async", "was"),
    ],
)
def test_name_of_the_context_is_not_the_clients(
    client: httpx.Client, path: str, name: str, way: str
) -> None:
    answer = given(client, path, name, way)
    assert answer.status_code == 400
    assert f"unknown parameter '{name}'" in answer.json()["detail"]


@WAYS
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/by-position", "was"),
        ("/named-otherwise", "was"),
        *(("/anything", name) for name in ("self", "handler", "params", "args", "cls", "app")),
        *(("/coroutine", name) for name in ("handler", "generator", "params", "self")),
    ],
)
def test_other_names_are(client: httpx.Client, path: str, name: str, way: str) -> None:
    assert given(client, path, name, way).json() == {name: "1"}


def test_name_of_the_context_at_a_websocket(server: Server) -> None:
    if server.engine == "gunicorn":
        pytest.skip("gunicorn: WSGI has no WebSocket")

    def open_socket(query: str) -> Any:
        url = f"ws://{HOST}/chatty?{query}"
        return connect(url, sock=server.connect().socket, open_timeout=PATIENCE)

    with open_socket("self=1") as socket:
        socket.send("x")
        assert json.loads(socket.recv(PATIENCE)) == {"self": "1"}
    with pytest.raises(InvalidStatus) as refused:
        open_socket("was=1")
    assert refused.value.response.status_code in (400, 403)


BODIES = [(json.dumps, JSON), (urlencode, FORM)]


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ({"id": "8"}, 8),
        ({"id": "-8"}, -8),
        ({"id": "me"}, "me"),
        ({"id": "notme"}, "notme"),
        ({"id": "new"}, "new"),
        ({"other": "1"}, 7),
    ],
)
@pytest.mark.parametrize("way", [0, 1], ids=["JSON", "form"])
def test_what_fits_the_rule_may_be_in_the_body(
    client: httpx.Client, sent: dict[str, str], value: Any, way: int
) -> None:
    write, headers = BODIES[way]
    answer = client.post("/users/7", content=write(sent), headers=headers)
    data = {"other": "1"} if "other" in sent else {}
    assert answer.json() == [value, {"id": value}, value, data]


def test_number_of_json_may_be_in_the_body(client: httpx.Client) -> None:
    assert client.post("/users/7", json={"id": 8}).json()[0] == 8
    assert client.post("/prices/1.5", json={"price": 2}).text == "2.0"
    assert client.post("/prices/1.5", json={"price": 2.5}).json() == 2.5
    assert client.post("/users/7", json={"id": None}).json()[0] is None  # as by default


@pytest.mark.parametrize(
    "value",
    ["abc", "", "1.5", "٣", "1 ", "ME", {"$ne": 1}, [1], [], 1.5, True, False, {}, ["1", "2"]],
    ids=repr,
)
def test_what_does_not_fit_the_rule_is_refused(client: httpx.Client, value: Any) -> None:
    for path in ("/users/7", "/users", "/unbound/7"):
        answer = client.post(path, json={"id": value})
        assert answer.status_code == 400
        assert "parameter 'id' must fit <int:id> of the path" in answer.json()["detail"]


@pytest.mark.parametrize("value", [{"$ne": 1}, [1], 1, True, None, ""], ids=repr)
def test_text_of_the_rule_is_text(client: httpx.Client, value: Any) -> None:
    answer = client.post("/names/Hans", json={"name": value})
    assert answer.status_code == 400
    assert "<str:name>" in answer.json()["detail"]


def test_form_that_does_not_fit_the_rule(client: httpx.Client) -> None:
    for data in ({"id": "abc"}, {"id": ["1", "2"]}):
        assert client.post("/users/7", data=data).status_code == 400
    upload = client.post("/users/7", files={"id": ("a.txt", b"1")})
    assert upload.status_code == 400
    assert client.post("/prices/1.5", data={"price": "1.x"}).status_code == 400


def test_query_stands_in_for_what_the_path_leaves_out_only(client: httpx.Client) -> None:
    assert client.get("/users?id=8").json()[0] == 8
    assert client.get("/users?id=abc").status_code == 400
    assert client.get("/users/7?id=abc").json()[0] == 7
