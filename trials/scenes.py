"""Where the faults of the chaos happen: servers, what they depend on, and what must outlast faults.

`SCENES` has three: workers that share their state by Redis, workers that have it on a small disk,
and two hosts in network namespaces.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from support.clocks import Clock
from support.disks import SmallDisk, small_disk
from support.namespaces import Host, hosts
from support.servers import Server, serving

from trials.kept import Room
from trials.stage import SCRIPT, Stage, stage

PATIENT = 30.0
GIVEN_UP = 30.0
DISK = 16_384
"""Size of the disk for uploads, in KiB."""
STATE_DISK = 600
"""Size of the disk for the shared state, in KiB."""
LISTENERS = 4
TIMES = 6
"""Requests in a row that must be right, of which each worker gets some."""


@dataclass
class Scene:
    """What faults act on.

    Attributes:
        stage: what the servers depend on.
        servers: one for each host.
        room: clients of event streams, some at each worker.
        disk: that of uploads, if it is a small one.
        state_disk: that of the shared state, if it is a small one.
        clock: of the servers, if it can be put.
        hosts: those of the servers, if they are in network namespaces.
        missing: the faults that cannot happen here, and why.
        wrong: what was not as it should be during the present fault, in words.
        counted: increments of the counter that were answered 200, and those that were not.
        visitor: a client with a session.
        visits: those that its session must have.
        said: how many texts were said in the room.
    """

    stage: Stage
    servers: list[Server]
    room: Room
    disk: SmallDisk | None = None
    state_disk: SmallDisk | None = None
    clock: Clock | None = None
    hosts: list[Host] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    counted: list[int] = field(default_factory=lambda: [0, 0])
    visitor: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENT))
    visits: int = 0
    said: int = 0

    @property
    def server(self) -> Server:
        return self.servers[0]

    def expect(self, right: object, what: str) -> None:
        if not right:
            self.wrong.append(what)

    def status(self, method: str, path: str, server: Server | None = None, **more: object) -> int:
        """The status of a request on a connection of its own; 0 if there was no answer."""
        url = (server or self.server).url(path)
        try:
            # No certificates are read, which takes longer than the request.
            return httpx.request(method, url, timeout=PATIENT, verify=False, **more).status_code  # type: ignore[arg-type] # they are httpx's
        except httpx.HTTPError:
            return 0

    def count(self, server: Server | None = None) -> int:
        """Increment the counter in the shared state."""
        status = self.status("POST", "/count", server)
        self.counted[status != 200] += 1
        return status

    def visit(self) -> None:
        """A visit of a client, whose session must have all that were before."""
        self.visits += 1
        found = self._visited()
        self.expect(found == str(self.visits), f"visit {self.visits} was seen as {found}")

    def visit_in_vain(self) -> None:
        """The same while nobody can know whether its session has ended; a new client has none."""
        found = self._visited()
        self.expect("503" in found, f"a visit without shared state was seen as {found}")
        found_new = self.status("GET", "/visit")
        self.expect(found_new == 200, f"the first visit of a client was answered {found_new}")

    def _visited(self) -> str:
        try:
            return self.visitor.get(self.server.url("/visit")).text
        except httpx.HTTPError as error:
            return repr(error)

    def check_room(self) -> float:
        """Say something until all hear it; the seconds that it took."""
        began, heard = time.monotonic(), False
        while not heard and time.monotonic() - began < GIVEN_UP:
            self.said += 1
            self.status("POST", "/say", data={"text": str(self.said)})
            heard = self.room.have_heard(str(self.said), 0.5)
        took = time.monotonic() - began
        for what in self.room.faults():
            self.expect(False, what)
        return took

    def serves(self) -> bool:
        """Whether everything is answered by each server, also by those workers that may not have
        seen yet that something is back.
        """
        ways = (("GET", "/"), ("GET", "/item/1"), ("GET", "/health/ready"))
        return all(
            all(self.status(*way, server=one) == 200 for way in ways)
            and all(self.count(one) == 200 for _ in range(TIMES))
            for one in self.servers
        )

    def check_counter(self) -> None:
        """Each count that was answered 200 is held once, and of the others at most all."""
        for _ in range(5):
            self.count()
        answer = httpx.get(self.server.url("/counted"), timeout=PATIENT)
        right, failed = self.counted
        what = f"{right} counts were answered 200, {failed} were not, {answer.text} are held"
        self.expect(answer.status_code == 200 and right <= int(answer.text) <= right + failed, what)


@contextlib.contextmanager
def by_redis(engine: str, names: tuple[str, ...]) -> Iterator[Scene]:
    """Two workers, which share their state by Redis."""
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(stage(redis=True, upstream=True))
        missing: dict[str, str] = {}
        disk = clock = None
        with _or_missing(missing, "disk full"):
            if "disk full" in names:
                folder = Path(found.environment["TRIAL_UPLOADS"])
                disk = stack.enter_context(small_disk(folder, DISK))
        with _or_missing(missing, "clock jumps"):
            if "clock jumps" in names:
                clock = _clock(found)
        server = stack.enter_context(found.server(engine, 2))
        room = stack.enter_context(Room([server.url("/events")] * LISTENERS, 2))
        yield Scene(found, [server], room, disk, clock=clock, missing=missing)


@contextlib.contextmanager
def by_disk(engine: str, names: tuple[str, ...]) -> Iterator[Scene]:
    """Two workers, which share the state that is embedded, on a disk of its own."""
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(stage())
        folder = found.folder / "state"
        folder.mkdir()
        missing: dict[str, str] = {}
        disk = None
        with _or_missing(missing, "state's disk full"):
            disk = stack.enter_context(small_disk(folder, STATE_DISK))
            found.environment["TMPDIR"] = str(folder)
        server = stack.enter_context(found.server(engine, 2))
        room = stack.enter_context(Room([server.url("/events")] * LISTENERS, 2))
        yield Scene(found, [server], room, state_disk=disk, missing=missing)


@contextlib.contextmanager
def on_hosts(engine: str, names: tuple[str, ...]) -> Iterator[Scene]:
    """Two hosts with a worker each, which have PostgreSQL and Redis in common.

    Raises:
        pytest.skip.Exception: network namespaces are not permitted.
    """
    with contextlib.ExitStack() as stack:
        places = stack.enter_context(hosts(2))
        if not all(place.link for place in places):
            pytest.skip("network namespaces are not permitted here")
        listen = ["127.0.0.1", *(place.here for place in places)]
        found = stack.enter_context(stage(redis=True, listen=listen))
        servers = [stack.enter_context(_of_host(engine, found, place)) for place in places]
        assert servers[0].get("/setup").status == 200, servers[0].log()
        room = stack.enter_context(Room([server.url("/events") for server in servers], 2))
        yield Scene(found, servers, room, hosts=places)


@contextlib.contextmanager
def _of_host(engine: str, found: Stage, place: Host) -> Iterator[Server]:
    environment = {
        name: value.replace("127.0.0.1", place.here) for name, value in found.environment.items()
    }
    options, address = dict(place.options), place.options["address"]
    if engine == "uvicorn":
        environment["UVICORN_HOST"] = address
    else:
        options["options"] = ["--host", address]
    with serving(engine, SCRIPT, environment=environment, **options) as server:
        yield server


def _clock(found: Stage) -> Clock:
    folder = found.folder / "clock"
    folder.mkdir()
    clock = Clock(folder)
    found.environment |= clock.environment
    return clock


@contextlib.contextmanager
def _or_missing(missing: dict[str, str], name: str) -> Iterator[None]:
    try:
        yield
    except pytest.skip.Exception as skipped:
        missing[name] = str(skipped)


SCENES: dict[str, Callable[[str, tuple[str, ...]], contextlib.AbstractContextManager[Scene]]] = {
    "shared by Redis": by_redis,
    "on a disk": by_disk,
    "of two hosts": on_hosts,
}
