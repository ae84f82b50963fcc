"""`atila serve --engine granian`: serves a launch script or an app with granian.

Each worker process reads the target by itself, so that nothing has to survive a fork and a reload
finds the new code; environment variables pass the settings to the workers.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from atila.app import environment
from atila.errors import SetupError
from atila.launch import granian_worker, ports, reloading, script, tls
from atila.monitoring import logs
from atila.runtime import event_loops, server_run

WSGI_THREADS = 4
"""Threads that run handlers where granian calls them by WSGI, if nothing else is said."""
RESPAWN_INTERVAL = 0.1
"""Seconds after which a worker that died is replaced."""

HEAD_SIZE = 400 * 1024
"""Bytes of the head of a request over HTTP/2, about as many as granian takes over HTTP/1.1; its own
default is 16 MiB, which any client could make it hold.
"""


def prepare() -> None:
    """Import granian in advance, if it is there."""
    with suppress(ImportError):
        importlib.import_module("atila.launch.granian_master")


def serve(settings: script.Settings) -> None:
    """Serve until SIGINT or SIGTERM, then let running requests end.

    Raises:
        SetupError: granian is not installed, or cannot use the key, or the port cannot be had.
    """
    try:
        from granian.constants import HTTPModes, Interfaces, Loops
        from granian.http import HTTP2Settings

        from atila.launch.granian_master import Master
    except ImportError as error:
        raise SetupError(
            'granian is not installed. Mend: pip install "atila-core[granian]"'
        ) from error

    logs.configure()
    # A worker is a fork, which takes the signals that end granian for its master's until it listens
    # to them itself: one that was signalled while it started did not end.
    os.register_at_fork(after_in_child=_end_by_signals)
    os.environ[granian_worker.TARGET] = settings.target
    os.environ[granian_worker.INTERFACE] = settings.interface
    if settings.threads:
        os.environ[environment.variable("THREADS")] = str(settings.threads)
    blocking_threads, protocols = None, HTTPModes.auto
    if settings.interface == "wsgi":
        blocking_threads = settings.threads or WSGI_THREADS
        # Over HTTP/2 its reader of bodies spins for ever when a client resets an upload.
        protocols = HTTPModes.http1
    tls.announce(settings.tls)
    watching: dict[str, Any] = {}
    if settings.reload:
        # A mistake is to be mended and tried again, and ends nothing.
        watching = {"reload": True, "reload_ignore_worker_failure": True}
        os.environ[granian_worker.STARTED] = str(time.time_ns())
        places = (reloading.folder_of(settings.target), *settings.places)
        watching["reload_paths"] = [Path(place) for place in places]
        watching["reload_filter"] = _python_filter()
    with _claimed(settings), server_run.running() as folder:
        # Workers collect their garbage before they serve, and need not look at all of this.
        gc.freeze()
        Master(
            folder,
            target=f"{granian_worker.__name__}:{granian_worker.make_service.__name__}",
            factory=True,
            address=settings.host,
            port=settings.port,
            uds=settings.uds,
            interface=Interfaces(settings.interface),
            http=protocols,
            http2_settings=HTTP2Settings(max_headers_size=HEAD_SIZE),
            # granian's own choice is rloop wherever that happens to be installed.
            loop=Loops(event_loops.of_server()),
            blocking_threads=blocking_threads,
            workers=settings.workers,
            respawn_failed_workers=True,
            respawn_interval=RESPAWN_INTERVAL,
            **_encrypted(settings.tls),
            **({"backlog": settings.backlog} if settings.backlog else {}),
            **_level(),
            **watching,
        ).serve()


def _claimed(settings: script.Settings) -> AbstractContextManager[None]:
    if settings.uds is not None:
        return ports.claimed_socket(settings.uds)
    return ports.claimed(settings.host, settings.port)


def _level() -> dict[str, Any]:
    """The option of granian for the level of its own messages."""
    from granian.log import LogLevels

    level = os.environ.get(logs.LOG_LEVEL)
    return {"log_level": LogLevels(level)} if level else {}


def _encrypted(certificate: tls.TLS | None) -> dict[str, Any]:
    """The options of granian for TLS."""
    from granian.constants import SSLProtocols

    if certificate is None:
        return {}
    if certificate.password:
        # Its workers fail at what OpenSSL writes, "Invalid key: Asn1(…)", and listen to nothing.
        raise SetupError(
            "granian cannot use a key with a password. Mend: take the password off the key, and"
            " let only the server's user read it; or use --engine skitai"
        )
    return {
        "ssl_cert": certificate.certfile,
        "ssl_key": certificate.keyfile,
        # Its default is 1.3, which would lock out clients that Python's own allows.
        "ssl_protocol_min": SSLProtocols.tls12,
    }


def _end_by_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _python_filter() -> Any:
    try:
        from watchfiles import PythonFilter
    except ImportError as error:
        raise SetupError(
            'watchfiles is not installed. Mend: pip install "atila-core[granian]"'
        ) from error
    return PythonFilter
