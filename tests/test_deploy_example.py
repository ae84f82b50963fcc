"""examples/deploy without Docker: its files are read, and the commands in them run as processes,
with a real PostgreSQL, Redis and Nginx with TLS. docs/guide/docker.md is about them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import websocket
import yaml
from packaging.version import Version
from support.nginx import nginx
from support.repository import ROOT

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until
from atila_tasks.testing import PostgreSQLServer, RedisServer

pytestmark = pytest.mark.served

FOLDER = ROOT / "examples" / "deploy"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
NGINX = (FOLDER / "nginx.conf").read_text()
DEPLOYMENT, SERVICE, INGRESS = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
VALUES = {"SECRET_KEY": "k" * 64, "DB_PASSWORD": "unused", "ADMIN": "hans:correct horse"}
"""The file .env."""


def instruction(name: str) -> list[str]:
    """The words of the last instruction of that name; those of a command are a list of JSON."""
    found = re.findall(rf"(?m)^{name} (.*)$", DOCKERFILE)[-1]
    return json.loads(found[found.index("[") :]) if "[" in found else found.split()


(PORT,) = instruction("EXPOSE")


# What the files say of each other -----------------------------------------------------------------


def test_the_image() -> None:
    build, final = re.split(r"(?m)^FROM ", DOCKERFILE)[1:]
    assert "pip install" in build
    assert "pip" not in final
    assert instruction("USER") == ["10001"]
    assert int(re.findall(r"--uid (\d+)", final)[0]) == 10001
    command = instruction("CMD")
    assert (command[0], command[command.index("--port") + 1]) == ("atila", PORT)
    assert f":{PORT}/health/ready" in instruction("HEALTHCHECK")[-1]


def needed(*names: str) -> set[str]:
    """The variables without which modules do not run."""
    texts = [(FOLDER / name).read_text() for name in names]
    return set(re.findall(r'os\.environ\["(\w+)"\]', "".join(texts)))


def test_every_variable_is_given() -> None:
    app = needed("board.py", "serve.py")
    assert app <= set(COMPOSE["services"]["app"]["environment"])
    assert needed("prepare.py") <= set(COMPOSE["services"]["prepare"]["environment"])
    text = (FOLDER / "kubernetes.yaml").read_text()
    assert app | needed("prepare.py") <= set(re.findall(r"--from-literal=(\w+)=", text))
    for container in (CONTAINER, *POD["initContainers"]):
        assert container["envFrom"] == [{"secretRef": {"name": "board"}}]


def test_ports_names_and_networks_agree() -> None:
    services = COMPOSE["services"]
    assert f"server app:{PORT} " in NGINX
    assert services["nginx"]["ports"] == ["80:80", "443:443"]
    for volume in services["nginx"]["volumes"]:
        source = volume.partition(":")[0]
        assert source == "./tls" or (FOLDER / source).is_file()
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
    (config,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert services["app"]["environment"]["ATILA_TRUSTED_PROXIES"] == config["subnet"]

    assert CONTAINER["ports"] == [{"name": "http", "containerPort": int(PORT)}]
    assert SERVICE["spec"]["ports"][0]["targetPort"] == "http"
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert labels == DEPLOYMENT["spec"]["selector"]["matchLabels"] == SERVICE["spec"]["selector"]
    (path,) = INGRESS["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == SERVICE["metadata"]["name"]


def test_servers_have_the_time_to_end() -> None:
    app = COMPOSE["services"]["app"]
    seconds = float(app["environment"]["ATILA_SHUTDOWN_TIMEOUT"])
    assert float(app["stop_grace_period"].removesuffix("s")) > seconds
    given = {each["name"]: each["value"] for each in CONTAINER["env"]}
    seconds = float(given["ATILA_SHUTDOWN_TIMEOUT"])
    before = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > seconds + before


# What they start ----------------------------------------------------------------------------------


def environment_of(service: str, replaced: dict[str, str]) -> dict[str, str]:
    """What Compose would give a service, and nothing else of this process."""
    given = {}
    for name, value in COMPOSE["services"][service]["environment"].items():
        value = re.sub(r"\$\{(\w+):\?\}", lambda found: VALUES[found[1]], value)
        given[name] = replaced.get(name, value)
    return given | {"PATH": os.environ["PATH"], "HOME": replaced["HOME"]}


@dataclass
class Stack:
    folder: Path
    environment: dict[str, str]
    app: subprocess.Popen[str]
    port: int
    plain: int
    secure: int
    tls: ssl.SSLContext

    def client(self) -> httpx.Client:
        address = f"https://localhost:{self.secure}"
        return httpx.Client(base_url=address, verify=self.tls, headers={"accept": "text/html"})


def here(command: list[str], port: int) -> list[str]:
    """A command of the image, with the programs and a port of this machine."""
    program, *rest = command
    path = {"python": sys.executable, "atila": str(Path(sys.executable).with_name("atila"))}
    return [path[program], *(each.replace(PORT, str(port)) for each in rest)]


def is_older_nginx() -> bool:
    """Whether HTTP/2 is an option of `listen` there still (before 1.25.1)."""
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        return False
    said = subprocess.run([program, "-v"], capture_output=True, text=True).stderr
    version = re.search(r"nginx/([\d.]+)", said)
    return version is not None and Version(version[1]) < Version("1.25.1")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("deploy")
    for module in FOLDER.glob("*.py"):  # as `COPY *.py ./`
        shutil.copy(module, folder)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "privkey.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "fullchain.pem", append=True)
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    port, secure = free_port(), free_port()
    conf = NGINX.replace(f"app:{PORT}", f"127.0.0.1:{port}").replace("/etc/nginx/tls", str(folder))
    conf = conf.replace("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;")
    if is_older_nginx():
        conf = conf.replace(" ssl;\n    http2 on;", " ssl http2;")
    redis = RedisServer(folder)
    try:
        with PostgreSQLServer() as database, nginx(folder, conf) as plain:
            replaced = {
                "DATABASE": database.address,
                "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
                "ATILA_TRUSTED_PROXIES": "127.0.0.1",
                "HOME": str(folder),
            }
            prepare(folder, replaced)
            given = environment_of("app", replaced)
            log = folder / "log.txt"
            with log.open("w") as output:
                app = subprocess.Popen(
                    here(instruction("CMD"), port),
                    cwd=folder,
                    env=given,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            try:
                stack = Stack(folder, given, app, port, plain, secure, tls)
                wait_until(lambda: healthy(stack), "the app is healthy", log=log.read_text)
                yield stack
            finally:
                app.terminate()
                app.wait(PATIENCE)
    finally:
        redis.stop()


def prepare(folder: Path, replaced: dict[str, str]) -> None:
    given = environment_of("prepare", replaced)
    command = here(COMPOSE["services"]["prepare"]["command"], 0)
    assert command[1:] == POD["initContainers"][0]["command"][1:]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def healthy(stack: Stack) -> bool:
    """Whether the health check of the image passes."""
    command = here(instruction("HEALTHCHECK"), stack.port)
    done = subprocess.run(
        command, cwd=stack.folder, env=stack.environment, capture_output=True, timeout=PATIENCE
    )
    return done.returncode == 0


def test_login_database_and_websocket_through_nginx(stack: Stack) -> None:
    with stack.client() as client:
        sent = client.get("/")
        assert sent.status_code == 302
        login = sent.headers["location"]
        assert client.post(login, data={"name": "hans", "password": "wrong"}).status_code == 403
        back = client.post(login, data={"name": "hans", "password": "correct horse"})
        assert (back.status_code, back.headers["location"]) == (303, "/")
        assert "secure" in back.headers["set-cookie"].lower()
        assert client.get("/").text.startswith("<!doctype html>")

        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        origin = f"https://localhost:{stack.secure}"
        # Of one thread, for the reason given at `support.sockets.Websockets`.
        with closing(
            websocket.create_connection(
                f"wss://localhost:{stack.secure}/news",
                timeout=PATIENCE,
                cookie=cookie,
                origin=origin,
                sslopt={"context": stack.tls},
            )
        ) as socket:
            # Of both workers, by Redis: one of these is not that of the WebSocket.
            for number in range(4):
                assert client.post("/notes", data={"text": f"tea {number}"}).status_code == 303
            news = [socket.recv() for _ in range(4)]
            assert news == [f"hans: tea {number}" for number in range(4)]
        notes = client.get("/notes", headers={"accept": "application/json"}).json()["notes"]
        assert notes[-1] == {"author": "hans", "text": "tea 3"}


def test_nginx_speaks_tls_alone_and_hides_health(stack: Stack) -> None:
    sent = httpx.get(f"http://127.0.0.1:{stack.plain}/notes?page=2", headers={"host": "localhost"})
    assert (sent.status_code, sent.headers["location"]) == (308, "https://localhost/notes?page=2")
    with stack.client() as client:
        assert client.get("/health/ready").status_code == 404
        answer = client.get("/notes", headers={"accept": "application/json"})
        assert answer.status_code == 401
        assert "max-age" in answer.headers["strict-transport-security"]


def test_the_probes_are_answered(stack: Stack) -> None:
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = CONTAINER[probe]["httpGet"]
        assert asked["port"] == "http"
        answer = httpx.get(f"http://127.0.0.1:{stack.port}{asked['path']}")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_it_ends_when_it_is_told_to(stack: Stack) -> None:
    # The last test of the module: the others need it.
    stack.app.terminate()
    assert stack.app.wait(PATIENCE) == 0
    assert not healthy(stack)
