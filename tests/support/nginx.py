"""A real Nginx, where there is one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until
from support.wire import Broken, Connection


@contextlib.contextmanager
def nginx(folder: Path, conf: str) -> Iterator[int]:
    """Nginx with a configuration, on a free port; the test is skipped where it is not installed.

    Args:
        folder: for its files.
        conf: of its `http` block; each "listen 80;" becomes that port.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("needs nginx")
    port = free_port()
    (folder / "site.conf").write_text(conf.replace("listen 80;", f"listen 127.0.0.1:{port};"))
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}} http {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    base = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", "nginx.conf"]
    checked = subprocess.run([*base, "-t"], capture_output=True, text=True, timeout=PATIENCE)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    process = subprocess.Popen(base)
    try:
        wait_until(lambda: _answers(port), "nginx ready")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(port: int) -> bool:
    try:
        with Connection(port) as connection:
            return connection.get("/", [("Connection", "close")]).status > 0
    except (OSError, Broken):
        return False
