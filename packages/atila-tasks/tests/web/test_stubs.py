"""Requests of HTTP as tasks, of a real server."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from atila import Atila, HTTPError, SetupError, Was
from atila_tasks import STA_NORMAL, STA_REQFAIL, BadResponse, Head, UpstreamStatus

Fixture = Any


def test_the_example_of_the_specification(run: Fixture, api: str) -> None:
    def use(was: Was) -> Any:
        with was.stub("@api/api") as stub:
            task1 = stub.get("/profiles/{}?limit={}", 100, 10)
            payload = dict(name="Hans Roh")  # noqa: C408 - as in the specification
            task2 = stub.put("/profiles/{}", 100, payload)
        return task1.fetch(), task2.fetch()

    got, put = run(use)
    assert (got["method"], got["target"]) == ("GET", "/base/api/profiles/100?limit=10")
    assert (put["method"], put["target"]) == ("PUT", "/base/api/profiles/100")
    assert put["body"] == '{"name":"Hans Roh"}'
    assert put["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["get", "post", "put", "patch", "delete", "options"])
def test_each_method_and_its_shortcut(run: Fixture, api: str, port: int, name: str) -> None:
    def use(was: Was) -> Any:
        address = f"http://127.0.0.1:{port}/a/{{}}"
        return [
            getattr(was.stub("@api"), name)("/a/{}", "b c").fetch(),
            getattr(was, name)("@api/a/{}", "b c").fetch(),
            getattr(was, name)(address, "b c").fetch(),
        ]

    by_stub, by_alias, by_url = run(use)
    for told in (by_stub, by_alias):
        assert (told["method"], told["target"]) == (name.upper(), "/base/a/b%20c")
    assert (by_url["method"], by_url["target"]) == (name.upper(), "/a/b%20c")


@pytest.mark.parametrize(
    ("payload", "headers", "sent", "kind"),
    [
        ({"a": [1, None]}, {}, '{"a":[1,null]}', "application/json"),
        ([1, 2], {}, "[1,2]", "application/json"),
        ("Zürich", {}, "Zürich".encode().decode("latin-1"), "text/plain; charset=utf-8"),
        (b"\x00\xff", {}, "\x00\xff", "application/octet-stream"),
        (b"<a/>", {"Content-Type": "text/xml"}, "<a/>", "text/xml"),
        (
            {"a": "b c", "d": [1, 2]},
            {"content-type": "application/x-www-form-urlencoded"},
            "a=b+c&d=1&d=2",
            "application/x-www-form-urlencoded",
        ),
        ({}, {}, "{}", "application/json"),
        (b"x" * 2_000_000, {}, "x" * 2_000_000, "application/octet-stream"),
    ],
)
def test_payloads(
    run: Fixture, api: str, payload: Any, headers: dict[str, str], sent: str, kind: str
) -> None:
    told = run(lambda was: was.post("@api/x", payload, headers=headers).fetch())
    assert told["body"] == sent
    assert told["headers"]["content-type"] == kind
    assert told["headers"]["content-length"] == str(len(sent.encode("latin-1")))


def test_a_file_is_sent_from_disk(run: Fixture, api: str, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    told = run(lambda was: was.put("@api/x", path).fetch())
    assert told["body"].encode("latin-1") == path.read_bytes()
    with pytest.raises(FileNotFoundError):
        raise run(lambda was: was.put("@api/x", tmp_path / "missing").dispatch().error)


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        ("application/json; charset=utf-8", b'{"a": 1}', {"a": 1}),
        ("application/problem+json", b"[1]", [1]),
        ("text/html", "Zürich".encode(), "Zürich"),
        ("text/plain; charset=latin-1", b"Z\xfcrich", "Zürich"),
        ('text/plain; charset="ISO-8859-1"', b"Z\xfcrich", "Zürich"),
        ("text/plain; charset=nonsense", b"abc", "abc"),
        ("text/plain; charset=hex", b"abc", "abc"),
        ("text/plain", b"a\xffb", "a\ufffdb"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/x-www-form-urlencoded", b"a=1&a=2&b=x+y", {"a": ["1", "2"], "b": "x y"}),
        ("application/octet-stream", b"\x00\xff", b"\x00\xff"),
        ("image/png", b"\x89PNG", b"\x89PNG"),
        ("text/plain", b"", ""),
        ("application/json", b"", None),
    ],
)
def test_the_data_of_an_answer(
    run: Fixture, api: str, port: int, kind: str, body: bytes, data: Any
) -> None:
    url = f"http://127.0.0.1:{port}/kind"
    assert run(lambda was: was.post(url, body, params={"type": kind}).fetch()) == data


def test_malformed_data(ask: Fixture, port: int) -> None:
    url = f"http://127.0.0.1:{port}/kind?type=application/json"
    result = ask(lambda was: was.post(url, b"{'a'"))
    assert result.status == STA_REQFAIL
    assert isinstance(result.error, BadResponse)
    assert result.error.code == 502
    assert result.error.data == b"{'a'"
    assert "malformed application/json" in result.error.report


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_a_status_that_is_an_error(ask: Fixture, port: int, code: int) -> None:
    result = ask(lambda was: was.get(f"http://127.0.0.1:{port}/status/{{}}", code))
    assert result.status == STA_REQFAIL
    assert result.data is None
    assert result.response.code == code
    assert isinstance(result.error, UpstreamStatus)
    assert isinstance(result.error, HTTPError)
    assert result.error.code == 502
    assert result.error.response.code == code
    assert result.error.data == {"asked": code}
    assert f"answered {code}" in str(result.error)


def test_status_and_headers_of_an_answer(ask: Fixture, api: str) -> None:
    result = ask(lambda was: was.get("@api/x"))
    assert result.status == STA_NORMAL
    assert isinstance(result.response, Head)
    assert (result.response.code, result.response.reason) == (200, "OK")
    assert result.response.headers["x-told"] == result.response.headers["X-TOLD"] == "yes"
    assert "yes" not in repr(result.response)


def test_filter_meta_and_one(run: Fixture, api: str) -> None:
    def use(was: Was) -> Any:
        task = was.get("@api/x", filter=lambda data: data["target"], meta={"a": 1})
        return task.one(), task.meta

    assert run(use) == ("/base/x", {"a": 1})


def test_what_a_stub_says_is_for_all_its_requests(run: Fixture, api: str) -> None:
    def use(was: Was) -> Any:
        stub = was.stub("@api", headers={"X-A": "1"}, auth="token", filter=lambda d: d["headers"])
        return stub.get("/x").fetch(), stub.get("/x", headers={"X-A": "2"}, auth=("u", "p")).fetch()

    first, second = run(use)
    assert (first["x-a"], first["authorization"]) == ("1", "Bearer token")
    assert (second["x-a"], second["authorization"]) == ("2", "Basic dTpw")


def test_query_of_params(run: Fixture, api: str) -> None:
    told = run(lambda was: was.get("@api/x?a={}", 1, params={"b": "ü&", "c": [1, 2]}).fetch())
    assert told["target"] == "/base/x?a=1&b=%C3%BC%26&c=1&c=2"


def test_the_request_s_id_is_passed_on(app: Atila, api: str) -> None:
    @app.route("/id")
    def handler(was: Was) -> str:
        told: dict[str, Any] = was.get("@api/x").fetch()
        return str(told["headers"]["x-request-id"])

    assert app.test_client().get("/id", headers={"X-Request-Id": "abc-1"}).text == "abc-1"


def test_user_and_password_of_a_member_and_of_an_url(app: Atila, run: Fixture, port: int) -> None:
    app.alias("@basic", "*http", f"u%40x:p%2Fw:z@127.0.0.1:{port}")

    def use(was: Was) -> Any:
        pick = {"filter": lambda data: data["headers"].get("authorization")}
        return [
            was.get("@basic/x", **pick).fetch(),
            was.get(f"http://u%40x:p%2Fw:z@127.0.0.1:{port}/x", **pick).fetch(),
            was.get("@basic/x", auth="token", **pick).fetch(),
            was.get(f"http://127.0.0.1:{port}/x", **pick).fetch(),
        ]

    assert run(use) == ["Basic dUB4OnAvdzp6", "Basic dUB4OnAvdzp6", "Bearer token", None]


def test_headers_of_an_alias(app: Atila, run: Fixture, port: int) -> None:
    app.alias("@key", "*http", f"127.0.0.1:{port}", headers={"X-Api-Key": "k"})
    pick = {"filter": lambda data: data["headers"]["x-api-key"]}
    assert run(lambda was: was.get("@key/x", **pick).fetch()) == "k"
    assert run(lambda was: was.get("@key/x", headers={"x-api-key": "m"}, **pick).fetch()) == "m"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1\r\nX-B: 2"},
        {"X-A\r\nX-B": "1"},
        {"X-A: 1": "2"},
        {"": "1"},
        {"X-A": "1\x00"},
        {"Content-Length": "5"},
        {"Transfer-Encoding": "chunked"},
        {"Host": "evil"},
    ],
)
def test_headers_that_would_add_others(run: Fixture, api: str, headers: dict[str, str]) -> None:
    def use(was: Was) -> None:
        for call in (was.get, was.stub("@api").get):
            with pytest.raises(ValueError, match="header"):
                call("@api/x", headers=headers)
        with pytest.raises(ValueError, match="header"):
            was.xmlrpc("@api/x", headers=headers).add(1)

    run(use)


def test_a_token_that_would_add_a_header(run: Fixture, api: str) -> None:
    def use(was: Was) -> None:
        with pytest.raises(ValueError, match="line break"):
            was.get("@api/x", auth="a\r\nX-B: 1")

    run(use)


def test_an_upload(run: Fixture, api: str, port: int, tmp_path: Path) -> None:
    path = tmp_path / "größe.txt"
    path.write_bytes(b"0123456789" * 100_000)
    fields = {
        "name": "Hans Zürich",
        "age": 7,
        "file": path,
        "open": io.BytesIO(b"open"),
        "given": ('a"b.png', b"\x89PNG", "image/png"),
        "many": [("1.txt", "one"), ("2.txt", "two", "text/plain")],
    }
    url = f"http://127.0.0.1:{port}/form"
    told = run(lambda was: was.upload(url, fields).fetch())
    names = [name for name, *_ in told]
    assert names == ["name", "age", "file", "open", "given", "many", "many"]
    by_name = {field[0]: field[1:] for field in told}
    assert by_name["name"][3] == "Hans Zürich".encode().decode("latin-1")
    assert by_name["name"][0] is None
    assert by_name["age"][3] == "7"
    assert by_name["file"][2] == 1_000_000
    assert by_name["file"][0] == "größe.txt"
    assert by_name["open"][2:] == [4, "open"]
    assert by_name["given"][1] == "image/png"
    assert by_name["given"][0] in ('a"b.png', "a%22b.png")
    assert by_name["many"][:2] == ["2.txt", "text/plain"]


def test_uploaded_files_are_passed_on(app: Atila, port: int) -> None:
    @app.route("/up", methods=["POST"])
    def handler(was: Was, file: Any) -> str:
        url = f"http://127.0.0.1:{port}/form"
        return str(was.upload(url, {"file": file}).fetch()[0])

    boundary = "XX"
    body = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n'
        f"content-type: text/x-a\r\n\r\nabc\r\n--{boundary}--\r\n"
    ).encode()
    kind = f"multipart/form-data; boundary={boundary}"
    response = app.test_client().post("/up", body, headers={"content-type": kind})
    assert response.text == "['file', 'a.txt', 'text/x-a', 3, 'abc']"


@pytest.mark.parametrize(
    "fields",
    [{"a": ("x\r\ny: z", b"")}, {"a\r\nb": "1"}, {"a": ("x", b"", "text/plain\r\nb: c")}],
)
def test_names_of_an_upload_add_no_headers(run: Fixture, api: str, fields: Any) -> None:
    def use(was: Was) -> None:
        with pytest.raises(ValueError, match="line break"):
            was.upload("@api/x", fields)

    run(use)


@pytest.mark.parametrize(
    "use",
    [
        lambda was: was.get("@api/{}"),
        lambda was: was.get("@api/x", {"a": 1}),
        lambda was: was.post("@api/{}", 1, {}, {}),
        lambda was: was.upload("@api/x"),
        lambda was: was.upload("@api/x", {"a": None}),
        lambda was: was.upload("@api/x", {"a": object()}),
        lambda was: was.post("@api/x", object()),
        lambda was: was.get("@api/x", timeot=3),
        lambda was: was.post(
            "@api/x", [1], headers={"content-type": "application/x-www-form-urlencoded"}
        ),
        lambda was: was.post("@api/x", {}, headers={"content-type": "multipart/form-data"}),
        lambda was: was.get("@api/{}", None),
        lambda was: was.db("@api"),
    ],
)
def test_mistakes_are_told_at_once(run: Fixture, api: str, use: Any) -> None:
    def tried(was: Was) -> None:
        with pytest.raises(TypeError):
            use(was)

    run(tried)


def test_addresses_that_are_none(run: Fixture, api: str) -> None:
    def use(was: Was) -> None:
        with pytest.raises(LookupError, match="@nowhere"):
            was.stub("@nowhere/api")
        with pytest.raises(ValueError, match="@alias"):
            was.stub("example.com")
        with pytest.raises(ValueError, match="@other"):
            was.stub("@api").get("@other/x")
        with pytest.raises(ValueError, match="places"):
            was.stub("@api/{}")

    run(use)


@pytest.mark.parametrize(
    ("members", "options", "told"),
    [
        ("https://example.com", {}, "begins with https://"),
        ("example.com:99999", {}, "port"),
        ("example.com:x", {}, "port"),
        ("example.com/a?b=1", {}, "query"),
        ("u:sec/ret@example.com", {}, "percent-encode"),
        (":80", {}, "no host"),
        ("a\tb", {}, "no host"),
        ("a", {"max_conns": 0}, "max_conns"),
        ("a", {"idle_timeout": "x"}, "idle_timeout"),
        ("a", {"headers": {"a b": "c"}}, "no name of a header"),
        ("a", {"timeout": 3}, "takes"),
    ],
)
def test_mistakes_of_an_alias(app: Atila, members: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(SetupError, match=told) as error:
        app.alias("@wrong", "*http", [members], **options)
    assert "ret" not in str(error.value)


def test_no_certificates(app: Atila, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be used"):
        app.alias("@wrong", "*https", "a", ca=str(tmp_path / "missing.pem"))
