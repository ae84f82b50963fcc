"""Uploads over real connections: what arrives, what is refused, what stays on the disk."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import httpx
import pytest
from support.disks import small_disk
from support.servers import Server
from support.wire import Broken

from atila.testing.waits import PATIENCE, wait_until

SCRIPT = Path(__file__).with_name("apps") / "files.py"
BOUNDARY = "limit"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
MEGABYTE = 1 << 20


def opening(name: str, filename: str | None = None, kind: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {kind}" if kind else ""
    return f"{head}\r\n\r\n".encode()


END = f"\r\n--{BOUNDARY}--\r\n".encode()


def saved(server: Server) -> Path:
    return server.board.folder / "files" / "saved"


def nothing_left(client: httpx.Client, server: Server | None = None) -> None:
    wait_until(lambda: client.get("/left").json() == [], "temporary files gone")
    if server is not None and sys.platform == "linux":
        wait_until(lambda: not nameless_files(server), "files without a name closed")


def nameless_files(server: Server) -> list[str]:
    """What the server holds open that has no name any more, of those in its own folder."""
    found = []
    for process in server.processes():
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith(str(server.folder)) and target.endswith("(deleted)"):
                found.append(target)
    return found


def test_the_example_of_the_specification(client: httpx.Client, server: Server, name: str) -> None:
    for content in (b"first", b"second, in the place of the first"):
        answer = client.post("/upload", files={"file": (f"{name}.txt", content)})
        assert answer.text == str(saved(server) / f"{name}.txt")
        assert (saved(server) / f"{name}.txt").read_bytes() == content
    nothing_left(client)


@pytest.mark.parametrize("size", [0, 1, 70_000, 2 * MEGABYTE, 9 * MEGABYTE])
@pytest.mark.parametrize("chunked", [False, True])
def test_what_arrives_is_what_was_sent(client: httpx.Client, size: int, chunked: bool) -> None:
    content = os.urandom(size)
    body = opening("title") + "häl".encode() + b"\r\n"
    body += opening("file", "Bild.PNG", "image/png") + content + END
    pieces = (body[at : at + 50_001] for at in range(0, len(body), 50_001))
    answer = client.post(
        "/describe", content=pieces if chunked else body, headers={"content-type": FORM}
    )
    assert answer.json() == {
        "title": "häl",
        "name": "Bild.PNG",
        "size": size,
        "mimetype": "image/png",
        "ext": ".png",
        "on_disk": size,
        "digest": hashlib.sha256(content).hexdigest(),
        "fields": 0,
    }
    nothing_left(client)


def test_names_and_duplicates(client: httpx.Client, server: Server, name: str) -> None:
    folder = saved(server) / name

    def send(filename: str, dup: str = "u") -> httpx.Response:
        body = opening("file", filename) + b"x" + END
        headers = {"content-type": FORM}
        return client.post(f"/upload/{name}", params={"dup": dup}, content=body, headers=headers)

    assert send("a.txt").text == str(folder / "a.txt")
    assert send("a.txt").text == str(folder / "a.1.txt")
    assert send("a.txt", "o").text == str(folder / "a.txt")
    assert send("a.txt", "e").status_code == 500
    for filename in ("../b", "/etc/b", "..\\b", "..", "b\0c", ".htaccess", "", "a" * 900):
        path = Path(send(filename).text)
        assert path.parent == folder, filename
        assert path.name[0] != "."
    assert {path.parent for path in folder.iterdir()} == {folder}


def test_flashfile(client: httpx.Client) -> None:
    for content in (b"<script>alert(1)</script>", os.urandom(3 * MEGABYTE)):
        answer = client.post("/flash", files={"file": ("a.html", content, "text/html")})
        assert answer.content == content
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["content-disposition"].startswith("attachment")
    nothing_left(client)


def test_a_large_body_of_another_type(client: httpx.Client, server: Server) -> None:
    body = os.urandom(2 * MEGABYTE)
    assert client.post("/digest", content=body).text == hashlib.sha256(body).hexdigest()
    # Nor after a refusal.
    assert client.post("/absent", content=body).status_code == 404
    nothing_left(client, server)


# Abuse


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        opening("file", "a") + b"x" * 1000,
        opening("file", "a") + b"x" * 2_000_000,
        b"--limit\r\nContent-Disposition: form-data\r\n\r\nx" + END,
        opening("file", "a").replace(b"form-data", b"attachment") + b"x" + END,
        opening("title") + b"\xff\xfe" + END,
    ],
)
def test_a_malformed_form_is_a_400(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/describe", content=body, headers={"content-type": FORM})
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert client.post(
        "/describe", content=body, headers={"content-type": FORM[:19]}
    ).is_client_error
    nothing_left(client)


def test_a_client_that_leaves_leaves_nothing(server: Server, client: httpx.Client) -> None:
    for end in ("end_sending", "reset"):
        with server.connect() as connection:
            connection.send(
                f"POST /describe HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n"
                "Content-Length: 9000000\r\n\r\n"
            )
            connection.send(opening("file", "a") + b"x" * 3_000_000)
            getattr(connection, end)()
            if end == "end_sending":
                try:
                    assert connection.read().status == 400
                except Broken:
                    pass
    nothing_left(client, server)


def test_ten_thousand_fields(client: httpx.Client) -> None:
    fields = b"".join(opening(f"f{number}") + b"1\r\n" for number in range(10_000))
    answer = client.post("/fields", content=fields + END[2:], headers={"content-type": FORM})
    assert answer.status_code == 400
    assert "1000 fields" in answer.json()["detail"]
    encoded = client.post("/fields", data={f"f{number}": "1" for number in range(10_000)})
    assert encoded.status_code == 400
    assert "1000 fields" in encoded.json()["detail"]


def test_thousands_of_files(client: httpx.Client) -> None:
    files = b"".join(opening(f"f{number}", "a") + b"1\r\n" for number in range(5_000))
    answer = client.post("/fields", content=files + END[2:], headers={"content-type": FORM})
    assert answer.status_code == 400
    assert "100 files" in answer.json()["detail"]
    nothing_left(client)


def test_too_large(server: Server, client: httpx.Client) -> None:
    # gunicorn ends the connection of a body that was not read, without a word in the answer.
    alone = {"Connection": "close"}
    over = client.post("/describe", content=b"x" * 3_000_001, headers=alone)
    assert over.status_code == 413
    # Text fields count as other bodies do, for they are kept in memory.
    field = opening("title") + b"x" * 3_000_001 + END
    assert client.post("/fields", content=field, headers={"content-type": FORM}).status_code == 413
    with server.connect() as connection:
        connection.send(
            f"POST /describe HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {257 * MEGABYTE}\r\n\r\n"
        )
        # Before a byte of it was sent.
        assert connection.read().status == 413
    nothing_left(client, server)


def test_a_full_disk(client: httpx.Client, server: Server) -> None:
    """507 for what needs room, and nothing of it stays; all else is answered."""
    folder = saved(server).parent
    small, large = (opening("file", "a") + b"x" * size + END for size in (1000, 2_000_000))
    asked = [
        ("/describe", large, FORM),
        ("/digest", large, "text/plain"),
        # It stays in memory until the handler asks for its path.
        ("/flash", small, FORM),
    ]
    with small_disk(folder / "temporary", 9000) as disk:
        for full in (False, True, False):
            disk.fill() if full else disk.empty()
            for path, body, kind in asked:
                # gunicorn ends the connection of a body that was not read.
                headers = {"Content-Type": kind, "Connection": "close"}
                answer = client.post(path, content=body, headers=headers)
                assert answer.status_code == (507 if full else 200), (path, answer.text)
                if full:
                    assert "cannot store this" in answer.json()["detail"]
            assert client.post("/fields", data={"one": "1"}).text == "1"
            left = ["filler"] * full
            wait_until(lambda n=left: client.get("/left").json() == n, "temporary files gone")
            if sys.platform == "linux":
                wait_until(lambda: not nameless_files(server), "files without a name closed")


def test_a_full_disk_where_uploads_are_saved(client: httpx.Client, server: Server) -> None:
    with small_disk(saved(server), 1000) as disk:

        def save(size: int) -> httpx.Response:
            return client.post("/upload", files={"file": ("kept.txt", b"x" * size)})

        assert save(1000).status_code == 200
        disk.fill()
        for size in (10_000, 100_000):
            answer = save(size)
            assert answer.status_code == 507
            assert answer.json()["detail"] == "the server cannot store this upload"
            assert (disk.folder / "kept.txt").read_bytes() == b"x" * 1000
            assert {path.name for path in disk.folder.iterdir()} == {"filler", "kept.txt"}
        disk.empty()
        assert save(10_000).status_code == 200
        assert (disk.folder / "kept.txt").stat().st_size == 10_000
    nothing_left(client, server)


# Memory

UPLOAD = 200 * MEGABYTE
ALLOWED = 30 * MEGABYTE


@pytest.mark.memory
def test_memory_of_a_large_upload(server: Server, client: httpx.Client) -> None:
    # What is loaded at the first upload is not of this one.
    client.post("/describe", files={"file": ("a", os.urandom(2 * MEGABYTE))})
    before = most = server.resident()
    head = opening("file", "large.bin")
    piece = os.urandom(MEGABYTE)
    digest = hashlib.sha256()
    with server.connect() as connection:
        length = len(head) + UPLOAD + len(END)
        connection.send(
            f"POST /describe HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        connection.send(head)
        looked = 0.0
        for _ in range(UPLOAD // MEGABYTE):
            connection.send(piece)
            digest.update(piece)
            if time.monotonic() - looked > 0.05:
                most = max(most, server.resident())
                looked = time.monotonic()
        connection.send(END)
        connection.socket.setblocking(False)
        deadline = time.monotonic() + PATIENCE
        answer = b""
        while not answer and time.monotonic() < deadline:
            most = max(most, server.resident())
            try:
                answer = connection.socket.recv(65536)
            except BlockingIOError:
                time.sleep(0.02)
    assert digest.hexdigest().encode() in answer
    print(f"{server.engine}: {(most - before) / MEGABYTE:.1f} MiB")
    assert most - before < ALLOWED
    nothing_left(client, server)
