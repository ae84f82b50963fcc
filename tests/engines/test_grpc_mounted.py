"""An app that is mounted at a gRPC service answers ordinary requests too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from support.protos import generated
from support.servers import Server, serving

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE

engines = ("skitai", "granian")

SCRIPT = Path(__file__).with_name("apps") / "grpc_mounted.py"
SERVICE = "/routeguide.RouteGuide"


@pytest.fixture(scope="module")
def port(engine: str) -> int | None:
    """That of gRPC; None for the server's own."""
    return None if engine == "skitai" else free_port()


@pytest.fixture(scope="module")
def server(engine: str, port: int | None) -> Iterator[Server]:
    generated()
    with pytest.MonkeyPatch.context() as patch:
        if port:
            patch.setenv("ATILA_GRPC_PORT", f"127.0.0.1:{port}")
        with serving(engine, SCRIPT) as server:
            yield server


def test_ordinary_routes(client: httpx.Client) -> None:
    assert client.get(f"{SERVICE}/").text == "index by GET"
    assert client.post(f"{SERVICE}/", data={}).text == "index by POST"
    assert client.get(f"{SERVICE}/trips/7").json() == {"number": 7}
    assert client.post(f"{SERVICE}/trips/7", json={"by": "bus"}).json() == {
        "number": 7,
        "by": "bus",
    }
    assert client.get(f"{SERVICE}/trips/x").status_code == 404
    point = {"latitude": 1, "longitude": 2}
    answer = client.post(f"{SERVICE}/GetFeature", json={"point": point})
    assert answer.json() == {"name": "by JSON", "location": point}
    # A method that the app has not is still one.
    assert client.post(f"{SERVICE}/RouteChat", json={}).status_code == 415


def test_methods(server: Server, port: int | None) -> None:
    guide, stubs = generated()["route_guide"]
    with grpc.insecure_channel(f"127.0.0.1:{port or server.port}") as channel:
        stub = stubs.RouteGuideStub(channel)
        point = guide.Point(latitude=1, longitude=2)
        feature = stub.GetFeature(point, timeout=PATIENCE, wait_for_ready=True)
        assert (feature.name, feature.location) == ("by gRPC", point)
        call = channel.unary_unary(f"{SERVICE}/trips/7")
        with pytest.raises(grpc.RpcError) as error:
            call(b"", timeout=PATIENCE)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
