"""The program of each `was.Process` process: it runs calls that arrive over a socket.

It is run as a script, by its path, and imports nothing but the standard library: no module of the
application, before a call names it. The launch script is not run unless a call names something of
it, and then as multiprocessing does it, under the name `__mp_main__`.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import traceback
from multiprocessing import spawn
from multiprocessing.connection import Connection
from typing import Any

DATA, ERROR = b"d", b"e"
"""The first byte of an answer: before pickled data, or before a pickled `Failure`."""

Failure = tuple[bytes | None, str, str]
"""The pickled error, None if it cannot be pickled; its text; its traceback."""

_main: dict[str, Any] = {}
"""How to run the launch script, once."""


class Calls(pickle.Unpickler):
    """Reads calls, for which it runs the launch script if they name it."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__" and _main:
            _run_main()
        return super().find_class(module, name)


def _run_main() -> None:
    # A whole framework, for those who need it: without it the script might start a server.
    from atila.launch import script

    preparation = dict(_main)
    _main.clear()
    with script.capturing():
        spawn.prepare(preparation)


def answer(request: bytes) -> bytes:
    """Carry out a pickled call (func, args, kwargs)."""
    try:
        func, args, kwargs = Calls(io.BytesIO(request)).load()
        data = func(*args, **kwargs)
    except BaseException as error:
        return _failed(error)
    try:
        return DATA + pickle.dumps(data, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        name = getattr(func, "__qualname__", type(func).__name__)
        return _failed(
            TypeError(
                f"the result of {name}, a {type(data).__name__}, cannot be sent from its process:"
                f" {error}"
            )
        )


def _failed(error: BaseException) -> bytes:
    trace = "".join(traceback.format_exception(error))
    text = f"{type(error).__name__}: {error}"
    pickled: bytes | None
    try:
        pickled = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        # Many that can be written cannot be read: those whose __init__ takes something else.
        pickle.loads(pickled)  # noqa: S301 - it was written right here
    except Exception:
        pickled = None
    failure: Failure = (pickled, text, trace)
    return ERROR + pickle.dumps(failure)


def main(handle: int) -> None:
    """Serve until the other end is closed."""
    # They reach a whole group, or all of a service; the server still needs what runs here. Not
    # SIG_IGN, which programs started from here would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    connection = Connection(handle)
    preparation = pickle.loads(connection.recv_bytes())  # noqa: S301 - the server has written it
    for name in ("init_main_from_name", "init_main_from_path"):
        if name in preparation:
            _main[name] = preparation.pop(name)
    spawn.prepare(preparation)
    while True:
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            break
        connection.send_bytes(answer(request))
        del request
    # Threads that a call has left must not keep this process.
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
