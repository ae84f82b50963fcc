"""Deployment: systemd unit, Nginx, collected static files, switches of a launch script."""

from __future__ import annotations

import getpass
import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import brotli
import pytest
from support import servers
from support.codings import unzstd
from support.nginx import nginx
from support.servers import serving
from support.wire import Answer, Connection

from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.served

SERVE = """
import skitai
from atila import Atila

app = Atila(__name__)
app.config.STATIC_URL = "/static"
app.config.STATIC_ROOT = skitai.abspath("static")
app.config.MEDIA_URL = "/media"
app.config.MEDIA_ROOT = skitai.abspath("media")

@app.route("/")
def index(was):
    return "from the server"

@app.route("/static/made-up.css")
def made_up(was):
    return "made up"

@app.route("/scheme")
def scheme(was):
    return was.request.get_header("x-forwarded-proto", "none")

if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(address="127.0.0.1", port=5000, name="shop")
"""

INSTALL = """
import io, os
from rs4.psutil import service

class Kept(io.StringIO):
    def close(self):
        print("FILE", self.name, self.getvalue())

def keep(path, mode):
    file = Kept()
    file.name = path
    return file

service.open = keep
os.system = lambda command: print("COMMAND", command)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "shop"
    for name, text in {
        "serve.py": SERVE,
        "static/css/site.css": "body {}",
        "static/docs/index.html": "<h1>docs</h1>",
        "static/.secret": "hidden",
        "media/cat.txt": "cat",
        "media/.secret": "hidden",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (tmp_path / "outside.txt").write_text("outside")
    (project / "static" / "link.txt").symlink_to(tmp_path / "outside.txt")
    return project


def run(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("STATIC_ROOT", None)
    return subprocess.run(
        [sys.executable, *args],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


# systemd ------------------------------------------------------------------------------------------


def test_the_unit_serves_with_the_given_options(project: Path) -> None:
    args = ("--user", "www", "--", "--engine", "granian", "--workers", "2")
    done = run(project, "-m", "atila", "systemd", "serve.py", *args)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    script = project / "serve.py"
    for line in (
        f"ExecStart={sys.executable} -m atila serve {script} --engine granian --workers 2",
        f"WorkingDirectory={project}",
        "User=www",
        "Description=shop, served by Atila",
        "TimeoutStopSec=40s",
    ):
        assert line in lines
    assert "@" not in done.stdout.replace("\n", "")


def test_the_unit_is_one_for_systemd(project: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = project / "shop.service"
    run(project, "-m", "atila", "systemd", "serve.py", "--output", str(unit))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert "shop.service" not in checked.stderr


def test_paths_are_escaped_in_a_unit(project: Path) -> None:
    odd = project.with_name("a 100% $HOME")
    project.rename(odd)
    text = run(odd, "-m", "atila", "systemd", "serve.py").stdout
    assert f'"{odd}/serve.py"'.replace("%", "%%").replace("$", "$$") in text
    assert f"WorkingDirectory={odd}".replace("%", "%%") in text


def test_install_of_a_launch_script_is_that_of_skitai(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = project / "serve.py"
    script.write_text(INSTALL + SERVE)
    monkeypatch.setenv("LOGNAME", getpass.getuser())
    monkeypatch.delenv("SUDO_USER", raising=False)
    done = run(project, "serve.py", "--disable-static", "install")
    assert done.returncode == 0, done.stderr
    assert "FILE /etc/systemd/system/shop.service [Unit]" in done.stdout
    assert f'ExecStart={sys.executable} {script} "--disable-static"' in done.stdout
    assert "systemctl enable shop" in done.stdout


# Static files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [("-m", "atila", "collect-static", "serve.py"), ("serve.py", "--collect-static")],
    ids=["atila", "script"],
)
def test_collected_is_what_would_be_served(project: Path, command: tuple[str, ...]) -> None:
    folder = project / "dep/nginx/.static_files"
    for round in range(2):
        done = run(project, *command)
        assert done.returncode == 0, done.stderr
        assert f"2 static files collected in {folder}" in done.stdout
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert found == {"static/css/site.css", "static/docs/index.html", ".collected-by-atila"}
        assert not (folder / "static" / "css" / "site.css.gz").exists()  # It would be longer.
        # What is gone is gone from there, too.
        if round == 0:
            (folder / "static" / "old.css").write_text("old")
    assert [path.name for path in folder.parent.iterdir()] == [".static_files"]


def test_collected_files_are_compressed_beside(project: Path) -> None:
    text = "a { color: red }\n" * 100
    source = project / "static" / "css" / "long.css"
    source.write_text(text)
    (project / "static" / "css" / "own.css").write_text(text)
    (project / "static" / "css" / "own.css.br").write_bytes(b"made by another tool")
    (project / "static" / "noise.png").write_bytes(bytes(1000))
    done = run(project, "-m", "atila", "collect-static", "serve.py", "--folder", "build")
    assert "6 static files collected in build" in done.stdout
    folder = project / "build" / "static"
    for suffix, read in ((".gz", gzip.decompress), (".br", brotli.decompress), (".zst", unzstd)):
        packed = folder / "css" / f"long.css{suffix}"
        assert read(packed.read_bytes()).decode() == text
        assert packed.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert (folder / "css" / "own.css.br").read_bytes() == b"made by another tool"
    assert [path.name for path in folder.glob("noise*")] == ["noise.png"]


def test_other_files_are_not_replaced(project: Path) -> None:
    (project / "mine").mkdir()
    (project / "mine" / "thesis.txt").write_text("precious")
    done = run(project, "-m", "atila", "collect-static", "serve.py", "--folder", "mine")
    assert done.returncode == 2
    assert "holds other files" in done.stderr
    assert (project / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("engine", ["skitai", "granian"])
def test_static_files_can_be_disabled(
    project: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    with serving(engine, project / "serve.py") as server:
        assert server.get("/static/css/site.css").status == 200
    command = servers.command
    monkeypatch.setattr(servers, "command", lambda *args: [*command(*args), "--disable-static"])
    with serving(engine, project / "serve.py") as server:
        assert server.get("/static/css/site.css").status == 404
        assert server.get("/static/made-up.css").body == b"made up"


# Nginx --------------------------------------------------------------------------------------------


def test_a_domain_is_checked(project: Path) -> None:
    for domain in ("a b", "x;y", "-a.com", "a..b", "{}"):
        done = run(project, "-m", "atila", "nginx-conf", "serve.py", "--", domain)
        assert done.returncode == 2
        assert "is no domain" in done.stderr


def get(port: int, path: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    with Connection(port) as connection:
        return connection.get(path, [("Connection", "close"), *headers])


def test_nginx_in_front_of_the_server(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "static" / "css" / "long.css").write_text("long {} " * 100)
    done = run(project, "serve.py", "--nginx-conf=shop.example.com")
    assert done.returncode == 0, done.stderr
    conf = (project / "dep/nginx/shop.example.com.conf").read_text()
    assert "server 127.0.0.1:5000 " in conf
    same = run(project, "-m", "atila", "nginx-conf", "serve.py", "shop.example.com")
    assert same.stdout == conf
    # Not the folder that the server would serve: what answers is what was collected.
    (project / "static" / "css" / "site.css").write_text("changed")
    folder = project.parent / "nginx"
    folder.mkdir()
    monkeypatch.setenv("ATILA_DISABLE_STATIC", "1")
    with (
        serving("granian", project / "serve.py") as server,
        nginx(folder, conf.replace(":5000", f":{server.port}")) as port,
    ):
        assert get(port, "/").body == b"from the server"
        assert get(port, "/scheme").body == b"http"
        answer = get(port, "/static/css/site.css")
        assert (answer.status, answer.body) == (200, b"body {}")
        assert answer.header("content-type") in ("text/css", "text/plain")
        long = get(port, "/static/css/long.css", [("Accept-Encoding", "gzip")])
        assert long.header("content-encoding") == "gzip"
        assert long.header("vary") == "Accept-Encoding"
        assert gzip.decompress(long.body) == b"long {} " * 100
        assert get(port, "/static/css/long.css").body == b"long {} " * 100
        assert get(port, "/static/docs/").body == b"<h1>docs</h1>"
        assert get(port, "/static/made-up.css").body == b"made up"
        assert get(port, "/static/none.css").status == 404
        assert get(port, "/media/cat.txt").body == b"cat"
        assert get(port, "/media/none.txt").status == 404
        for hidden in ("/media/.secret", "/static/.secret", "/static/link.txt"):
            assert get(port, hidden).status == 404
