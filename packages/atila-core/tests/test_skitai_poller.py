"""The poll of Skitai's main thread: who rests is not asked, and nobody is forgotten."""

import socket

import pytest

pytest.importorskip("skitai")
select = pytest.importorskip("select")
if not hasattr(select, "epoll"):
    pytest.skip("no epoll here", allow_module_level=True)

from rs4 import asyncore  # noqa: E402

from atila.skitai.poller import Poller  # noqa: E402


class Counting(asyncore.dispatcher):
    """A dispatcher that counts how often it is asked, and keeps what it reads."""

    def __init__(self, near, map):
        self.asked = 0
        self.got = b""
        self.wants_to_write = False
        self.wrote = 0
        self.resting = True
        super().__init__(near, map)

    def readable(self):
        self.asked += 1
        return True

    def writable(self):
        return self.wants_to_write

    def is_at_rest(self):
        return self.resting

    def handle_read(self):
        self.got += self.socket.recv(100)

    def handle_write(self):
        self.wrote += 1
        self.wants_to_write = False


@pytest.fixture
def world(monkeypatch):
    """A poller, its map, and a way to make dispatchers with their peers."""
    poller = Poller()
    monkeypatch.setattr(asyncore, "poller", poller.epoll)
    map, ends = {}, []

    def make(*, ours=True):
        near, far = socket.socketpair()
        dispatcher = Counting(near, map)
        if ours:
            poller.add(dispatcher)
        ends.extend([near, far])
        return dispatcher, far

    yield poller, map, make
    for end in ends:
        end.close()
    poller.epoll.close()


def test_who_rests_is_asked_once(world):
    poller, map, make = world
    idle = [make()[0] for _ in range(50)]
    busy, far = make()
    for _ in range(10):
        far.send(b"x")
        poller(1, map)
    assert busy.got == b"x" * 10
    assert {each.asked for each in idle} == {1}
    assert busy.asked == 10


def test_who_rests_is_heard(world):
    poller, map, make = world
    first, peer = make()
    second, _ = make()
    poller(0, map)
    peer.send(b"hello")
    poller(1, map)
    assert (first.got, second.got) == (b"hello", b"")


def test_who_does_not_rest_is_asked_in_each_round(world):
    poller, map, make = world
    restless, _ = make()
    restless.resting = False
    for _ in range(5):
        poller(0, map)
    assert restless.asked == 5


def test_who_says_so_is_asked_again(world):
    poller, map, make = world
    writer, _ = make()
    poller(0, map)
    writer.wants_to_write = True
    poller(0, map)
    assert writer.wrote == 0
    poller.stir(writer)
    poller(0, map)
    assert writer.wrote == 1
    poller(0, map)
    assert writer.wrote == 1


def test_skitais_own_are_asked_in_each_round(world):
    poller, map, make = world
    make()
    own, far = make(ours=False)
    for _ in range(5):
        poller(0, map)
    assert own.asked == 5
    far.send(b"x")
    poller(1, map)
    assert own.got == b"x"


def test_one_of_skitais_own_that_comes_for_another(world, monkeypatch):
    poller, map, make = world
    monkeypatch.setattr("atila.skitai.poller.LOOK_SECONDS", 0.0)
    old, _ = make(ours=False)
    poller(0, map)
    old.del_channel(map)
    new, far = make(ours=False)
    far.send(b"x")
    poller(1, map)
    assert new.got == b"x"


def test_the_end_of_a_connection(world):
    poller, map, make = world
    leaving, _ = make()
    poller(0, map)
    poller.remove(leaving)
    leaving.del_channel(map)
    leaving.socket.close()
    newcomer, peer = make()
    assert newcomer.socket.fileno() in map
    peer.send(b"x")
    poller(1, map)
    assert (newcomer.got, leaving.got) == (b"x", b"")


def test_who_has_left_is_not_asked_again(world):
    poller, map, make = world
    leaving, _ = make()
    poller(0, map)
    poller.remove(leaving)
    leaving.del_channel(map)
    leaving.socket.close()
    poller.stir(leaving)
    poller(0, map)
    assert leaving.asked == 1


def test_a_descriptor_that_somebody_else_closed_ends_the_connection(world):
    poller, map, make = world
    broken, _ = make()
    broken.handle_expt = lambda: broken.del_channel(map)
    broken.handle_error = broken.handle_expt
    broken.socket.close()
    poller(0, map)
    assert map == {}


def test_a_connection_that_is_stirred_while_it_is_asked_is_asked_again(world):
    poller, map, make = world
    writer, _ = make()

    def is_at_rest():
        # Another thread has something to send just after it was asked.
        writer.wants_to_write = True
        poller.stir(writer)
        return True

    writer.is_at_rest = is_at_rest
    poller(0, map)
    del writer.is_at_rest
    poller(0, map)
    assert writer.wrote == 1


def test_an_event_of_a_closed_connection_does_not_reach_the_next_under_its_descriptor(world):
    poller, map, make = world
    first, first_peer = make()
    second, second_peer = make()
    poller(0, map)
    newcomers = []

    def replaced(own, other):
        """Reading ends the other connection, and a new one gets its descriptor."""

        def handle_read():
            Counting.handle_read(own)
            if newcomers:
                return
            descriptor = other.socket.fileno()
            poller.remove(other)
            other.del_channel(map)
            other.socket.close()
            newcomers.append(make()[0])
            assert newcomers[0].socket.fileno() == descriptor

        return handle_read

    first.handle_read = replaced(first, second)
    second.handle_read = replaced(second, first)
    first_peer.send(b"x")
    second_peer.send(b"x")
    reached = []
    Counting.handle_read_event, kept = (
        lambda self: (reached.append(self), kept(self))[1],
        Counting.handle_read_event,
    )
    try:
        poller(1, map)
    finally:
        del Counting.handle_read_event
    assert len(newcomers) == 1
    assert newcomers[0] not in reached
