"""How the connection of a client is found among the descriptors of the process."""

import contextlib
import socket
import threading

import pytest

from atila.engines import peer


@pytest.fixture
def connect():
    """A function that makes a connection: its client's end, and the server's."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def connect():
            client = stack.enter_context(socket.create_connection(listening.getsockname()))
            return client, stack.enter_context(listening.accept()[0])

        yield connect


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """No look at the descriptors is a long one, however many tests before have left open."""
    monkeypatch.setattr(peer, "_directory", peer._Directory())
    monkeypatch.setattr(peer, "_LONG_LOOK", float("inf"))


@pytest.fixture
def seldom(monkeypatch, often):
    """A process with so many descriptors that each look at them is a long one."""
    monkeypatch.setattr(peer, "_LONG_LOOK", -1.0)
    monkeypatch.setattr(peer, "_REST", 1e9)


def told(ends, data, **options):
    client, server = ends
    sent = peer.tell(client.getsockname(), server.getsockname(), data, **options)
    if sent:
        client.settimeout(30)
        assert client.recv(100) == data
    return sent


def test_bytes_reach_the_client_of_that_connection_alone(connect):
    pairs = [connect() for _ in range(20)]
    for number, ends in enumerate(pairs):
        assert told(ends, b"to %d" % number)


def test_after_a_long_look_only_those_that_insist_look_again(connect, seldom):
    assert told(connect(), b"one")
    later = connect()
    assert not told(later, b"two")
    assert told(later, b"three", insist=True)
    # It is known from then on.
    assert told(later, b"four")


def test_a_connection_with_the_descriptor_of_another_is_found(connect):
    client, server = connect()
    assert told((client, server), b"one")
    number = server.fileno()
    client.close()
    server.close()
    other = connect()
    assert number in [end.fileno() for end in other]
    assert told(other, b"two", insist=True)


def test_one_look_serves_all_that_insist_at_once(connect, seldom, monkeypatch):
    looks = []
    gate = threading.Event()
    look = peer._Directory._look

    def counted(directory):
        looks.append(1)
        gate.wait(30)
        look(directory)

    monkeypatch.setattr(peer._Directory, "_look", counted)
    pairs = [connect() for _ in range(8)]
    done = []
    threads = [
        threading.Thread(target=lambda ends=ends: done.append(told(ends, b"x", insist=True)))
        for ends in pairs
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(30)
    assert done == [True] * 8
    assert len(looks) == 1


def test_a_connection_that_is_not_there(connect):
    client, server = connect()
    address = server.getsockname()
    assert not peer.tell(("192.0.2.1", 7), address, b"x", insist=True)
    server.close()
    assert not peer.tell(client.getsockname(), address, b"x", insist=True)
