"""`was.Process` on a cluster of Dask, one of whose workers dies: an error, or another try, as the
cluster is set.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atila import Atila
from atila.testing.waits import patience
from atila_tasks import STA_REQFAIL

distributed = pytest.importorskip("distributed", reason="Dask is not installed")


@pytest.fixture
def cluster(app: Atila) -> Iterator[Any]:
    """A cluster of one worker, which is replaced when it has died."""
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        app.config.PROCESS_EXECUTOR = client.get_executor
        yield cluster
        app.site.shutdown()


def die_at_first(file: str) -> str:
    """Kill the worker unless there is a file, which is made before."""
    if os.path.exists(file):
        return "done"
    open(file, "x").close()
    os._exit(1)


@pytest.mark.thorough
def test_a_worker_that_dies(cluster: Any, run: Callable[..., Any], tmp_path: Path) -> None:
    cluster.scheduler.allowed_failures = 0
    failed = run(
        lambda was: was.Process(die_at_first, str(tmp_path / "one"), timeout=patience())
    ).dispatch()
    assert failed.status == STA_REQFAIL
    assert isinstance(failed.error, distributed.KilledWorker)
    # The next has the worker that came in its place; none of it is left to the next.
    assert run(lambda was: was.Process(math.sqrt, 4, timeout=patience())).fetch() == 2.0
    cluster.scheduler.allowed_failures = 3
    again = run(
        lambda was: was.Process(die_at_first, str(tmp_path / "two"), timeout=patience())
    ).dispatch()
    assert again.data == "done"
