"""TLS of a server: its certificate and key, looked at before anything listens."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atila.errors import SetupError

OPTIONS = ("certfile", "keyfile", "passphrase")
"""The options of `skitai.run` that TLS has; `skitai.enable_ssl` sets them, too."""

CERTFILE, KEYFILE = "ATILA_CERTFILE", "ATILA_KEYFILE"
KEYFILE_PASSWORD = "ATILA_KEYFILE_PASSWORD"  # noqa: S105 - a name
"""The environment variables by which layers with ports of their own get to know the TLS."""


@dataclass(frozen=True, slots=True)
class TLS:
    """The certificate of a server.

    Attributes:
        certfile: the certificate and those of its issuers, in PEM format.
        keyfile: the private key, in PEM format; it may be in `certfile`, too.
        password: that of the key; None if it is not encrypted.
    """

    certfile: Path
    keyfile: Path
    password: str | None = None

    def options(self) -> dict[str, str | None]:
        """The same as options of `skitai.run`."""
        values = os.fspath(self.certfile), os.fspath(self.keyfile), self.password
        return dict(zip(OPTIONS, values, strict=True))


def settle(given: Mapping[str, Any], asked: Mapping[str, Any]) -> TLS | None:
    """The TLS of a server; None for plain HTTP.

    Args:
        given: the options certfile, keyfile and keyfile_password of the command line.
        asked: those of the launch script; none of them counts where the command line has a
            certificate.

    Raises:
        SetupError: there is a key without certificate, or they cannot be used.
    """
    certfile, keyfile = given.get("certfile"), given.get("keyfile")
    password = given.get("keyfile_password")
    if certfile is None:
        if keyfile is not None:
            raise SetupError("--keyfile needs --certfile, the certificate of that key")
        certfile, keyfile = asked.get("certfile"), asked.get("keyfile")
        password = password or asked.get("passphrase")
    if not certfile:
        return None
    tls = TLS(Path(certfile).absolute(), Path(keyfile or certfile).absolute(), password)
    _check(tls)
    return tls


def announce(tls: TLS | None) -> None:
    """Have the worker processes know the TLS, by environment variables."""
    values = tls.options().values() if tls else ("", "", "")
    for name, value in zip((CERTFILE, KEYFILE, KEYFILE_PASSWORD), values, strict=True):
        os.environ[name] = value or ""


def _check(tls: TLS) -> None:
    for name, path in (("certificate", tls.certfile), ("key", tls.keyfile)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise SetupError(f"the {name} {path} cannot be read: {error.strerror}") from None
    # Else OpenSSL asks for it at the terminal.
    password = tls.password or ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            tls.certfile, tls.keyfile, lambda: password
        )
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        hint = "" if tls.password else "; an encrypted key needs --keyfile-password"
        raise SetupError(
            f"the certificate {tls.certfile} and the key {tls.keyfile} cannot be used: {reason}."
            f" Mend: give a certificate in PEM format and its own key{hint}"
        ) from None
