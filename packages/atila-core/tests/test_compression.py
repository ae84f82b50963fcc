"""Compressed answers: Accept-Encoding, what is compressed, precompressed files."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila, SetupError, Was
from atila.http import codings
from atila.serving import compression
from atila.testing import TestClient
from atila.testing.waits import PATIENCE

LONG = "so long a text " * 200


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    app.config.COMPRESS = True
    return app


def answer(app: Atila, make: Callable[[Was], Any], **headers: str) -> Any:
    app.route("/")(make)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().get("/", headers={"accept-encoding": "gzip", **given})


@pytest.mark.parametrize(
    ("header", "names", "identity"),
    [
        (None, (), True),
        ("", (), True),
        ("gzip", ("gzip",), True),
        ("gzip, deflate, br, zstd", ("zstd", "br", "gzip"), True),
        ("X-GZip ; Q=0.3", ("gzip",), True),
        ("gzip;q=1, br;q=0.5", ("gzip", "br"), True),
        ("br;q=0, *", ("zstd", "gzip"), True),
        ("*;q=0.2, gzip;q=0.1", ("zstd", "br", "gzip"), True),
        ("gzip;q=0.5, identity", (), True),
        ("gzip;q=0.5, identity;q=0.5", ("gzip",), True),
        ("identity;q=0", (), False),
        ("gzip, identity;q=0", ("gzip",), False),
        ("*;q=0", (), False),
        ("gzip, *;q=0", ("gzip",), False),
        ("identity, *;q=0", (), True),
        ("gzip;q=nan, br;q=x, zstd;q=-1", (), True),
        (",,;q=1,", (), True),
    ],
)
def test_accept_encoding(header: str | None, names: tuple[str, ...], identity: bool) -> None:
    assert codings.accepted(header) == codings.Accepted(names, identity)


@given(st.text(max_size=60))
def test_any_accept_encoding_is_read(header: str) -> None:
    codings.accepted(header)


@pytest.mark.parametrize(
    ("kind", "is_compressed"),
    [
        ("text/html; charset=utf-8", True),
        ("application/json", True),
        ("Application/Problem+JSON", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("image/png", False),
        ("application/zip", False),
        ("application/grpc+proto", False),
        ("application/octet-stream", False),
    ],
)
def test_types(app: Atila, kind: str, is_compressed: bool) -> None:
    got = answer(app, lambda was: was.response(200, LONG, {"content-type": kind}))
    assert (got.headers.get("content-encoding") == "gzip") is is_compressed
    assert ("vary" in got.headers) is is_compressed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-encoding", "x-own"),
        ("cache-control", "private, No-Transform"),
        ("content-digest", "sha-256=:AAAA:"),
        ("repr-digest", "sha-256=:AAAA:"),
    ],
)
def test_answers_that_say_no(app: Atila, name: str, value: str) -> None:
    got = answer(app, lambda was: was.response(200, LONG, {name: value}))
    assert got.content == LONG.encode()
    assert got.headers.get("content-encoding") != "gzip"


@pytest.mark.parametrize("status", [204, 206, 304])
def test_statuses_that_stay(app: Atila, status: int) -> None:
    got = answer(app, lambda was: was.response(status, LONG if status == 206 else None))
    assert got.status_code == status
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        ("Origin", "Origin, Accept-Encoding"),
        ("*", "*"),
        ("accept-encoding, Cookie", "accept-encoding, Cookie"),
    ],
)
@pytest.mark.parametrize("asked", ["gzip", "identity"])
def test_vary_is_merged(app: Atila, given: str, merged: str, asked: str) -> None:
    got = answer(
        app, lambda was: was.response(200, LONG, {"vary": given}), **{"accept-encoding": asked}
    )
    assert got.headers["vary"] == merged


def test_several_vary_headers_become_one() -> None:
    assert compression.varying([("vary", "A"), ("x", "y"), ("vary", "B, C")]) == [
        ("x", "y"),
        ("vary", "A, B, C, Accept-Encoding"),
    ]


def test_small_answers_stay_unless_the_client_insists(app: Atila) -> None:
    app.config.COMPRESS_MINIMUM = 6
    app.route("/5")(lambda was: "x" * 5)
    app.route("/6")(lambda was: "x" * 6)
    client = app.test_client()
    asking = {"accept-encoding": "gzip"}
    assert "content-encoding" not in client.get("/5", headers=asking).headers
    assert client.get("/6", headers=asking).headers["content-encoding"] == "gzip"
    insisting = {"accept-encoding": "gzip, identity;q=0"}
    small = client.get("/5", headers=insisting)
    assert gzip.decompress(small.content) == b"xxxxx"


def test_handlers_do_not_run_for_a_client_that_takes_nothing(app: Atila) -> None:
    ran = []
    app.route("/", methods=["POST"])(lambda was: ran.append(1))
    got = app.test_client().post("/", {}, headers={"accept-encoding": "*;q=0"})
    assert got.status_code == 406
    assert not ran


def test_a_route_decides_for_itself(app: Atila) -> None:
    app.config.COMPRESS = False
    app.route("/on", compress=True)(lambda was: LONG)
    app.route("/off")(lambda was: LONG)
    client = app.test_client()
    asking = {"accept-encoding": "gzip"}
    assert client.get("/on", headers=asking).headers["content-encoding"] == "gzip"
    off = client.get("/off", headers=asking).headers
    assert "content-encoding" not in off
    assert "vary" not in off


def test_sites_without_it_have_plain_exchanges(app: Atila) -> None:
    app.config.COMPRESS = False
    kinds: list[type] = []
    app.route("/kind")(lambda was: kinds.extend(type(was.exchange).__mro__))
    app.test_client().get("/kind")
    assert compression.Compressing not in kinds


def test_wrong_options_are_mistakes(app: Atila) -> None:
    with pytest.raises(SetupError, match="compress is True or False, not 'no'"):
        app.route("/", compress="no")(lambda was: "")
    app.config.COMPRESS = "br"
    with pytest.raises(SetupError, match='it must be True, False or "static"'):
        app.test_client().get("/")


def test_long_bodies_are_not_compressed_on_the_loop(
    app: Atila, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, threading.Thread] = {}
    pack = compression._packed

    def noted(headers: Any, body: bytes, coding: Any) -> Any:
        threads[str(len(body))] = threading.current_thread()
        return pack(headers, body, coding)

    monkeypatch.setattr(compression, "_packed", noted)
    loop: list[threading.Thread] = []

    async def body(was: Was, size: int) -> str:
        loop.append(threading.current_thread())
        return "x" * size

    app.route("/<int:size>")(body)
    client = app.test_client()
    for size in (compression.ON_LOOP, compression.ON_LOOP + 1):
        got = client.get(f"/{size}", headers={"accept-encoding": "gzip"})
        assert gzip.decompress(got.content) == b"x" * size
    assert threads[str(compression.ON_LOOP)] is loop[0]
    assert threads[str(compression.ON_LOOP + 1)] is not loop[1]


# Precompressed files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(LONG)
    folder = tmp_path / "static"
    folder.mkdir()
    for name in ("a.css", "out.css"):
        (folder / name).write_text(LONG)
    (folder / "a.css.gz").write_bytes(b"made before")
    (folder / "out.css.gz").symlink_to(tmp_path / "secret")
    return folder


@pytest.mark.parametrize("setting", ["static", True])
def test_files_that_are_compressed_already(app: Atila, folder: Path, setting: object) -> None:
    app.config.COMPRESS = setting
    app.config.STATIC_ROOT = folder
    client = app.test_client()
    asking = {"accept-encoding": "gzip"}
    found = client.get("/static/a.css", headers=asking)
    assert found.content == b"made before"
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["content-type"] == "text/css; charset=utf-8"
    plain = client.get("/static/a.css")
    assert plain.text == LONG
    assert plain.headers["vary"] == "Accept-Encoding"
    outside = client.get("/static/out.css", headers=asking)
    assert outside.headers.get("content-encoding") == (None if setting == "static" else "gzip")
    # By its own name it is what it is.
    assert "content-encoding" not in client.get("/static/a.css.gz", headers=asking).headers


def test_files_of_strangers_stand_in_for_nothing(app: Atila, folder: Path) -> None:
    app.config.COMPRESS = "static"
    app.config.MEDIA_ROOT = folder
    client: TestClient = app.test_client()
    assert client.get("/media/a.css", headers={"accept-encoding": "gzip"}).text == LONG


def test_an_event_is_there_before_the_next_one(app: Atila) -> None:
    gate = threading.Event()

    def events() -> Any:
        yield "one " * 300
        gate.wait(PATIENCE)
        yield "two"

    app.route("/")(lambda was: was.EventStream(events()))
    client = app.test_client()
    # They are many and open for long, so they are gzip alone, which takes the least memory.
    with client.events("/", headers={"accept-encoding": "zstd, br, gzip"}) as stream:
        assert stream.headers["content-encoding"] == "gzip"
        assert stream.headers["vary"] == "Accept-Encoding"
        parse, decode = stream._parser.feed, zlib.decompressobj(31).decompress
        stream._parser.feed = lambda chunk: parse(decode(chunk))  # type: ignore[method-assign]
        # Unless the packer was flushed it would wait for more, which waits for this.
        assert next(stream).data == "one " * 300
        gate.set()
        assert [event.data for event in stream] == ["two"]
