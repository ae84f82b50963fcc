"""Frames, deadlines and status messages of gRPC."""

from __future__ import annotations

import asyncio
import gzip
import string
import zlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import HTTPError
from atila_render import GrpcError
from atila_render.grpc.status import encode_message, status_of, trailers_of
from atila_render.grpc.wire import FrameReader, frame, parse_timeout


def reading(pieces: list[bytes]) -> Callable[[int], Awaitable[bytes]]:
    left = [piece for piece in pieces if piece]

    async def read(size: int) -> bytes:
        if not left:
            return b""
        piece = left.pop(0)
        if len(piece) > size:
            left.insert(0, piece[size:])
        return piece[:size]

    return read


def messages(data: bytes, cuts: Sequence[int] = (), encoding: str | None = None) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    reader = FrameReader(reading(pieces), encoding, 100_000)

    async def everything() -> list[bytes]:
        found = []
        while (message := await reader.next()) is not None:
            found.append(message)
        return found

    return asyncio.run(everything())


@given(
    st.lists(st.binary(max_size=3000), max_size=6),
    st.lists(st.integers(0, 20_000), max_size=10),
    st.booleans(),
)
def test_frames_come_back_however_they_are_cut(sent, cuts, compress) -> None:
    data = b"".join(frame(message, compress=compress) for message in sent)
    assert messages(data, cuts, "gzip") == sent


@given(st.binary(max_size=300), st.sampled_from([None, "identity", "gzip", "deflate"]))
def test_anything_else_is_an_error_of_grpc(data: bytes, encoding: str | None) -> None:
    told = 0
    try:
        messages(data, [], encoding)
    except GrpcError as error:
        told = error.grpc_status
    assert told in (0, 8, 13)


def test_deflate_is_that_of_zlib() -> None:
    packed = zlib.compress(b"x" * 100)
    data = b"\1" + len(packed).to_bytes(4, "big") + packed
    assert messages(data, [], "deflate") == [b"x" * 100]


def test_a_bomb_is_not_unpacked() -> None:
    packed = gzip.compress(b"\0" * 10_000_000)
    with pytest.raises(GrpcError) as caught:
        messages(b"\1" + len(packed).to_bytes(4, "big") + packed, [], "gzip")
    assert caught.value.grpc_status == 8
    exact = gzip.compress(b"\0" * 100_000)
    assert messages(b"\1" + len(exact).to_bytes(4, "big") + exact, [], "gzip") == [b"\0" * 100_000]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1H", 3600),
        ("2M", 120),
        ("3S", 3),
        ("250m", 0.25),
        ("5u", 5e-6),
        ("7n", 7e-9),
        (None, None),
    ],
)
def test_timeouts(text, seconds) -> None:
    assert parse_timeout(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("text", ["", "1", "S", "-1S", "1.5S", "123456789S", "1s", "１S", " 1S"])
def test_malformed_timeouts(text: str) -> None:
    with pytest.raises(GrpcError):
        parse_timeout(text)


@given(st.text())
def test_messages_are_printable_ascii_and_come_back(text: str) -> None:
    sent = encode_message(text)
    assert set(sent) <= set(string.printable) - set("\t\n\r\x0b\x0c")
    assert unquote(sent) == text.encode("utf-8", "replace").decode()[: len(text)]


def test_a_long_message_is_cut_between_characters() -> None:
    assert unquote(encode_message("ä" * 10_000)) == "ä" * 2048


@pytest.mark.parametrize(
    ("http", "status"),
    [
        *[(400, 3), (401, 16), (403, 7), (404, 5), (409, 10), (413, 8), (418, 3), (429, 8)],
        *[(500, 13), (501, 12), (503, 14), (504, 4), (599, 2)],
    ],
)
def test_status_of_http(http: int, status: int) -> None:
    assert status_of(HTTPError(http)) == status


def test_grpc_error() -> None:
    error = GrpcError(5, "näh", [("x-more", "1"), ("content-length", "9")])
    assert error.code == 404
    assert trailers_of(error) == [
        ("grpc-status", "5"),
        ("grpc-message", "n%C3%A4h"),
        ("x-more", "1"),
    ]

    class Code:
        value = (10, "aborted")

    assert GrpcError(Code()).grpc_status == 10
    for wrong in (0, 17, -1):
        with pytest.raises(ValueError, match="1 to 16"):
            GrpcError(wrong)
