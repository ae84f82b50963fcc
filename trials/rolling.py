"""Two instances behind Nginx, of which one after the other is ended and started again.

Without `max_fails=0` Nginx takes an instance that refused a connection for dead for ten seconds,
and answers 502 if the other one is restarted meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
from support.nginx import nginx
from support.servers import Server

from trials.ledger import TIMEOUT, Balance, Writers, balance
from trials.stage import SCRIPT, Stage

CONF = """
upstream app {{ server 127.0.0.1:{} max_fails=0; server 127.0.0.1:{} max_fails=0; }}
server {{ listen 80; location / {{ proxy_pass http://app; }} }}
"""


class Readers:
    """A client that reads until it is stopped, on connections of its own."""

    def __init__(self, url: str) -> None:
        self.statuses: Counter[int] = Counter()
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=TIMEOUT) as client:
            while not self._over.wait(0.01):
                try:
                    self.statuses[client.get("/item/1").status_code] += 1
                except httpx.HTTPError:
                    self.statuses[0] += 1


def restart_in_turn(engine: str, stage: Stage, rounds: int) -> tuple[Balance, dict[int, int]]:
    """Restart both instances as often as said, under load.

    Returns: What became of the writes, and the statuses of the reads.
    """
    with contextlib.ExitStack() as stack:
        instances = [_instance(engine, stage) for _ in range(2)]
        stack.callback(lambda: [instance.stop() for instance in instances])
        assert instances[0].get("/setup").status == 200, instances[0].log()
        folder = stage.folder / "nginx"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        port = stack.enter_context(_proxy(folder, instances))
        with Writers(f"http://127.0.0.1:{port}") as writers, Readers(writers.url) as readers:
            wait = threading.Event().wait
            wait(0.5)
            for _ in range(rounds):
                for number, old in enumerate(instances):
                    old.terminate()
                    old.wait_end()
                    instances[number] = _instance(engine, stage, old.port)
                    old.stop()
                    wait(0.5)
        found = balance(stage.postgresql.address, writers.entries)
        return found, dict(readers.statuses)


@contextlib.contextmanager
def _proxy(folder: Path, instances: list[Server]) -> Iterator[int]:
    with nginx(folder, CONF.format(*(instance.port for instance in instances))) as port:
        yield port


def _instance(engine: str, stage: Stage, port: int = 0) -> Server:
    return Server(engine, SCRIPT, port=port, environment=stage.environment)
