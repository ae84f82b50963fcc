"""What the apps of calling.py call, and a server of it on each engine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import grpc.aio
import pytest
from support import route_guide
from support.faults import Faults, failing
from support.servers import Server, serving

from atila.testing.waits import PATIENCE

APPS = Path(__file__).parents[1] / "apps"


class _Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/rpc2",)


@contextlib.contextmanager
def xml_server() -> Iterator[int]:
    """The standard library's server of XML-RPC."""
    server = SimpleXMLRPCServer(("127.0.0.1", 0), _Handler, logRequests=False)
    server.register_function(lambda a, b: a + b, "add")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


@contextlib.contextmanager
def grpc_server() -> Iterator[int]:
    """A server of grpc.aio, in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((route_guide.handlers(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(PATIENCE)
    yield port
    asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.close()


@pytest.fixture(scope="session")
def faults() -> Iterator[Faults]:
    """The server that fails."""
    with failing() as faults:
        yield faults


@pytest.fixture(scope="session")
def ports(faults: Faults) -> Iterator[str]:
    """Where all the servers are that are called."""
    upstream = serving("granian", APPS / "upstream.py")
    with upstream as server, xml_server() as xml, grpc_server() as rpc:
        yield f"upstream={server.port} xml={xml} grpc={rpc} faults={faults.port}"


@pytest.fixture(scope="session")
def server(engine: str, ports: str) -> Iterator[Server]:
    """A server of apps/calling.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_PORTS", ports)
        with serving(engine, APPS / "calling.py") as server:
            yield server
