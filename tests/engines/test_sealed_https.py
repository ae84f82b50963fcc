"""Cookies under https: sent over https only, and otherwise as under http."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support import servers
from support.servers import USUAL, Server

from atila.testing.waits import PATIENCE, wait_until

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "sealed.py"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this test, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    for path in paths:
        path.chmod(0o644)
    return paths


class TlsServer(Server):
    """A server that is reached over TLS."""

    def _wait_ready(self, path: str) -> None:
        with httpx.Client(verify=False, timeout=PATIENCE) as client:

            def answers() -> bool:
                assert self.process.poll() is None, f"{self.engine} ended while it started"
                try:
                    return client.get(self.url(path, "https")).status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(answers, f"{self.engine} ready", log=self.log)


@pytest.fixture(scope="module")
def secure_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker of apps/sealed.py, with TLS."""
    folder = tmp_path_factory.mktemp("tls")
    for above in (folder, *folder.parents[:3]):
        above.chmod(0o755)
    certificate, key = map(str, make_certificate(folder))
    plain = servers.command

    def command(engine: str, script: Path, port: int, *more: Any) -> list[str]:
        given = plain(engine, script, port, *more)
        match engine:
            case "granian":
                options = ["--interface", "rsgi", "--port", str(port)]
                options += ["--ssl-certificate", certificate, "--ssl-keyfile", key]
                return [sys.executable, "-m", "granian", *options, f"{script.stem}:app"]
            case "uvicorn":
                return [*given, "--ssl-certfile", certificate, "--ssl-keyfile", key]
            case "hypercorn" | "gunicorn":
                return [*given, "--certfile", certificate, "--keyfile", key]
        return given

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "command", command)
        patch.setitem(os.environ, "TLS_CERTIFICATE", certificate)
        patch.setitem(os.environ, "TLS_KEY", key)
        server = TlsServer(engine, SCRIPT)
    try:
        yield server
    finally:
        server.stop()


def test_cookies_under_https(secure_server: Server) -> None:
    url = secure_server.url("", "https")
    with httpx.Client(base_url=url, verify=False, timeout=PATIENCE) as client:
        client.get("/session/set", params={"a": "1"})
        assert client.get("/session/get").json() == {"a": "1"}
        for path in ("/session/set?a=2", "/msg", "/form", "/namespaced"):
            (line,) = client.get(path).headers.get_list("set-cookie")
            attributes = line.split("; ")[1:]
            assert {"SameSite=Lax", "Secure", "HttpOnly"} <= set(attributes)
            assert not any(attribute.startswith("Domain") for attribute in attributes)
