"""Sessions, messages, CSRF and one-time tokens, by two workers, over real connections."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.servers import USUAL, Server, serving
from support.wire import Answer
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE, wait_until
from atila.was import generate_otp
from atila_auth.sealing.seal import sealer

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "sealed.py"
KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
OLD_KEY = "an old key, which has been rotated out"
WORKERS = 2
CONTEXT = "atila-session\0/\0"
SESSION, BOX, CSRF = "atila-session", "atila-mbox", "atila-csrf"


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    """Two workers of apps/sealed.py."""
    with serving(engine, SCRIPT, WORKERS) as server:
        by_worker(server, "/")
        yield server


@pytest.fixture
def stranger(server: Server) -> Iterator[httpx.Client]:
    """Another client, with cookies of its own."""
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
        yield client


def set_cookies(answer: httpx.Response) -> dict[str, str]:
    """The Set-Cookie headers, by the name of the cookie."""
    lines = answer.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line for line in lines}


def ask(server: Server, target: str, cookie: str = "") -> Answer:
    """GET on a connection of its own, with a cookie."""
    with server.connect() as connection:
        return connection.get(target, [("Connection", "close"), ("Cookie", cookie)])


def cookie_of(lines: list[str]) -> str:
    """The Cookie header with which a browser answers Set-Cookie headers."""
    return "; ".join(line.partition(";")[0] for line in lines)


def by_worker(server: Server, target: str, cookie: str = "") -> dict[str, Any]:
    """What each worker answers, asked until all have."""
    found: dict[str, Any] = {}

    def all_answered() -> bool:
        # At once, since there are servers that give all to one worker as long as it is idle.
        with ThreadPoolExecutor(8) as clients:
            for answer in clients.map(lambda _: ask(server, target, cookie), range(8)):
                found[answer.header("x-worker") or ""] = json.loads(answer.text)
        return len(found) >= WORKERS

    wait_until(all_answered, "each worker answers")
    return found


# Session ----------------------------------------------------------------------------------------


def test_session(client: httpx.Client, stranger: httpx.Client) -> None:
    answer = client.get("/session", params={"hansroh": "hans"})
    assert answer.json() == {"user_id": "hans"}
    line = set_cookies(answer)[SESSION]
    assert re.fullmatch(
        SESSION + r"=[\w-]+; Path=/; Max-Age=1200; Expires=[^;]+ GMT; SameSite=Lax; HttpOnly", line
    )
    assert "hans" not in line
    assert client.get("/session/get").json() == {"user_id": "hans"}
    assert client.get("/session/set", params={"a": "ü"}).json() == {"user_id": "hans", "a": "ü"}
    assert client.get("/session/remove", params={"name": "user_id"}).json() == {"a": "ü"}
    answer = client.get("/session/get")
    assert answer.json() == {"a": "ü"}
    assert set_cookies(answer) == {}
    assert "cookie" in answer.headers["vary"].lower()
    assert stranger.get("/session/get").json() == {}


def test_session_in_each_worker(server: Server, client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    found = by_worker(server, "/session/get", f"{SESSION}={client.cookies[SESSION]}")
    assert list(found.values()) == [{"a": "1"}] * WORKERS


def test_session_ends(client: httpx.Client, server: Server) -> None:
    began = time.time()
    assert client.get("/session/short").json() is None
    cookie = f"{SESSION}-SHORT={client.cookies[SESSION + '-SHORT']}"

    def is_there() -> bool:
        return json.loads(ask(server, "/session/short", cookie).text) is not None

    assert is_there() or time.time() - began > 1
    wait_until(lambda: not is_there(), "the session has ended")
    assert time.time() - began >= 1


def test_session_methods(client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    assert client.get("/session/call", params={"name": "impending"}).json() is False
    assert 0 <= client.get("/session/call", params={"name": "use_time"}).json() < 10
    answer = client.get("/session/call", params={"name": "set_expiry", "seconds": 5000})
    assert "; Max-Age=5000; " in set_cookies(answer)[SESSION]
    # Set by hand, it is not cut down by a change.
    line = set_cookies(client.get("/session/set", params={"b": "1"}))[SESSION]
    assert 4900 < int(line.partition("Max-Age=")[2].partition(";")[0]) <= 5000
    assert set_cookies(client.get("/session/call", params={"name": "touch"})) == {}


def test_expired_by_one_worker_refused_by_all(server: Server, client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    cookie = f"{SESSION}={client.cookies[SESSION]}"
    by_worker(server, "/session/get", cookie)
    answer = client.get("/session/call", params={"name": "expire"})
    assert "Max-Age=0" in set_cookies(answer)[SESSION]
    assert SESSION not in client.cookies
    assert list(by_worker(server, "/session/get", cookie).values()) == [{}] * WORKERS


def test_namespaced_session(client: httpx.Client) -> None:
    answer = client.get("/namespaced")
    assert answer.json() is False
    assert "; Path=/admin; " in set_cookies(answer)[f"{SESSION}-ADMIN"]
    assert client.get("/admin").json() is True


def test_session_in_coroutines(client: httpx.Client) -> None:
    assert [client.get("/session/async").json() for _ in range(3)] == [1, 2, 3]


def test_session_of_a_stream(client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    answer = client.get("/session/stream", params={"value": "late"})
    assert answer.text == "begundone"
    # The head was sent before; another worker may have the next request.
    assert client.get("/session/get").json() == {"a": "1", "streamed": "late"}


def test_session_of_a_hook_after_the_answer(client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    answer = client.get("/session/leaves", params={"value": "late"})
    assert (answer.json(), set_cookies(answer)) == ({"a": "1"}, {})
    # The hook runs beside the client's next request.
    wait_until(
        lambda: client.get("/session/get").json() == {"a": "1", "left": "late"},
        "what the hook has changed is there",
    )


def test_session_and_errors(client: httpx.Client) -> None:
    assert client.get("/session/refuse").status_code == 403
    assert client.get("/session/fail").status_code == 500
    assert client.get("/session/get").json() == {"refused": True}


@pytest.mark.parametrize("value", ["", "x", "A" * 2000, "%00%ff", '"', "AQ" + "A" * 60])
def test_forged_session(client: httpx.Client, value: str) -> None:
    headers = {"Cookie": f"{SESSION}={value}; {BOX}={value}; {CSRF}={value}"}
    answer = client.get("/session/get", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert client.get("/showmsg?name=a", headers=headers).status_code == 200
    assert client.post("/save", data={"_csrf_token": value}, headers=headers).status_code == 400


def test_changed_session(client: httpx.Client) -> None:
    client.get("/session/set", params={"user": "hans"})
    client.get("/msg", follow_redirects=False)
    cookie = client.cookies[SESSION]
    for at in range(0, len(cookie), 7):
        changed = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        answer = client.get("/session/get", headers={"Cookie": f"{SESSION}={changed}"})
        assert answer.json() == {}
    # One is not taken for the other.
    for value in (client.cookies[BOX], client.cookies[SESSION]):
        swapped = {"Cookie": f"{SESSION}-SHORT={value}; {BOX}={cookie}; {CSRF}={value}"}
        assert client.get("/session/short", headers=swapped).json() is None
        assert "<li" not in client.get("/showmsg?name=a", headers=swapped).text


def sealed_by(key: str, ends_in: float) -> str:
    """The cookie of a session that has been sealed with a key."""
    now = time.time()
    content = ["an-id", now - 100, now - 100, now + ends_in, 0, {"user": "hans"}]
    return f"{SESSION}={sealer((key,), 'session').seal(content, CONTEXT)}"


def test_keys_of_a_session(server: Server) -> None:
    hans, nobody = {"user": "hans"}, dict[str, str]()
    for key, ends_in, values in (
        (KEY, 60, hans),
        (OLD_KEY, 60, hans),
        ("a key of another app, long enough", 60, nobody),
        (KEY, -1, nobody),
        (OLD_KEY, -1, nobody),
    ):
        answer = ask(server, "/session/get", sealed_by(key, ends_in))
        assert (answer.status, json.loads(answer.text)) == (200, values)
    # What is written by now is sealed with the new key.
    lines = ask(server, "/session/set?a=1", sealed_by(OLD_KEY, 60)).all("set-cookie")
    text = cookie_of(lines).partition("=")[2]
    assert sealer((KEY,), "session").open(text, CONTEXT)[-1] == {**hans, "a": "1"}


def test_too_much_for_a_session(client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    answer = client.post("/session/set", data={"b": "x" * 5000})
    assert answer.status_code == 500
    assert set_cookies(answer) == {}
    assert client.get("/session/get").json() == {"a": "1"}


def test_fixation(client: httpx.Client, stranger: httpx.Client) -> None:
    stranger.get("/session/set", params={"a": "1"})
    planted = {"Cookie": f"{SESSION}={stranger.cookies[SESSION]}"}
    answer = client.get("/login", params={"user": "hans"}, headers=planted)
    client.cookies[SESSION] = answer.cookies[SESSION]
    assert client.get("/session/get").json() == {"a": "1", "user": "hans"}
    assert stranger.get("/session/get").json() == {}


def test_many_clients_at_once(server: Server) -> None:
    def visit(number: int) -> bool:
        cookie = ""
        for each in range(5):
            answer = ask(server, f"/session/set?n={number}&each={each}", cookie)
            cookie = (answer.header("set-cookie") or "").partition(";")[0]
            found = json.loads(ask(server, "/session/get", cookie).text)
            if found != {"n": str(number), "each": str(each)}:
                return False
        return True

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(visit, range(16)))


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
def test_session_of_a_websocket(server: Server) -> None:
    cookie = cookie_of(ask(server, "/session/set?user=hans").all("set-cookie"))

    def session() -> Any:
        return json.loads(ask(server, "/session/get", cookie).text)

    opened = connect(server.url("/websocket", "ws"), additional_headers={"Cookie": cookie})
    with opened as socket:
        # A handshake carries cookies, where its server can; else the workers keep what was set.
        cookie = cookie_of(socket.response.headers.get_all("set-cookie")) or cookie
        socket.send("who am I")
        user, client_id = str(socket.recv()).split()
        assert user == "hans"
        assert session() == {"user": "hans", "WS_ID": client_id}
    wait_until(lambda: session() == {"user": "hans"}, "what was set is removed at the end")


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
def test_a_websocket_of_nobody(server: Server) -> None:
    headers = {"Cookie": f"{SESSION}=AQ{'A' * 60}"}
    with connect(server.url("/websocket", "ws"), additional_headers=headers) as socket:
        socket.send("who am I")
        assert str(socket.recv()).startswith("None ")


# Message box ------------------------------------------------------------------------------------


def test_message_box(client: httpx.Client) -> None:
    answer = client.get("/msg")
    assert answer.status_code == 302
    assert "HttpOnly" in set_cookies(answer)[BOX]
    page = client.get(answer.headers["location"]).text
    shown = [line.strip() for line in page.splitlines() if "<li" in line]
    alarm = '<li class="alram"> This is Alert Message Kept by 60 seconds on every request</li>'
    assert shown == [
        '<li class="info"> &lt;b&gt;News</li>',
        '<li class="flash"> This is Flash Message</li>',
        alarm,
    ]
    page = client.get("/showmsg?name=Hans").text
    assert [line.strip() for line in page.splitlines() if "<li" in line] == [alarm]


# CSRF -------------------------------------------------------------------------------------------


def csrf_token(client: httpx.Client) -> str:
    found = re.search(
        r'<input type="hidden" name="_csrf_token" value="([\w-]+)">', client.get("/form").text
    )
    assert found
    return found[1]


def test_csrf(client: httpx.Client, stranger: httpx.Client) -> None:
    token = csrf_token(client)
    assert client.post("/save", data={"name": "x", "_csrf_token": token}).json() == "x"
    assert client.post("/save", json={"name": "x"}, headers={"X-CSRF-Token": token}).json() == "x"
    assert client.post("/hooked", data={"username": "x", "_csrf_token": token}).json() == "x"
    # Without a token, with another client's, without the cookie.
    other = csrf_token(stranger)
    for data in ({}, {"_csrf_token": ""}, {"_csrf_token": other}):
        assert client.post("/save", data={"name": "x", **data}).status_code == 400
        assert client.post("/hooked", data={"username": "x", **data}).status_code == 400
    del stranger.cookies[CSRF]
    assert stranger.post("/save", data={"_csrf_token": other}).status_code == 400


def test_csrf_is_bound_to_the_session(client: httpx.Client) -> None:
    before = csrf_token(client)
    client.get("/login", params={"user": "hans"})
    assert client.post("/save", data={"_csrf_token": before}).status_code == 400
    after = csrf_token(client)
    assert client.post("/save", data={"_csrf_token": after}).status_code == 200


def test_remove_csrf(client: httpx.Client) -> None:
    token = csrf_token(client)
    line = set_cookies(client.get("/remove-csrf"))[CSRF]
    assert "Max-Age=0" in line
    assert client.post("/save", data={"_csrf_token": token}).status_code == 400


# One-time passwords and tokens ------------------------------------------------------------------


def test_otp(server: Server, client: httpx.Client) -> None:
    inside, outside = client.get("/otp").json()
    assert inside == outside

    def enter(password: str) -> int:
        with server.connect() as connection:
            return connection.get("/admin-task", [("X-OTP", password)]).status

    assert client.get("/admin-task").status_code == 403
    assert enter("1234567") == 403
    # Of many at once, in whatever worker, one is let in.
    password = generate_otp(KEY)
    with ThreadPoolExecutor(8) as clients:
        statuses = sorted(clients.map(enter, [password] * 8))
    assert statuses == [200] + [403] * 7


def test_one_time_token(server: Server, client: httpx.Client) -> None:
    token = client.get("/encode-ott", params={"user": "hans", "seconds": 3600}).json()
    found = by_worker(server, f"/decode-ott/{token}")
    assert set(found.values()) == {"hans"}
    revoker = client.post("/revoke-ott", data={"token": token})
    assert revoker.json() is True
    # Refused by the other worker too.
    found = by_worker(server, f"/decode-ott/{token}")
    assert set(found) - {revoker.headers["x-worker"]}
    assert set(found.values()) == {None}
    assert client.post("/revoke-ott", data={"token": token}).json() is False


def test_one_time_token_abused(client: httpx.Client) -> None:
    token = client.get("/encode-ott", params={"user": "hans", "seconds": 3600}).json()
    for changed in (token[:-1], token[1:], token[::-1], token + "A", "x", "A" * 2000):
        assert client.get(f"/decode-ott/{changed}").json() is None
    client.get("/session/set", params={"a": "1"})
    assert client.get(f"/decode-ott/{client.cookies[SESSION]}").json() is None
    short = client.get("/encode-ott", params={"user": "hans", "seconds": 0.3}).json()
    wait_until(lambda: client.get(f"/decode-ott/{short}").json() is None, "the token is over")


# Cost -------------------------------------------------------------------------------------------


def test_a_plain_route_sends_no_cookie(client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    answer = client.get("/")
    assert set_cookies(answer) == {}
    assert "vary" not in answer.headers


def test_no_secret_in_the_log(server: Server, client: httpx.Client) -> None:
    client.get("/session/set", params={"a": "1"})
    client.get("/session/fail")
    wait_until(lambda: "not planned" in server.log(), "the failure is in the log")
    log = server.log()
    assert KEY not in log
    assert client.cookies[SESSION] not in log
