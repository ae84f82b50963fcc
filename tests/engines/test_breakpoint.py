"""`breakpoint()` in a handler of a server that was started from a terminal."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.servers import ENGINES, Server

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "paused.py"

engines = (*ENGINES, "granian-wsgi")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal: that of the keyboard, that of the programs."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_it_is_led_from_the_terminal(engine: str, terminal: tuple[int, int]) -> None:
    keyboard, screen = terminal
    by_atila = engine == "skitai" or engine.startswith("granian")
    options = ("--devel",) if by_atila else None
    server = Server(engine, SCRIPT, stdin=screen, options=options)
    try:
        for number, path in enumerate(("/def", "/async", "/trace")):
            stops, secret = server.log().count("(Pdb)"), 6007 + number
            with ThreadPoolExecutor(1) as threads:
                asking = threads.submit(server.get, f"{path}?secret={secret}")
                wait_until(
                    lambda stops=stops: server.log().count("(Pdb)") > stops,
                    "it stops",
                    log=server.log,
                )
                os.write(keyboard, b"p secret * 1000\n")
                wait_until(
                    lambda secret=secret: f"{secret}000" in server.log(), "it shows", log=server.log
                )
                assert not asking.done()
                os.write(keyboard, b"c\n")
                answer = asking.result()
            assert (answer.status, answer.text) == (200, f"went on with {secret}")
    except BaseException as error:
        server.show_log(error)
        raise
    finally:
        server.stop()


def test_without_a_terminal_the_request_fails(engine: str) -> None:
    """There is nobody to ask; the server goes on."""
    server = Server(engine, SCRIPT)
    try:
        assert server.get("/def?secret=1").status == 500
        assert "BdbQuit" in server.log()
        assert server.get("/").text == "ready"
    finally:
        server.stop()
