"""Requests made to wear a server out: endless bodies, colliding names, names that come again."""

from __future__ import annotations

import hashlib
import json
import time

import httpx
import pytest
from support.servers import Server

MEGABYTE = 1024 * 1024
ALLOWED = 30 * MEGABYTE
PAUSE = 0.01
"""Seconds without a byte after every eight megabytes."""


@pytest.mark.memory
def test_memory_of_a_long_slow_stream(server: Server) -> None:
    """A gigabyte where the specification's engines are, which the handler takes by pieces."""
    count = 1024 if server.engine in ("skitai", "granian") else 128
    size = count * MEGABYTE
    piece = bytes(range(256)) * (MEGABYTE // 256)
    digest = hashlib.sha256()
    with server.connect() as connection:
        connection.ask("/upload", "POST", body=piece)
        assert connection.read().status == 200
    before = most = server.resident()
    with server.connect() as connection:
        connection.ask("/upload", "POST", [("Content-Length", str(size))])
        for number in range(count):
            connection.send(piece)
            digest.update(piece)
            if number % 8 == 0:
                most = max(most, server.resident())
                time.sleep(PAUSE)
        answer = json.loads(connection.read().body)
    assert answer["length"] == size
    assert answer["sha256"] == digest.hexdigest()
    assert answer["longest"] <= 16384
    print(f"{server.engine}: {(most - before) / MEGABYTE:.1f} MiB")
    assert most - before < ALLOWED


def test_names_cannot_be_made_to_collide(client: httpx.Client) -> None:
    """Python hashes text with a secret of the process, so that nobody knows which names collide;
    what is left is their number.
    """
    assert client.get("/hashing").json() == 1
    names = {f"n{number}": number for number in range(50_000)}
    answer = client.post("/echo", json=names)
    assert answer.status_code == 200
    assert len(answer.json()["args"]) == 50_000


@pytest.mark.parametrize("kind", ["query", "form", "multipart", "JSON"])
def test_a_name_that_comes_again(client: httpx.Client, kind: str) -> None:
    match kind:
        case "query":
            answer = client.get("/echo?a=1&b=2&a=3&a=1")
        case "form":
            answer = client.post("/echo?a=9", data={"a": ["1", "3", "1"], "b": "2"})
        case "multipart":
            fields = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "1")]
            answer = client.post("/echo", files=[(name, (None, text)) for name, text in fields])
        case _:
            # RFC 8259, section 4: the last of one name counts.
            body = b'{"a": "0", "b": "2", "a": ["1", "3", "1"]}'
            answer = client.post(
                "/echo", content=body, headers={"content-type": "application/json"}
            )
    assert answer.json()["args"] == {"a": ["1", "3", "1"], "b": "2"}
