"""Access control of calls by JSON-RPC: no way around it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from atila import Atila
from atila.testing import TestResponse


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__)
    app.users = {"hans": ("1234", False, "user"), "staff": ("1234", False, "staff")}

    @app.permission_handler
    def permission_handler(was: Any, perms: list[str]) -> None:
        if "staff" in perms and was.request.user.info != "staff":
            raise was.Error("403 Permission Denied")

    @app.route("/animals/<id>", methods=["POST"], authenticate="basic")
    @app.permission_required(id=["staff"])
    def animals(was: Any, id: Any = None) -> Any:
        return id or was.request.user.name

    @app.route("/counted", methods=["POST"], authenticate="digest")
    def counted(was: Any) -> str:
        return str(was.request.user)

    @app.route("/limited", methods=["POST"])
    @app.rate_limit(3, 1_000_000)
    def limited(was: Any) -> str:
        return "in"

    yield app
    app.site.shutdown(5)


def call(app: Atila, calls: Any, authorization: str = "") -> TestResponse:
    headers = {"Authorization": authorization} if authorization else {}
    return app.test_client().post("/rpc", json=calls, headers=headers | JSON_RPC)


JSON_RPC = {"Content-Type": "application/json-rpc"}


def one(method: str, params: Any, id: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:1234".encode()).decode()


@pytest.mark.parametrize("params", [[100], {"id": 100}, {"id": "100"}, [["me"]]])
def test_parameters_of_a_call_are_parameters(app: Atila, params: Any) -> None:
    answer = call(app, one("animals", params), basic("staff")).json()
    # A list is nothing that the path could give.
    fits = params != [["me"]]
    assert ("result" in answer) is fits
    assert fits or answer["error"]["code"] == -32602
    assert call(app, one("animals", params), basic("hans")).json()["error"]["code"] == 403
    assert call(app, one("animals", params)).json()["error"]["code"] == 401


def test_who_calls_for_himself(app: Atila) -> None:
    for params in ([], ["me"], {"id": "me"}, {}):
        assert call(app, one("animals", params), basic("hans")).json()["result"] in ("hans", "me")


def test_each_call_of_a_batch_is_asked(app: Atila) -> None:
    calls = [one("animals", ["me"], 1), one("animals", [7], 2), one("animals", [], 3)]
    found = {each["id"]: each for each in call(app, calls, basic("hans")).json()}
    assert (found[1]["result"], found[3]["result"]) == ("me", "hans")
    assert found[2]["error"]["code"] == 403


def test_a_batch_with_one_digest_is_no_replay(app: Atila) -> None:
    request = httpx.Request("POST", "http://localhost/rpc")
    refused = app.test_client().post("/counted")
    flow = httpx.DigestAuth("hans", "1234").sync_auth_flow(request)
    next(flow)
    response = httpx.Response(401, headers=refused.header_list, request=request)
    header = flow.send(response).headers["authorization"]
    calls = [one("counted", [], number) for number in range(3)]
    assert [each["result"] for each in call(app, calls, header).json()] == ["hans"] * 3
    assert [each["error"]["code"] for each in call(app, calls, header).json()] == [401] * 3


def test_each_call_of_a_batch_counts(app: Atila) -> None:
    calls = [one("limited", [], number) for number in range(5)]
    found = call(app, calls).json()
    assert ["result" in each for each in found] == [True] * 3 + [False] * 2
    assert {each["error"]["code"] for each in found[3:]} == {429}
