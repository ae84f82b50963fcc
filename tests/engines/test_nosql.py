"""Redis, and MongoDB's wire protocol, from handlers of all kinds on every engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.servers import USUAL, Server, serving

from atila_tasks.testing import RedisServer

engines = USUAL

HERE = Path(__file__).parent
STAND_IN = HERE.parents[1] / "packages" / "atila-tasks" / "tests" / "mongodb_stand_in.py"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), "s3cret") as server:
        yield server


@pytest.fixture(scope="module")
def mongodb() -> Iterator[str]:
    if real := os.environ.get("ATILA_TEST_MONGODB"):
        yield real
        return
    with subprocess.Popen([sys.executable, STAND_IN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}/test"
        process.kill()


@pytest.fixture(scope="module")
def server(engine: str, redis: RedisServer, mongodb: str) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_TEST_REDIS", f":s3cret@127.0.0.1:{redis.port}/0")
        patch.setenv("ATILA_TEST_CITIES", f"{mongodb}/{engine}")
        with serving(engine, HERE / "apps" / "nosql.py") as server:
            yield server


def test_redis(client: httpx.Client, name: str) -> None:
    assert client.get("/redis", params={"value": name}).json() == {"set": True, "get": name}


def test_mongodb(client: httpx.Client, name: str) -> None:
    for count in (1, 2):
        found = client.get("/mongo", params={"city": name}).json()["found"]
        assert found == [{"city": name}] * count


def test_both_at_once(client: httpx.Client) -> None:
    assert client.get("/both").json() == {"a": [], "b": None}


def test_many_coroutines(server: Server) -> None:
    def count(_: int) -> int:
        return int(server.get("/redis-coroutine?n=1").text)

    with ThreadPoolExecutor(10) as clients:
        counted = list(clients.map(count, range(100)))
    assert len(set(counted)) == 100


def test_redis_restarts(server: Server, client: httpx.Client, redis: RedisServer) -> None:
    assert client.get("/redis?value=before").is_success
    redis.stop()
    refused = client.get("/redis?value=while")
    assert refused.status_code == 502
    redis.start()
    assert client.get("/redis?value=after").json() == {"set": True, "get": "after"}
    assert "s3cret" not in server.log() + refused.text
