"""Files as answers, and static and media folders."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila, SetupError
from atila.http.files import type_of
from atila.http.paths import below
from atila.serving.site import Mount, Site
from atila.testing import TestClient


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A static folder, with a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "static"
    (folder / "img").mkdir(parents=True)
    (folder / "docs").mkdir()
    (folder / "a.css").write_text("a{}")
    (folder / "img" / "logo.png").write_bytes(b"\x89PNG")
    (folder / "docs" / "index.html").write_text("<h1>docs")
    (folder / ".hidden").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / ".well-known").mkdir()
    (folder / ".well-known" / "x.txt").write_text("known")
    (folder / "out").symlink_to(tmp_path)
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "in.css").symlink_to(folder / "a.css")
    (folder / "a b%41.txt").write_text("odd")
    os.mkfifo(folder / "pipe")
    return folder


def serve(app: Atila, folder: Path | list[Path], url: str = "/static") -> TestClient:
    app.config.STATIC_URL = url
    app.config.STATIC_ROOT = folder
    return app.test_client()


# was.File


def test_file(app: Atila, client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "data.xlsx"
    path.write_bytes(b"0123456789")
    os.utime(path, (784111777, 784111777))
    app.route("/")(lambda was: was.File(path))
    app.route("/named")(lambda was: was.File(str(path), "text/x", 'a"ü\r\n.xlsx'))
    answer = client.get("/")
    assert answer.content == b"0123456789"
    assert answer.headers["content-length"] == "10"
    assert answer.headers["last-modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-disposition" not in answer.headers
    named = client.get("/named")
    assert named.headers["content-type"] == "text/x"
    assert named.headers["content-disposition"] == (
        "attachment; filename=\"a____.xlsx\"; filename*=UTF-8''a%22%C3%BC%0D%0A.xlsx"
    )
    head = client.head("/")
    assert (head.content, head.headers) == (b"", answer.headers)


def test_conditions_and_parts_of_a_file(app: Atila, client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"0123456789")
    app.route("/")(lambda was: was.File(path))
    first = client.get("/").headers

    def ask(**headers: str) -> tuple[int, bytes]:
        answer = client.get("/", headers={k.replace("_", "-"): v for k, v in headers.items()})
        return answer.status_code, answer.content

    assert ask(if_none_match=first["etag"]) == (304, b"")
    assert ask(if_modified_since=first["last-modified"]) == (304, b"")
    assert ask(if_match='"other"')[0] == 412
    assert ask(range="bytes=2-4") == (206, b"234")
    assert ask(range="bytes=-1") == (206, b"9")
    assert ask(range="bytes=10-")[0] == 416
    assert ask(range="bytes=0-0,5-6") == (200, b"0123456789")
    assert ask(range="bytes=2-4", if_range=first["etag"]) == (206, b"234")
    path.write_bytes(b"changed!")
    assert ask(range="bytes=2-4", if_range=first["etag"]) == (200, b"changed!")
    assert ask(if_none_match=first["etag"]) == (200, b"changed!")
    path.write_bytes(b"")
    assert ask() == (200, b"")
    assert ask(range="bytes=0-")[0] == 416
    assert ask(range="bytes=-5") == (200, b"")


def test_a_handler_has_the_last_word(app: Atila, client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")

    @app.route("/")
    def index(was):
        was.response.set_status("404 Not Found")
        return was.File(path)

    @app.route("/tagged")
    def tagged(was):
        was.response.set_etag("mine", max_age=5)
        was.response.set_header("content-type", "text/x")
        return was.File(path)

    # A condition or a range is about the file, not about an error.
    assert client.get("/", headers={"range": "bytes=0-0"}).status_code == 404
    answer = client.get("/tagged")
    assert answer.headers["content-type"] == "text/x"
    assert answer.headers["cache-control"] == "max-age=5"
    etag = answer.headers["etag"]
    assert client.get("/tagged", headers={"if-none-match": etag}).status_code == 304


def test_an_open_file(app: Atila, client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "a.css"
    path.write_bytes(b"text")
    opened = []

    @app.route("/")
    def index(was):
        opened.append(path.open("rb"))
        return was.File(opened[0])

    app.route("/made")(lambda was: was.File(io.StringIO("häl"), "text/x", "a.txt"))
    answer = client.get("/")
    assert (answer.text, answer.headers["content-type"]) == ("text", "text/css; charset=utf-8")
    assert opened[0].closed
    made = client.get("/made")
    assert (made.text, made.headers["content-type"]) == ("häl", "text/x")
    assert made.headers["content-disposition"] == 'attachment; filename="a.txt"'


def test_what_is_no_file_is_a_404(app: Atila, client: TestClient, folder: Path) -> None:
    app.route("/<int:number>")(
        lambda was, number: was.File([folder, folder / "absent", folder / "pipe", "a\0b"][number])
    )
    for number in range(4):
        assert client.get(f"/{number}").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
        ("a.unknown-type", "application/octet-stream"),
    ],
)
def test_types(name: str, kind: str) -> None:
    assert type_of(f"/x.html/{name}") == kind


# Static folders


def test_static(app: Atila, folder: Path) -> None:
    client = serve(app, folder)
    answer = client.get("/static/a.css?v=1")
    assert (answer.status_code, answer.text) == (200, "a{}")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/static/img/logo.png").content == b"\x89PNG"
    assert client.head("/static/a.css").headers == answer.headers
    again = client.get("/static/a.css", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get("/static/a.css", headers={"range": "bytes=1-"}).text == "{}"
    assert client.get("/static/in.css").text == "a{}"
    assert client.get("/static/a%20b%2541.txt").text == "odd"
    assert client.get("/static/.well-known/x.txt").text == "known"


def test_age_of_static_files(app: Atila, folder: Path) -> None:
    app.config.STATIC_MAX_AGE = 300
    assert serve(app, folder).get("/static/a.css").headers["cache-control"] == "max-age=300"


def test_folders(app: Atila, folder: Path) -> None:
    client = serve(app, folder)
    assert client.get("/static/docs/").text == "<h1>docs"
    moved = client.get("/static/docs?a=1")
    assert (moved.status_code, moved.headers["location"]) == (308, "./docs/?a=1")
    for url in ("/static", "/static/", "/static/img", "/static/img/", "/static/a.css/"):
        assert client.get(url).status_code == 404, url


def test_files_go_before_routes(app: Atila, folder: Path) -> None:
    app.route("/")(lambda was: "index")
    app.route("/a.css", methods=["GET", "POST"])(lambda was: "route")
    app.route("/b")(lambda was: "route")
    client = serve(app, folder, "/")
    assert client.get("/").text == "index"
    assert client.get("/a.css").text == "a{}"
    assert client.post("/a.css").text == "route"
    assert client.get("/b").text == "route"
    (folder / "b").write_text("new file")
    assert client.get("/b").text == "new file"
    (folder / "index.html").write_text("index file")
    assert client.get("/").text == "index file"


def test_hooks_are_of_the_routes(app: Atila, folder: Path) -> None:
    app.before_request(lambda was: "hook")
    assert serve(app, folder).get("/static/a.css").text == "a{}"


@pytest.mark.parametrize(
    "url",
    [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/%252e%252e/secret.txt",
        "/static/..%252fsecret.txt",
        "/static/img/../../secret.txt",
        "/static/..\\secret.txt",
        "/static/..%5csecret.txt",
        "/static/%c0%ae%c0%ae/secret.txt",
        "/static/out/secret.txt",
        "/static/out.txt",
        "/static/.hidden",
        "/static/.git/config",
        "/static/img/../.hidden",
        "/static//secret.txt",
        "/static//etc/passwd",
        "/static/./a.css",
        "/static/img//logo.png",
        "/static/a.css%00.png",
        "/static/%00",
        "/static/pipe",
        "/static/a.css/x",
        "/static/" + "a" * 5000,
        "/static/" + "a/" * 3000,
        "/static/%ff%fe",
        "/static/\udc80",
        "/statica.css",
        "/static/CON",
    ],
)
def test_nothing_else_is_served(app: Atila, folder: Path, url: str) -> None:
    for root in (folder, [folder]):
        answer = serve(Atila("x"), root).get(url)
        assert answer.status_code == 404
        assert "secret" not in answer.text.replace("secret.txt", "")


@given(
    st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "\0", "%2e", " ", ".a", "~"]), max_size=8)
)
def test_below_never_leaves(pieces: list[str]) -> None:
    path = below("".join(pieces))
    if path is not None:
        assert not path.startswith("/")
        joined = os.path.normpath(os.path.join("/root", path))
        assert joined == "/root" or joined.startswith("/root/")


def test_several_folders(app: Atila, folder: Path, tmp_path: Path) -> None:
    front = tmp_path / "front"
    front.mkdir()
    (front / "a.css").write_text("front")
    client = serve(app, [front, folder])
    assert client.get("/static/a.css").text == "front"
    assert client.get("/static/img/logo.png").content == b"\x89PNG"


def test_media_and_other_apps(folder: Path, tmp_path: Path) -> None:
    first, second = Atila("first"), Atila("second")
    media = tmp_path / "media" / "new"
    first.config.update(MEDIA_URL="/media/", MEDIA_ROOT=str(media))
    second.config.update(STATIC_URL="/assets", STATIC_ROOT=str(folder))
    second.route("/mounted")(lambda was: was.Mounted("/media/a.txt"))
    second.route("/file")(lambda was: was.MountedFile("/assets/a.css"))
    second.route("/absent")(lambda was: was.Mounted("/assets/absent"))
    second.route("/media")(lambda was: was.Media("a.txt"))
    Site([Mount("/", first), Mount("/second", second)])
    # It is made, since uploads will be saved there.
    (media / "a.txt").write_text("media")
    client = TestClient(second)
    # URLs of folders are those of the site.
    assert client.get("/media/a.txt").text == "media"
    assert client.get("/assets/a.css").text == "a{}"
    assert client.get("/second/assets/a.css").status_code == 404
    assert client.get("/second/mounted").text == "media"
    assert client.get("/second/file").text == "a{}"
    assert client.get("/second/absent").status_code == 404
    # It has none of its own.
    assert client.get("/second/media").status_code == 500


def test_folders_are_those_of_the_host(folder: Path, tmp_path: Path) -> None:
    first, second = Atila("first"), Atila("second")
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.css").write_text("other")
    first.config.update(STATIC_URL="/static", STATIC_ROOT=str(folder))
    second.config.update(STATIC_URL="/static", STATIC_ROOT=str(other))
    Site([Mount("/", first), Mount("/", second, host="other.com")])
    client = TestClient(second)
    assert client.get("/static/a.css", headers={"host": "a.com"}).text == "a{}"
    assert client.get("/static/a.css", headers={"host": "other.com"}).text == "other"
    logo = "/static/img/logo.png"
    assert client.get(logo, headers={"host": "other.com"}).status_code == 404


def test_static_and_media_as_answers(app: Atila, folder: Path, tmp_path: Path) -> None:
    app.config.update(MEDIA_URL="/media", MEDIA_ROOT=str(folder / "img"))
    names = ["img/logo.png", "/static/img/logo.png", "/a.css", "../secret.txt", "out.txt", "no"]
    app.route("/<int:number>")(lambda was, number: was.Static(names[number]))
    app.route("/media")(lambda was: was.Media("logo.png"))
    client = serve(app, folder)
    found = [client.get(f"/{number}") for number in range(6)]
    assert [answer.content for answer in found[:3]] == [b"\x89PNG", b"\x89PNG", b"a{}"]
    assert [answer.status_code for answer in found] == [200, 200, 200, 404, 404, 404]
    assert client.get("/media").content == b"\x89PNG"


@pytest.mark.parametrize(
    ("url", "root", "named"), [("static", "/tmp", "slash"), ("/static", "/nowhere", "/nowhere")]
)
def test_mistakes_are_told_when_the_app_is_mounted(app: Atila, url, root, named) -> None:
    app.config.update(STATIC_URL=url, STATIC_ROOT=root)
    with pytest.raises(SetupError, match=named):
        _ = app.site


def test_a_socket_is_no_file(app: Atila, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert serve(app, tmp_path).get("/static/s").status_code == 404
