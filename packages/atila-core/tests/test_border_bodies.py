"""Bodies that once vanished: of unusual types, compressed, or with extended file names."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from atila import Atila
from atila.http.uploads import Upload
from atila.testing import TestClient

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))

    @app.route("/named", methods=["POST"])
    def named(was, name):
        return f"named {name}"

    @app.route("/any", methods=["POST"])
    def anything(was, **data):
        return ",".join(f"{name}={value}" for name, value in sorted(data.items()))

    @app.route("/checked", methods=["POST"])
    @app.inspect("DATA", name__len__gt=1)
    def checked(was, name):
        return name

    @app.route("/raw/<name>", methods=["POST"])
    def raw(was, name, mode="r"):
        return f"{name} {mode} {len(was.request.body)}"

    @app.route("/typed", methods=["POST"], content_types=["application/octet-stream"])
    def typed(was, **data):
        return f"{len(was.request.body)}"

    @app.route("/upload", methods=["POST"])
    def upload(was, **fields):
        return " ".join(
            f"{name}:{value.name}:{value.size}" if isinstance(value, Upload) else f"{name}={value}"
            for name, value in fields.items()
        )

    return app


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


def typed(kind: str | None, **more: str) -> dict[str, str]:
    headers = {} if kind is None else {"content-type": kind}
    return {**headers, **{name.replace("_", "-"): value for name, value in more.items()}}


@pytest.mark.parametrize("url", ["/named", "/any", "/checked"])
@pytest.mark.parametrize("kind", ["text/json", "Text/JSON; charset=utf-8", "model/gltf+json", JSON])
def test_all_types_of_json_are_read(client: TestClient, url: str, kind: str) -> None:
    answer = client.post(url, b'{"name": "Hans"}', headers=typed(kind))
    assert answer.status_code == 200
    assert "Hans" in answer.text


@pytest.mark.parametrize("url", ["/named", "/any", "/checked"])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/octet-stream", "json"])
def test_a_body_that_would_vanish_is_refused(client: TestClient, url: str, kind: Any) -> None:
    answer = client.post(url, b'{"name": "Hans"}', headers=typed(kind))
    if url == "/any" and kind:
        # It may read the body itself, as what passes requests on does.
        assert (answer.status_code, answer.text) == (200, "")
        return
    assert answer.status_code == 415
    assert (kind or "no Content-Type") in answer.text


@pytest.mark.parametrize("kind", [None, "text/plain", "image/png"])
def test_a_body_that_the_handler_reads_is_left_alone(client: TestClient, kind: Any) -> None:
    assert client.post("/raw/a?mode=w", b"12345", headers=typed(kind)).text == "a w 5"
    assert client.post("/named?name=x", b"12345", headers=typed(kind)).text == "named x"
    headers = typed("application/octet-stream")
    assert client.post("/typed", b"12345", headers=headers).text == "5"
    # Nothing vanishes where there is nothing.
    assert client.post("/any", b"", headers=typed(kind)).status_code == 200
    assert client.post("/named", b"", headers=typed(kind)).status_code == 400


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP, br"])
@pytest.mark.parametrize("kind", [JSON, FORM, "multipart/form-data; boundary=b"])
def test_a_compressed_body_is_refused(client: TestClient, kind: str, coding: str) -> None:
    body = gzip.compress(b'{"name": "Hans"}')
    answer = client.post("/named", body, headers=typed(kind, content_encoding=coding))
    assert answer.status_code == 415
    assert coding.lower() in answer.text
    assert answer.headers["accept-encoding"] == "identity"
    plain = typed(JSON, content_encoding="identity")
    assert client.post("/named", b'{"name": "Hans"}', headers=plain).text == "named Hans"
    # A handler that reads the body may unpack it.
    raw = typed("application/x-ndjson", content_encoding=coding)
    assert client.post("/raw/a", body, headers=raw).text == f"a r {len(body)}"


def upload(client: TestClient, disposition: str) -> Any:
    body = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\nabc\r\n--b--\r\n"
    return client.post("/upload", body.encode(), headers=typed("multipart/form-data; boundary=b"))


@pytest.mark.parametrize(
    ("disposition", "right"),
    [
        ("name=\"f\"; filename*=UTF-8''h%C3%A4l.txt", "f:häl.txt:3"),
        ("name=\"f\"; filename*=utf-8'de'h%C3%A4l.txt", "f:häl.txt:3"),
        ("name=f; FileName*=\"UTF-8''a%20b.txt\"", "f:a b.txt:3"),
        ("name=\"f\"; filename*=ISO-8859-1''h%E4l.txt", "f:häl.txt:3"),
        ("name=\"f\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "f:passwd:3"),
        ('name="f"; filename="a.txt"; filename*=UTF-8\'\'b.txt', "f:a.txt:3"),
        ("name*=UTF-8''h%C3%A4; filename*=UTF-8''a.txt", "hä:a.txt:3"),
        ("name*=UTF-8''h%C3%A4", "hä=abc"),
        ('name="a*b"', "a*b=abc"),
    ],
)
def test_extended_names(client: TestClient, disposition: str, right: str) -> None:
    answer = upload(client, disposition)
    assert (answer.status_code, answer.text) == (200, right)


@pytest.mark.parametrize("value", ["a.txt", "UTF-8'a.txt", "UTF-8''%FF", "UTF-16''a", "''a"])
def test_extended_name_that_is_malformed(client: TestClient, value: str) -> None:
    answer = upload(client, f'name="f"; filename*={value}')
    assert answer.status_code == 400
    assert "filename*" in answer.text
