"""What tests of several settings need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from atila import Atila
from atila.testing import TestClient
from atila.testing.waits import PATIENCE, wait_until


@contextmanager
def _full_queue(app: Atila) -> Iterator[TestClient]:
    app.config.THREADS = app.config.QUEUE_SIZE = 1
    started, gate = threading.Event(), threading.Event()

    @app.route("/waits")
    def waits(was):
        started.set()
        gate.wait(PATIENCE)
        return "done"

    client = app.test_client()
    threads = [threading.Thread(target=client.get, args=("/waits",)) for _ in range(2)]
    try:
        threads[0].start()
        assert started.wait(PATIENCE)
        threads[1].start()
        wait_until(lambda: app.site.pool.is_full, "the queue is full")
        yield client
    finally:
        gate.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


@pytest.fixture
def full_queue() -> Callable[[Atila], AbstractContextManager[TestClient]]:
    """Has the only worker thread of an app at work, and another request wait for it: no further
    one is let in. To be called before the app is mounted; gives a client.
    """
    return _full_queue
