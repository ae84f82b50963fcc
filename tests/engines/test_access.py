"""Access control over a real connection, on every engine with two workers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.servers import USUAL, Server, serving
from support.wire import Answer, Broken
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE, wait_until

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "access.py"
KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
REALM = "Partner App Area of mysite.com"
PASSWORD = "iamyourpartnerapp"
ORIGIN = "http://www.skitai.com:5001"
TOO_LONG = {400, 401, 431}
"""Servers have limits of their own for a header."""

pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with serving(engine, SCRIPT, workers=2) as server:
        yield server


def ask(
    server: Server, target: str, header: str | bytes | None = None, method: str = "GET"
) -> Answer:
    """A request with an Authorization header, which may be any bytes."""
    with server.connect() as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
        if method == "POST":
            head += b"Content-Length: 0\r\n"
        if header is not None:
            value = header.encode("latin-1") if isinstance(header, str) else header
            head += b"Authorization: " + value + b"\r\n"
        connection.send(head + b"\r\n")
        return connection.read(method)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token_of(client: httpx.Client, **params: str) -> str:
    return client.get("/make_jwt", params=params).text


def both_workers(
    answer_of: Callable[[int], tuple[int, str | None]],
) -> list[tuple[int, str | None]]:
    """What requests give that are made at once, until both workers have been seen.

    Args:
        answer_of: given a number that never comes twice, makes a request; status and worker.
    """
    answers: list[tuple[int, str | None]] = []

    def both() -> bool:
        first = len(answers) + 1
        with ThreadPoolExecutor(8) as clients:
            answers.extend(clients.map(answer_of, range(first, first + 8)))
        return len({worker for _, worker in answers if worker}) >= 2

    wait_until(both, "both workers have answered")
    return answers


# Digest -----------------------------------------------------------------------------------------


def challenge_of(answer: Answer) -> dict[str, str]:
    """The first challenge of an answer: that by SHA-256."""
    value = answer.all("www-authenticate")[0]
    assert value.startswith("Digest ")
    pairs = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', value)
    return {name: quoted or token for name, quoted, token in pairs}


def authorization(
    challenge: dict[str, str], uri: str, count: int = 1, password: str = PASSWORD, name: str = "app"
) -> str:
    def h(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    assert challenge["algorithm"] == "SHA-256"
    nonce, counted = challenge["nonce"], f"{count:08x}"
    first, last = h(f"{name}:{challenge['realm']}:{password}"), h(f"GET:{uri}")
    response = h(f"{first}:{nonce}:{counted}:0a4f113b:auth:{last}")
    return (
        f'Digest username="{name}", realm="{challenge["realm"]}", nonce="{nonce}", uri="{uri}",'
        f' algorithm=SHA-256, qop=auth, nc={counted}, cnonce="0a4f113b", response="{response}",'
        f' opaque="{challenge["opaque"]}"'
    )


@pytest.fixture
def challenge(server: Server) -> dict[str, str]:
    return challenge_of(ask(server, "/hello/a"))


def test_digest_by_httpx(server: Server) -> None:
    auth = httpx.DigestAuth("app", PASSWORD)
    with httpx.Client(base_url=server.url(""), auth=auth, timeout=PATIENCE) as client:
        for target in ("/hello/a", "/hello/b%20c?q=d%20e&f=%C3%BC", "/hello"):
            answer = client.get(target)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert (found["name"], found["realm"]) == ("app", REALM)
            assert found["info"] == {"role": "root"}
            assert "algorithm=SHA-256" in answer.request.headers["authorization"]
        assert "nc=00000003" in answer.request.headers["authorization"]
        assert client.post("/hello/a", data={"x": "1"}).json()["params"] == {"x": "1"}
    with httpx.Client(base_url=server.url(""), auth=httpx.DigestAuth("app", "x")) as client:
        assert client.get("/hello/a").status_code == 401


def test_digest_by_requests(server: Server) -> None:
    with requests.Session() as session:
        session.auth = requests.auth.HTTPDigestAuth("hansroh", "1234")
        for target in ("/hello/a", "/hello/b%20c?q=d%20e", "/hello/a"):
            answer = session.get(server.url(target), timeout=PATIENCE)
            assert answer.status_code == 200, answer.text
            assert answer.json()["name"] == "hansroh"
        assert session.post(server.url("/hello/a"), data={"x": "1"}, timeout=PATIENCE).ok
        session.auth = requests.auth.HTTPDigestAuth("hansroh", "12345")
        assert session.get(server.url("/hello/a"), timeout=PATIENCE).status_code == 401


def test_digest_with_a_name_beyond_ascii(server: Server, challenge: dict[str, str]) -> None:
    plain = authorization(challenge, "/hello/a", 1, "grün", "jürgen")
    extended = plain.replace('username="jürgen"', "username*=UTF-8''j%C3%BCrgen")
    answer = ask(server, "/hello/a", extended)
    assert json.loads(answer.text)["name"] == "jürgen"
    # As such it is no header that each server hands on.
    assert ask(server, "/hello/a", plain.encode()).status in (400, 401)
    latin = authorization(challenge, "/hello/a", 2, "grün", "jürgen").encode("latin-1")
    assert ask(server, "/hello/a", latin).status in (200, 400, 401)


def test_nonces_are_good_for_all_workers_and_each_count_once(
    server: Server, challenge: dict[str, str]
) -> None:
    def answer_of(count: int) -> tuple[int, str | None]:
        answer = ask(server, "/hello/a", authorization(challenge, "/hello/a", count))
        return answer.status, answer.header("x-worker")

    answers = both_workers(answer_of)
    assert {status for status, _ in answers} == {200}
    with ThreadPoolExecutor(8) as clients:
        again = list(clients.map(answer_of, range(1, len(answers) + 1)))
    assert {status for status, _ in again} == {401}


def test_many_at_once_with_one_count(server: Server, challenge: dict[str, str]) -> None:
    header = authorization(challenge, "/hello/a")
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: ask(server, "/hello/a", header).status, range(24)))
    assert sorted(answers) == [200] + [401] * 23


def test_nonces_that_are_foreign_or_stale(server: Server, challenge: dict[str, str]) -> None:
    foreign = {**challenge, "nonce": "A" * 43, "opaque": "B" * 22}
    refused = ask(server, "/hello/a", authorization(foreign, "/hello/a"))
    assert (refused.status, challenge_of(refused)["stale"]) == (401, "true")
    assert ask(server, "/hello/a", authorization(challenge, "/hello/a")).status == 200
    try:
        server.board.open("later")
        stale = ask(server, "/hello/a", authorization(challenge, "/hello/a", 2))
        assert (stale.status, challenge_of(stale)["stale"]) == (401, "true")
        fresh = challenge_of(stale)
        assert ask(server, "/hello/a", authorization(fresh, "/hello/a")).status == 200
    finally:
        (server.board.folder / "later.gate").unlink()


def test_digests_for_something_else(server: Server, challenge: dict[str, str]) -> None:
    right = authorization(challenge, "/hello/a")
    assert ask(server, "/hello/b", right).status == 400
    assert ask(server, "/hello/a?x=1", right).status == 400
    assert ask(server, "/hello/a", right, "POST").status == 401
    for name, password in (("hansroh", PASSWORD), ("app", "1234"), ("nobody", "x")):
        swapped = authorization(challenge, "/hello/a", 1, password, name)
        refused = ask(server, "/hello/a", swapped)
        assert refused.status == 401
        assert "stale" not in challenge_of(refused)
    assert ask(server, "/hello/a", right).status == 200


ODD_TARGETS = [
    "/hello/%C3%BC",
    "/hello/a%2Bb?x=%2B+&y=%20&z=%C3%BC",
    "/hello/a;b=1",
    "/hello/a%3Fb?c=d?e",
    "/hello/a%23b%25c",
    "/hello/~a!$&'()*,=:@-._",
    "/hello/a?",
    "/hello/a+b",
    "/hello/%61",
    "/hello/a%22b%5C?q=%22%5C",
]


def test_digests_of_odd_targets(server: Server, challenge: dict[str, str]) -> None:
    for count, target in enumerate(ODD_TARGETS, 1):
        answer = ask(server, target, authorization(challenge, target, count))
        assert answer.status == 200, target
        other = ask(server, target.replace("hello", "hallo"), authorization(challenge, target, 99))
        assert other.status == 404
    # No text at all; whatever a server makes of it.
    odd = "/hello/%FF"
    assert ask(server, odd, authorization(challenge, odd, 100)).status in (200, 400)


# Basic ------------------------------------------------------------------------------------------


def test_basic(server: Server, client: httpx.Client) -> None:
    answer = client.get("/basic", auth=("app", PASSWORD))
    assert answer.json() == {"name": "app", "info": {"role": "root"}}
    refused = client.get("/basic", auth=("app", "1234"))
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == f'Basic realm="{REALM}", charset="UTF-8"'
    # In UTF-8 and in Latin-1.
    assert client.get("/basic", auth=("jürgen", "grün")).json()["name"] == "jürgen"
    latin = requests.get(server.url("/basic"), auth=("jürgen", "grün"), timeout=PATIENCE)
    assert latin.json()["name"] == "jürgen"


MALFORMED: list[bytes] = [
    b"",
    b"Basic",
    b"Basic !!!!",
    b"Basic YXBw",
    b"Basic " + base64.b64encode(b"\xff\xfe\x80"),
    b"Basic " + base64.b64encode(b"\xff:\xfe"),
    b"Basic \xff\xfe",
    b"Digest \xff\xfe",
    b"Bearer \xff\xfe",
    b"Digest",
    b'Digest username="app',
    b"Bearer",
    b"Bearer a.b.c",
    b"Bearer e30.e30.e30",
    b"\xc3\xbc",
]


@pytest.mark.parametrize("target", ["/basic", "/hello/a", "/api/v1/predict", "/mine"])
def test_malformed_credentials(server: Server, target: str) -> None:
    for header in MALFORMED:
        answer = ask(server, target, header)
        assert answer.status in (400, 401), header
    long = b"A" * 10_000
    for scheme in (b"Basic ", b"Digest ", b"Bearer ", b""):
        # A server may close the connection before it has read all of it.
        try:
            assert ask(server, target, scheme + long).status in TOO_LONG
        except (Broken, ConnectionError):
            pass
    assert ask(server, target).status == 401


def test_each_request_of_a_connection_logs_in_by_itself(server: Server) -> None:
    right = "Basic " + base64.b64encode(f"app:{PASSWORD}".encode()).decode()
    with server.connect() as connection:
        assert connection.get("/basic", [("Authorization", right)]).status == 200
        assert connection.get("/basic").status == 401
        assert connection.get("/basic", [("Authorization", right)]).status == 200
        assert connection.get("/identified").text == "nobody"


def test_two_authorization_headers(server: Server) -> None:
    right = "Basic " + base64.b64encode(f"app:{PASSWORD}".encode()).decode()
    with server.connect() as connection:
        answer = connection.get("/basic", [("Authorization", right), ("Authorization", right)])
        assert answer.status in (400, 401)


# Tokens -----------------------------------------------------------------------------------------


def test_tokens(client: httpx.Client) -> None:
    token = token_of(client)
    assert client.get("/verify_token", headers=bearer(token)).text == "uid,lev,nick_name,exp"
    assert client.get("/verify_token").text == "no token"
    for target in ("/api/v1/predict", "/api/v1/predict/async"):
        assert client.get(target, headers=bearer(token)).json()["uid"] == "hans"
        refused = client.get(target)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == f'Bearer realm="{REALM}"'


def part(data: object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256(header: object, payload: object, key: str) -> str:
    text = f"{part(header)}.{part(payload)}"
    return f"{text}.{part(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def public_pem() -> tuple[bytes, str]:
    private = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return (
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        public.decode(),
    )


def test_forged_tokens(client: httpx.Client) -> None:
    claims = {"uid": "root", "lev": "staff", "nick_name": "Root"}
    mine, staff = token_of(client), token_of(client, lev="staff")
    head, payload, signature = mine.split(".")
    private, public = public_pem()
    forged = {
        "token expired": [token_of(client, seconds="-1")],
        "wrong signature": [
            mine[:-3],
            f"{head}..{signature}",
            f"{head}.{part(claims)}.{signature}",
            f"{head}.{staff.split('.')[1]}.{signature}",
            hs256({"alg": "HS256"}, claims, public),
            jwt.encode(claims, "x" * 32, "HS256"),
        ],
        "algorithm not allowed": [
            f"{part({'alg': 'none'})}.{payload}.",
            f"{part({'alg': 'NONE'})}.{payload}.{signature}",
            jwt.encode(claims, None, "none"),
            jwt.encode(claims, KEY, "HS384"),
            jwt.encode(claims, private, "RS256"),
            hs256({"alg": "RS256"}, claims, KEY),
        ],
        "malformed token": [
            f"{head}.{payload}",
            hs256({"alg": "HS256"}, b"[" * 2000, KEY),
            hs256({"alg": "HS256", "crit": ["b65"]}, claims, KEY),
        ],
    }
    for err, tokens in forged.items():
        for token in tokens:
            assert client.get("/verify_token", headers=bearer(token)).text == err, token
            for target in ("/api/v1/predict", "/staff", "/mine"):
                assert client.get(target, headers=bearer(token)).status_code == 401
            assert client.get("/identified", headers=bearer(token)).text == "nobody"


# Permissions ------------------------------------------------------------------------------------


def test_permissions(client: httpx.Client) -> None:
    user, staff = (bearer(token_of(client, lev=lev)) for lev in ("user", "staff"))
    for target, anonymous, as_user, as_staff in (
        ("/identified", 200, 200, 200),
        ("/mine", 401, 200, 200),
        ("/mine/7", 401, 200, 200),
        ("/staff", 401, 403, 200),
        ("/staff/7", 401, 403, 200),
        ("/animals", 401, 200, 200),
        ("/animals/me", 401, 200, 200),
        ("/animals/100", 401, 403, 200),
        ("/animals/notme", 401, 403, 200),
        ("/animals/new", 401, 403, 200),
        ("/animals?id=100", 401, 403, 200),
    ):
        found = [client.get(target, headers=headers).status_code for headers in ({}, user, staff)]
        assert found == [anonymous, as_user, as_staff], target
    assert client.get("/identified").text == "nobody"
    assert client.get("/identified", headers=user).text == "hans"
    assert client.head("/animals/100", headers=user).status_code == 403


def test_the_particular_permission_list_is_the_one_asked_for(client: httpx.Client) -> None:
    for method, target, roles in (
        ("GET", "/animals", {"user"}),
        ("GET", "/animals/me", {"user"}),
        ("GET", "/animals/100", {"staff"}),
        ("HEAD", "/animals/100", {"staff"}),
        ("POST", "/animals?id=100", {"staff"}),
        ("DELETE", "/animals/me", {"admin"}),
        ("DELETE", "/animals/100", {"staff", "admin"}),
    ):
        for role in ("user", "staff", "admin"):
            answer = client.request(method, target, headers={"X-Role": role})
            assert answer.status_code == (200 if role in roles else 403), (method, target, role)


def test_permissions_by_what_a_body_says(client: httpx.Client) -> None:
    user, staff = (bearer(token_of(client, lev=lev)) for lev in ("user", "staff"))
    # What does not fit the rule is told to those alone that may call the handler.
    for options, status in (
        ({"data": {"id": "100"}}, 200),
        ({"json": {"id": 100}}, 200),
        ({"json": {"id": ["me"]}}, 400),
    ):
        assert client.post("/animals/me", headers=user, **options).status_code == 403
        assert client.post("/animals/me", headers=staff, **options).status_code == status
    assert client.post("/owned/me", headers=user).text == "hans"
    assert client.post("/owned/me", headers=user, data={"uid": "grete"}).status_code == 403
    assert client.post("/owned?uid=grete", headers=user).status_code == 403


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
def test_permissions_of_a_websocket(server: Server, client: httpx.Client) -> None:
    def talk(headers: dict[str, str]) -> str | bytes:
        url = server.url("/talk", "ws")
        with connect(url, additional_headers=headers, open_timeout=PATIENCE) as socket:
            socket.send("hi")
            return socket.recv(20)

    assert talk(bearer(token_of(client, lev="staff"))) == "hello hans"
    for headers in ({}, bearer(token_of(client)), bearer("forged")):
        with pytest.raises(InvalidStatus) as refused:
            talk(headers)
        # There are servers that know one status only for a handshake.
        assert refused.value.response.status_code in (401, 403)


# Limits -----------------------------------------------------------------------------------------


def test_workers_count_together(server: Server, name: str) -> None:
    def answer_of(number: int) -> tuple[int, str | None]:
        answer = server.get(f"/login?username={name}-{number % 10_000}")
        return answer.status, answer.header("x-worker")

    def same(_: int) -> Answer:
        return server.get(f"/login?username={name}")

    # Both are there to count.
    both_workers(answer_of)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(same, range(40)))
    assert sorted(answer.status for answer in answers) == [200] * 20 + [429] * 20
    refused = next(answer for answer in answers if answer.status == 429)
    assert int(refused.header("retry-after") or 0) > 0
    assert server.get(f"/login?username={name}-other").status == 200


# CORS -------------------------------------------------------------------------------------------


def cors(answer: httpx.Response) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.startswith("access-control-")}


ALLOWED = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-credentials": "true",
}


def test_cors_of_the_app(client: httpx.Client) -> None:
    headers = {"Origin": ORIGIN}
    assert cors(client.get("/", headers=headers)) == ALLOWED
    # A preflight has no credentials, and needs none.
    asked = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = client.options("/hello/a", headers={**headers, **asked})
    assert preflight.status_code == 204
    assert cors(preflight) == {
        **ALLOWED,
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "3600",
    }
    refused = client.options("/hello/a", headers={"Origin": "http://elsewhere", **asked})
    assert (refused.status_code, cors(refused)) == (403, {})
    for target in ("/hello/a", "/basic", "/mine", "/api/v1/predict"):
        answer = client.get(target, headers=headers)
        assert (answer.status_code, cors(answer)) == (401, ALLOWED)
        stranger = client.get(target, headers={"Origin": "null"})
        assert cors(stranger) == {}
        assert "origin" in stranger.headers["vary"].lower()


def test_cors_of_refusals(client: httpx.Client, engine: str) -> None:
    # An empty chunked body is one whose length nobody has told.
    for method, target, options, status in (
        ("GET", "/nothing", {}, 404),
        ("OPTIONS", "/nothing", {}, 404),
        ("GET", "/post", {}, 405),
        ("POST", "/post", {"content": b"x" * 2000, "headers": {"Content-Type": "text/plain"}}, 413),
        ("POST", "/post", {"json": {}}, 415),
        ("GET", "/chatty", {}, 501 if engine == "gunicorn" else 426),
    ):
        headers = {**options.pop("headers", {}), "Origin": ORIGIN}
        answer = client.request(method, target, headers=headers, **options)
        assert (answer.status_code, cors(answer)) == (status, ALLOWED), target
        headers["Origin"] = "http://elsewhere"
        stranger = client.request(method, target, headers=headers, **options)
        assert (stranger.status_code, cors(stranger)) == (status, {})


def test_the_login_page_sends_back_to_what_was_wanted(server: Server) -> None:
    page = {"Accept": "text/html"}
    wanted = "/pages/a%20b?q=%C3%A4%26c"
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as browser:
        sent = browser.get(wanted, headers=page)
        assert sent.status_code == 302
        form = sent.headers["location"]
        assert form.startswith("/page-login?next=/pages/")
        assert "<form" in browser.get(form).text
        back = browser.post(form, data={"user": "hans"})
        assert (back.status_code, back.headers["location"]) == (303, wanted)
        assert browser.get(back.headers["location"], headers=page).text == "a b ä&c of hans"
        for evil in ("//evil.example", "/%5Cevil.example", "https://evil.example", "/%09/evil"):
            back = browser.post(f"/page-login?next={evil}", data={"user": "hans"})
            assert back.headers["location"] == "/"
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as program:
        assert program.get(wanted).status_code == 401


def test_api_keys(client: httpx.Client) -> None:
    assert client.get("/by-key", headers={"x-api-key": "k-1"}).text == "hans"
    for headers in ({}, {"x-api-key": "k-2"}):
        answer = client.get("/by-key", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("ApiKey ")
