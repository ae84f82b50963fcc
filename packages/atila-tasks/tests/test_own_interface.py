"""The interface of the manual, against a server that speaks the protocol."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atila import Atila, Was
from atila.testing.waits import PATIENCE
from atila_tasks import STA_TIMEOUT, Interface, Unreachable, UpstreamError, add_database_interface

EXAMPLE = Path(__file__).with_name("own_interface.txt")
MANUAL = Path(__file__).parents[3] / "docs" / "databases.md"


def code() -> str:
    """The example, which lies here because this folder is shipped without the manual."""
    return EXAMPLE.read_text()


def test_the_example_is_that_of_the_manual() -> None:
    if not MANUAL.exists():
        pytest.skip("the manual is not here")
    (example,) = re.findall(r"```python\n# my_dbi.py\n(.+?)```", MANUAL.read_text(), re.DOTALL)
    assert code() == example
    assert len([line for line in example.splitlines() if line.strip()]) <= 60


class Memcached:
    """A server with two commands, in a thread of its own; silent for the key "slow", and gone in
    the middle of an answer for "broken".
    """

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.connections = 0
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                command, key, *rest = line.split()
                if command == b"set":
                    self.values[key] = (await reader.readexactly(int(rest[2]) + 2))[:-2]
                    writer.write(b"STORED\r\n")
                elif key == b"slow":
                    continue
                elif key == b"broken":
                    writer.write(b"VALUE broken 0 100\r\nhalf")
                    break
                elif key in self.values:
                    value = self.values[key]
                    writer.write(b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value))
                else:
                    writer.write(b"END\r\n")
        finally:
            self.connections -= 1
            writer.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE)


@pytest.fixture
def server() -> Iterator[Memcached]:
    server = Memcached()
    yield server
    server.stop()


def test_an_interface_of_one_s_own(server: Memcached, app: Atila) -> None:
    names: dict[str, Any] = {}
    exec(code(), names)
    interface = names["MyDBI"]
    assert issubclass(interface, Interface)
    add_database_interface("*mydbi", interface)
    app.alias("@mydbi", "*mydbi", f"127.0.0.1:{server.port}", max_conns=2)
    app.alias("@gone", "*mydbi", ["127.0.0.1:1", f"127.0.0.1:{server.port}"])
    given: list[Any] = []

    @app.route("/")
    def index(was: Was) -> str:
        with was.db("@mydbi") as db:
            assert db.get("a").fetch() is None
            assert db.set("a", "häl").fetch() is True
            values = was.Tasks([db.get("a") for _ in range(20)]).fetch()
            given.append(values)
            given.append(was.db("@mydbi", timeout=0.1).get("slow").dispatch().status)
            given.append(db.get("broken").dispatch().error)
            given.append(db.nothing().dispatch().error)
            given.append(db.get("a").fetch())
        given.append(was.db.lb("@gone").get("a").fetch())
        given.append([type(result.error) for result in was.db.map("@gone").get("a").dispatch()])
        return ""

    with app.test_client() as client:
        assert client.get("/").status_code == 200
        assert server.connections <= 3
    values, late, broken, unknown, again, balanced, errors = given
    assert values == ["häl"] * 20
    assert late == STA_TIMEOUT
    assert isinstance(broken, UpstreamError)
    assert isinstance(unknown, AttributeError)
    assert again == balanced == "häl"
    assert errors == [Unreachable, type(None)]
