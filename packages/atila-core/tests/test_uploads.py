"""Uploaded files, and bodies that are too large for memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila
from atila.errors import HTTPError
from atila.http.bodies import IN_MEMORY, BodySink, Spool
from atila.http.paths import MAX_NAME, safe_name
from atila.http.uploads import Form, Upload
from atila.testing import TestClient, TestResponse

BOUNDARY = "----b"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, data: bytes, filename: str | None = None, kind: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if kind:
        head += f"\r\nContent-Type: {kind}"
    return head.encode() + b"\r\n\r\n" + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where uploads are while their request runs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def app(temporary: Path) -> Atila:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    app.config.UPLOAD_FOLDER = str(temporary)
    return app


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


def post(client: TestClient, *parts: bytes, url: str = "/") -> TestResponse:
    return client.post(url, b"".join((*parts, END)), headers=FORM)


def settle(app: Atila) -> None:
    """Return when the request before this is over, its clean-up too."""
    app.site.pool.close(10)
    app.leave()


@pytest.mark.parametrize("size", [0, 10, 100_000, 3_000_000])
def test_a_file_is_bound_like_a_field(app: Atila, client: TestClient, temporary, size: int) -> None:
    content = os.urandom(size)
    seen: dict[str, Any] = {}

    @app.route("/", methods=["POST"])
    def upload(was, file, title):
        assert isinstance(file, Upload)
        seen.update(
            name=file.name, size=file.size, mimetype=file.mimetype, ext=file.ext, title=title
        )
        assert file.read() == file.read() == Path(file.path).read_bytes() == content
        assert Path(file.path).parent == temporary
        return "done"

    answer = post(
        client, part("title", "häl".encode()), part("file", content, "A.PNG", "image/png")
    )
    assert answer.text == "done"
    assert seen == {
        "name": "A.PNG",
        "size": size,
        "mimetype": "image/png",
        "ext": ".png",
        "title": "häl",
    }
    settle(app)
    assert list(temporary.iterdir()) == []


def test_several_files_and_none(app: Atila, client: TestClient) -> None:
    @app.route("/", methods=["POST"])
    def upload(was, files, file=None):
        return f"{[each.name for each in files]} {file}"

    files = [part("files", b"x", name) for name in ("a", "b", "c")]
    # A file field that was left empty is not there.
    assert post(client, *files, part("file", b"", "")).text == "['a', 'b', 'c'] None"
    assert post(client, part("file", b"x", "a")).status_code == 400
    assert "'files'" in post(client, part("file", b"x", "a")).json()["detail"]


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_save_and_its_duplicates(app: Atila, client: TestClient, tmp_path, size: int) -> None:
    folder = tmp_path / "saved"
    content = b"x" * size

    @app.route("/", methods=["POST"])
    def upload(was, file, dup):
        return file.save(folder, mkdir=True, dup=dup)

    def send(dup: str) -> TestResponse:
        return post(client, part("dup", dup.encode()), part("file", content, "a.tar"))

    assert send("u").text == str(folder / "a.tar")
    assert send("u").text == str(folder / "a.1.tar")
    assert send("u").text == str(folder / "a.2.tar")
    (folder / "a.tar").write_bytes(b"old")
    assert send("e").status_code == 500
    assert (folder / "a.tar").read_bytes() == b"old"
    assert send("o").text == str(folder / "a.tar")
    assert {path.name for path in folder.iterdir()} == {"a.tar", "a.1.tar", "a.2.tar"}
    assert all(path.read_bytes() == content for path in folder.iterdir())
    # As a file that the process would have made itself.
    os.umask(umask := os.umask(0))
    assert stat.S_IMODE((folder / "a.tar").stat().st_mode) == 0o666 & ~umask


def test_move_remove_and_save_twice(app: Atila, client: TestClient, tmp_path) -> None:
    @app.route("/", methods=["POST"])
    def upload(was, file):
        first = file.save(tmp_path, "one.txt")
        second = file.save(tmp_path, "two.txt")
        third = file.move(tmp_path / "three.txt")
        assert file.path == third
        assert Path(first).read_bytes() == Path(third).read_bytes() == file.read() == b"x"
        assert Path(second).exists()
        file.remove()
        file.remove()
        with pytest.raises(FileNotFoundError):
            file.read()
        with pytest.raises(FileNotFoundError):
            _ = file.path
        return "done"

    assert post(client, part("file", b"x", "a")).text == "done"
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"one.txt", "two.txt"}


def test_saving_to_another_file_system(
    app: Atila, client: TestClient, tmp_path, monkeypatch
) -> None:
    replace = os.replace

    def refuse(source, target):
        if not str(source).endswith(".part"):
            raise OSError(18, "EXDEV")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    app.route("/", methods=["POST"])(lambda was, file: file.save(tmp_path))
    saved = post(client, part("file", b"x" * 100_000, "a")).text
    assert Path(saved).read_bytes() == b"x" * 100_000
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a"]


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_flashfile(app: Atila, client: TestClient, temporary, size: int) -> None:
    app.route("/", methods=["POST"])(lambda was, file: file.as_flashfile())
    app.route("/plain", methods=["POST"])(lambda was, file: file)

    @app.route("/block", methods=["POST"])
    def block(was, file):
        with file.as_flashfile() as path:
            content = Path(path).read_bytes()
        assert not Path(path).exists()
        return content

    @app.route("/twice", methods=["POST"])
    def twice(was, file):
        file.as_flashfile().take()[0].close()
        return file.as_flashfile()

    content = os.urandom(size)
    sent = part("file", content, "<b>ä.html", "text/html")
    for url in ("/", "/plain", "/block"):
        assert post(client, sent, url=url).content == content
    answer = post(client, sent)
    # It came from the client: the browser must not run it.
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"_b__.html\"; filename*=UTF-8''_b_%C3%A4.html"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(size)
    assert post(client, sent, url="/twice").status_code == 500
    settle(app)
    assert list(temporary.iterdir()) == []


def test_files_are_removed_when_the_handler_fails(
    app: Atila, client: TestClient, temporary
) -> None:
    @app.route("/", methods=["POST"])
    def upload(was, file):
        assert Path(file.path).exists()
        raise ValueError

    @app.route("/async", methods=["POST"])
    async def later(was, file):
        assert file.size == len(file.read()) == 100_000
        return "done"

    @app.route("/stream", methods=["POST"])
    def stream(was, file):
        yield Path(file.path).read_bytes()[:1]
        assert Path(file.path).exists()

    assert post(client, part("file", b"x" * 100_000, "a")).status_code == 500
    assert post(client, part("file", b"x" * 100_000, "a"), url="/async").text == "done"
    assert post(client, part("file", b"x" * 100_000, "a"), url="/stream").text == "x"
    settle(app)
    assert list(temporary.iterdir()) == []


# Names


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("C:\\a.txt", "a.txt"),
        ("C:a.txt", "C_a.txt"),
        ("..", "unnamed"),
        (".", "unnamed"),
        ("", "unnamed"),
        ("a/", "a"),
        ("/", "unnamed"),
        ("a\0.txt", "a.txt"),
        ("a\r\nX: 1", "aX_ 1"),
        (".htaccess", "htaccess"),
        ("...a...", "a"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("COM1 .tar.gz", "_COM1 .tar.gz"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("Ünïcode 文件.png", "Ünïcode 文件.png"),
        ("\ud800", "unnamed"),
    ],
)
def test_safe_name(sent: str, safe: str) -> None:
    assert safe_name(sent) == safe


@given(st.text(max_size=600) | st.text("./\\:\0 aé", max_size=400))
def test_any_name_is_made_harmless(text: str) -> None:
    name = safe_name(text)
    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\\0\r\n"<>|:*?')
    assert len(name.encode()) <= MAX_NAME + 1
    assert os.path.basename(name) == name


def test_a_long_name_keeps_its_extension() -> None:
    assert safe_name("ä" * 500 + ".jpeg").endswith("ä.jpeg")
    assert len(safe_name("a." + "b" * 500)) <= MAX_NAME


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "..\\out", "..", "\0"])
def test_a_name_given_to_save_stays_in_the_folder(app, client, tmp_path, name: str) -> None:
    folder = tmp_path / "in"
    app.route("/", methods=["POST"])(lambda was, file: file.save(folder, name, mkdir=True))
    saved = post(client, part("file", b"x", "a")).text
    assert Path(saved).resolve().parent == folder


def test_overwriting_replaces_a_link_and_not_what_it_leads_to(app, client, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"old")
    (tmp_path / "a").symlink_to(secret)
    app.route("/", methods=["POST"])(lambda was, file: file.save(tmp_path, dup="o"))
    post(client, part("file", b"new", "a"))
    assert secret.read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert not (tmp_path / "a").is_symlink()


# Abuse

WHOLE = part("a", b"1") + part("file", b"x" * 3000, "f") + END


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", WHOLE),
        ("multipart/form-data; boundary=", WHOLE),
        ("multipart/form-data; boundary=" + "b" * 300, WHOLE),
        ("multipart/form-data; boundary=other", WHOLE),
        (FORM["content-type"], b"nonsense"),
        (FORM["content-type"], WHOLE[:-4]),
        (FORM["content-type"], WHOLE[: len(WHOLE) // 2]),
        (FORM["content-type"], part("a", b"1")),
        (FORM["content-type"], part("", b"1") + END),
        (FORM["content-type"], part("a", b"\xff") + END),
        (FORM["content-type"], f"--{BOUNDARY}\r\nX: 1\r\n\r\n1\r\n".encode() + END),
        (FORM["content-type"], f"--{BOUNDARY}\r\nno header\r\n\r\n1\r\n".encode() + END),
        (FORM["content-type"], f"--{BOUNDARY}\r\nA: {'x' * 9000}\r\n\r\n1\r\n".encode() + END),
        (FORM["content-type"], f"--{BOUNDARY}\r\n".encode() + b"A: 1\r\n" * 20 + b"\r\n" + END),
        (
            FORM["content-type"],
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n'
            "Content-Length: 99\r\n\r\n1\r\n".encode()
            + END,
        ),
    ],
)
def test_a_malformed_form_is_a_400(app: Atila, client: TestClient, temporary, kind, body) -> None:
    app.route("/", methods=["POST"])(lambda was, **DATA: "done")
    assert client.post("/", body, headers={"content-type": kind}).status_code == 400
    settle(app)
    assert list(temporary.iterdir()) == []


def test_a_truncated_upload_leaves_nothing(app: Atila, client: TestClient, temporary) -> None:
    app.route("/", methods=["POST"])(lambda was, **DATA: "done")
    body = part("file", b"x" * 3_000_000, "f")
    assert client.post("/", body, headers=FORM).status_code == 400
    settle(app)
    assert list(temporary.iterdir()) == []


def test_too_many_fields_and_files(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(lambda was, **DATA: str(len(DATA)))
    fields = [part(f"f{number}", b"1") for number in range(1000)]
    files = [part(f"u{number}", b"1", "a") for number in range(100)]
    assert post(client, *fields, *files).text == "1100"
    assert "1000 fields" in post(client, *fields, fields[0]).json()["detail"]
    assert "100 files" in post(client, *files, files[0]).json()["detail"]
    assert post(client, *fields * 10).status_code == 400
    # Nor empty ones without end.
    assert post(client, *[part("a", b"", "")] * 2000).status_code == 400


def test_limits_of_size(app: Atila, client: TestClient) -> None:
    app.config.MAX_UPLOAD_SIZE = 2000
    app.config.MAX_BODY_SIZE = 500
    app.route("/", methods=["POST"])(lambda was, **DATA: "done")
    app.route("/any", methods=["POST"])(lambda was: "done")
    assert post(client, part("file", b"x" * 1000, "a")).text == "done"
    assert post(client, part("file", b"x" * 2000, "a")).status_code == 413
    assert post(client, part("field", b"x" * 501)).status_code == 413
    assert client.post("/", {"field": "x" * 501}).status_code == 413
    assert client.post("/any", b"x" * 500).text == "done"
    assert client.post("/any", b"x" * 501).status_code == 413


def test_a_full_disk_is_a_507(app: Atila, client: TestClient) -> None:
    app.config.UPLOAD_FOLDER = "/nowhere"
    app.route("/", methods=["POST"])(lambda was, file: "done")
    for size in (3_000_000, 100_000):
        assert post(client, part("file", b"x" * size, "a")).status_code == 507
    assert post(client, part("file", b"x", "a")).text == "done"


class Limits:
    MAX_FIELDS = 10
    MAX_FILES = 3
    MAX_BODY_SIZE = 2000
    UPLOAD_FOLDER = None


_PIECES = st.sampled_from(
    [
        f"--{BOUNDARY}".encode(),
        b"--",
        b"\r\n",
        b"\r",
        b'Content-Disposition: form-data; name="a"',
        b'Content-Disposition: form-data; name="a"; filename="b"',
        b"Content-Disposition: form-data; name*=x''%ff; filename",
        b"Content-Type: text/plain; charset=\xff",
        b"Content-Length: 5",
        b"\0\xff",
        b"x" * 100,
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES | st.binary(max_size=20), max_size=30))
def test_no_body_makes_another_error_than_400_or_413(pieces: list[bytes]) -> None:
    code = 0
    try:
        Form(b"".join(pieces), FORM["content-type"], Limits).discard()  # type: ignore[arg-type]
    except HTTPError as error:
        code = error.code
    assert code in (0, 400, 413)


# Bodies


def test_a_large_body_of_another_type_is_whole(app: Atila, client: TestClient, temporary) -> None:
    kinds = []

    @app.route("/", methods=["POST"])
    def echo(was):
        kinds.append(type(was.exchange.body))
        return was.request.body

    for size in (IN_MEMORY, IN_MEMORY + 1, 5_000_000):
        body = os.urandom(size)
        assert client.post("/", body).content == body
    assert kinds == [bytes, Spool, Spool]
    assert client.post("/", json={"a": "x" * 2_000_000}).status_code == 200
    settle(app)
    assert list(temporary.iterdir()) == []


def test_json_and_form_of_more_than_memory(app: Atila, client: TestClient) -> None:
    app.route("/", methods=["POST"])(lambda was, a: a)
    text = "y" * 2_000_000
    assert client.post("/", json={"a": text}).text == text
    assert client.post("/", {"a": text}).text == text


def test_a_sink_takes_pieces_of_any_size(tmp_path) -> None:
    sink = BodySink(10_000_000, str(tmp_path))
    pieces = [os.urandom(size) for size in (1, 0, 70_000, 1_000_000, 3, 500_000, 1)]
    for piece in pieces:
        sink.write(piece)
    body = sink.finish()
    assert isinstance(body, Spool)
    assert (len(body), bytes(body), bytes(body)) == (1_570_005, b"".join(pieces), b"".join(pieces))
    # It has no name that somebody else could open, and nothing is left of it.
    assert list(tmp_path.iterdir()) == []
    body.close()


def test_a_sink_refuses_what_is_too_much() -> None:
    sink = BodySink(10)
    sink.write(b"x" * 10)
    with pytest.raises(HTTPError) as refused:
        sink.write(b"x")
    assert refused.value.code == 413


def test_the_body_of_a_refused_request_is_not_kept(app: Atila, client: TestClient) -> None:
    sink = BodySink(5_000_000, keep=False)
    sink.write(b"x" * 4_000_000)
    assert sink.finish() == b""
    assert post(client, part("file", b"x" * 3_000_000, "a"), url="/absent").status_code == 404
