"""Where a trial takes place: databases, files and a server with the app under trial."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from support.faults import Faults, failing
from support.servers import Server, serving

from atila_tasks.testing import PostgreSQLServer, RedisServer

SCRIPT = Path(__file__).parent / "apps" / "serve.py"
BLOB_SIZE = 1 << 20
ENGINES = ("skitai", "granian", "uvicorn")


@dataclass
class Stage:
    """What a trial may use, and break.

    Attributes:
        folder: its files, which are removed at the end.
        postgresql: the database of the app.
        redis: the state that its workers share, if there is a Redis.
        upstream: a server that does what none should, if there is one.
        environment: what the app is given.
    """

    folder: Path
    postgresql: PostgreSQLServer
    redis: RedisServer | None = None
    upstream: Faults | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def server(self, engine: str, workers: int) -> Iterator[Server]:
        """The app, served."""
        with serving(engine, SCRIPT, workers, environment=self.environment) as server:
            answer = server.get("/setup")
            assert answer.status == 200, server.log()
            yield server


@contextlib.contextmanager
def stage(
    redis: bool = False, upstream: bool = False, listen: Sequence[str] = ()
) -> Iterator[Stage]:
    """Set up what the app needs.

    Args:
        redis: whether its workers share their state by Redis.
        upstream: whether there is a server to be asked that misbehaves.
        listen: addresses at which databases listen, if not at 127.0.0.1 alone.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atila-trial-")))
        folder.chmod(0o755)
        addresses = ",".join(listen or ["127.0.0.1"])
        found = Stage(folder, stack.enter_context(PostgreSQLServer(listen=addresses)))
        blob = folder / "blob"
        blob.write_bytes(os.urandom(BLOB_SIZE))
        uploads = folder / "uploads"
        uploads.mkdir()
        uploads.chmod(0o777)
        found.environment |= {
            "TRIAL_POSTGRESQL": found.postgresql.address,
            "TRIAL_BLOB": str(blob),
            "TRIAL_UPLOADS": str(uploads),
        }
        if redis:
            found.redis = stack.enter_context(RedisServer(folder))
            if listen:
                client = Redis(port=found.redis.port)
                client.config_set("bind", " ".join(listen))
                client.config_set("protected-mode", "no")
            found.environment["TRIAL_SHARED"] = f"redis://127.0.0.1:{found.redis.port}/0"
        if upstream:
            found.upstream = stack.enter_context(failing())
            found.environment["TRIAL_UPSTREAM"] = f"127.0.0.1:{found.upstream.port}"
        yield found
