"""TLS of the server: of the command line, and of a launch script, which no engine may drop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from support.servers import Server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, patience, wait_until

ENCRYPTED = Path(__file__).parent / "apps" / "encrypted.py"
PASSWORD = "correct horse"

engines = ("skitai", "granian", "granian-wsgi")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem, key.pem, both.pem, locked.pem and other-key.pem."""
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    own, other = (authority.issue_cert("localhost", "127.0.0.1") for _ in range(2))
    own.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    own.private_key_pem.write_to_path(str(folder / "key.pem"))
    own.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    other.private_key_pem.write_to_path(str(folder / "other-key.pem"))
    (folder / "locked.pem").write_bytes(locked(own.private_key_pem.bytes()))
    return folder


def locked(key: bytes) -> bytes:
    """A private key, encrypted with `PASSWORD`."""
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    )


@pytest.fixture
def started() -> Iterator[list[Server]]:
    """Servers that are ended with the test."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


def serve(engine: str, started: list[Server], *options: str, **environment: str) -> Server:
    """`atila serve` of the app with more options, on any of our engines."""
    server = Server(engine, ENCRYPTED, ready="", options=options, environment=environment)
    started.append(server)
    return server


def refused(server: Server) -> str:
    """The one line that a server has written that ended."""
    wait_until(lambda: server.process.poll() is not None, "it has ended", log=server.log)
    assert server.process.returncode not in (0, None)
    lines = [line for line in server.log().splitlines() if line.startswith("atila: ")]
    assert len(lines) == 1
    assert "Traceback" not in server.log()
    return lines[0]


def client(server: Server, authority: trustme.CA, *, http2: bool = False) -> httpx.Client:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return httpx.Client(
        base_url=server.url("", "https"), verify=context, http2=http2, timeout=PATIENCE
    )


def wait_ready(server: Server, client: httpx.Client) -> None:
    def answers() -> bool:
        assert server.process.poll() is None, server.log()
        try:
            return client.get("/").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, "the server speaks TLS", log=server.log)


def check(server: Server, authority: trustme.CA) -> None:
    """It speaks HTTP/2 where the client does, and HTTP/1.1, and nothing without TLS."""
    with client(server, authority) as old, client(server, authority, http2=True) as new:
        wait_ready(server, old)
        assert old.get("/").json() == {"scheme": "https", "version": "1.1"}
        answer = new.get("/")
        if server.engine == "granian-wsgi":
            assert answer.http_version == "HTTP/1.1"
        else:
            assert answer.json() == {"scheme": "https", "version": "2.0"}
        body = "x" * 200_000
        assert old.post("/echo", content=body).text == new.post("/echo", content=body).text == body
    try:
        plain = httpx.get(server.url("/"), timeout=patience()).status_code
    except httpx.TransportError:
        plain = 0
    assert plain != 200


def test_websockets_with_a_protocol(
    engine: str, started: list[Server], authority: trustme.CA, files: Path
) -> None:
    """granian cannot answer with one over TLS: it refuses the handshake, and logs why.

    The client has one thread, for the reason given at `support.sockets.Websockets`.
    """
    if engine == "granian-wsgi":
        pytest.skip("WSGI has no WebSocket")
    options = ("--certfile", str(files / "cert.pem"), "--keyfile", str(files / "key.pem"))
    server = serve(engine, started, *options)
    with client(server, authority) as ready:
        wait_ready(server, ready)
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def opened(protocols: list[str] | None) -> tuple[str | None, str | bytes]:
        names = [Subprotocol(name) for name in protocols or ()] or None
        url = server.url("/socket", "wss")
        async with (
            connect(
                url, ssl=context, subprotocols=names, proxy=None, open_timeout=PATIENCE
            ) as socket,
            asyncio.timeout(PATIENCE),
        ):
            return socket.subprotocol, await socket.recv()

    assert asyncio.run(opened(None)) == (None, "None")
    if engine == "granian":
        with pytest.raises(InvalidStatus) as error:
            asyncio.run(opened(["v1.chat"]))
        assert error.value.response.status_code == 501
        assert "granian cannot send Sec-WebSocket-Protocol over TLS" in server.log()
    else:
        assert asyncio.run(opened(["v1.chat"])) == ("v1.chat", "'v1.chat'")


@pytest.mark.parametrize(
    "names",
    [("cert.pem", "key.pem"), ("both.pem", ""), ("cert.pem", "locked.pem")],
    ids=["two files", "one file", "key with a password"],
)
def test_of_the_command_line(
    engine: str, started: list[Server], files: Path, authority: trustme.CA, names: tuple[str, str]
) -> None:
    certfile, keyfile = names
    options = ["--certfile", str(files / certfile)]
    options += ["--keyfile", str(files / keyfile)] if keyfile else []
    password = PASSWORD if keyfile == "locked.pem" else ""
    server = serve(engine, started, *options, ATILA_KEYFILE_PASSWORD=password)
    if password and engine != "skitai":
        assert "granian cannot use a key with a password. Mend:" in refused(server)
        return
    check(server, authority)
    assert server.url("", "https") in server.log()


@pytest.mark.parametrize("way", ["enable_ssl", "run"])
def test_of_the_launch_script(
    engine: str, started: list[Server], files: Path, authority: trustme.CA, way: str
) -> None:
    server = serve(engine, started, CERTIFICATES=str(files), WAY=way)
    check(server, authority)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--keyfile", "key.pem"), "--keyfile needs --certfile"),
        (("--certfile", "none.pem"), "cannot be read: No such file"),
        (("--certfile", "cert.pem", "--keyfile", "none.pem"), "none.pem cannot be read"),
        (("--certfile", "cert.pem"), "cannot be used"),
        (("--certfile", "cert.pem", "--keyfile", "other-key.pem"), "key values mismatch"),
        (("--certfile", "cert.pem", "--keyfile", "locked.pem"), "--keyfile-password"),
    ],
)
def test_slips(started: list[Server], files: Path, options: tuple[str, ...], words: str) -> None:
    """They are said in a line before any engine starts, and nothing is served without TLS."""
    given = [str(files / each) if each.endswith(".pem") else each for each in options]
    assert words in refused(serve("granian", started, *given))


@pytest.mark.unable("granian-wsgi", "one engine of granian is enough for its gRPC port")
@pytest.mark.parametrize("keyfile", ["key.pem", "locked.pem"])
def test_the_grpc_port_speaks_it_too(
    engine: str, started: list[Server], files: Path, authority: trustme.CA, keyfile: str
) -> None:
    port = free_port()
    options = ("--certfile", str(files / "cert.pem"), "--keyfile", str(files / keyfile))
    password = PASSWORD if keyfile == "locked.pem" else ""
    options = (*options, "--grpc-port", str(port))
    server = serve(engine, started, *options, ATILA_KEYFILE_PASSWORD=password)
    if password:
        words = "cannot use a key with a password"
        wait_until(lambda: words in server.log(), "the key is refused")
        return
    with client(server, authority) as asking:
        wait_ready(server, asking)
    root = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with grpc.secure_channel(f"localhost:{port}", root) as channel:
        grpc.channel_ready_future(channel).result(patience())
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/none.None/None")(b"", timeout=patience())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_launch_script_started_by_itself(files: Path, authority: trustme.CA) -> None:
    """By Skitai, which says what is wrong with the certificate as `atila serve` does."""
    environment = {"CERTIFICATES": str(files), "WAY": "enable_ssl"}
    server = Server("skitai", ENCRYPTED, ready="", environment=environment)
    try:
        check(server, authority)
    finally:
        server.stop()
