"""Functions that run in other processes."""

import os
import signal
import threading
import time

from support.board import Board


class Odd(Exception):
    """Can be written by pickle, but not read."""

    def __init__(self, first, second):
        super().__init__("odd")


def note(board, name):
    """Say that it runs, and wait for a gate."""
    board = Board(board)
    board.write(f"{name}-pid", f"{os.getpid()} ")
    board.note(f"{name}-begun")
    board.pass_gate(name)
    board.note(f"{name}-ended")
    return os.getpid()


def die(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def die_with_heir():
    """Leave a process behind that holds all that this one held."""
    if os.fork() == 0:
        time.sleep(120)
        os._exit(0)
    die()


def odd():
    raise Odd(1, 2)


def lock():
    return threading.Lock()


def leave():
    raise SystemExit(3)


def size(data):
    return len(data)


def zeros(count):
    return bytes(count)
