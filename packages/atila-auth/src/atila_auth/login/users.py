"""The users of an app and their passwords: `app.users` and `@app.authorization_handler`.

Both give, for the name of a user:

    ("1234", False, {"role": "root"})   the password, whether it is encrypted, and anything else
    ("1234", False)
    "1234"
    None                                there is no such user

An encrypted password is a hash by `atila_auth.hash_password`; or the hash of digest authentication,
MD5 or SHA-256 of "user:realm:password" in hexadecimal; or a function that takes the password and
returns whether it is correct. Digest authentication cannot use the first and the last of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila_auth.declarations import state_of
from atila_auth.login import passwords

if TYPE_CHECKING:
    from atila import Atila, Was

MD5, SHA256 = "MD5", "SHA-256"
HASHES: dict[str, Callable[..., Any]] = {SHA256: hashlib.sha256, MD5: hashlib.md5}
"""By the name that digest authentication has for it (RFC 7616, section 3.3), the best first."""
_LENGTHS = {64: SHA256, 32: MD5}
_HEX = frozenset("0123456789abcdef")

Find = Callable[["Was", str], Any]


@dataclass(frozen=True, slots=True)
class User:
    """A user that was authenticated by a password.

    Attributes:
        name: the user's name.
        realm: the realm of the user.
        info: the app's data about the user, given along with the password; None for none.
    """

    name: str
    realm: str
    info: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Record:
    """The stored data of a user.

    Attributes:
        secret: password or hash, or a function.
        is_encrypted: whether it is not the password itself.
        info: anything else.
    """

    secret: str | Callable[[str], Any] = field(repr=False)
    is_encrypted: bool
    info: Any = None

    @property
    def algorithm(self) -> str:
        """Which hash of user, realm and password it is; "" if it is something else."""
        if not self.is_encrypted or not isinstance(self.secret, str):
            return ""
        return _LENGTHS.get(len(self.secret), "") if _HEX.issuperset(self.secret.lower()) else ""

    def a1(self, name: str, realm: str, algorithm: str) -> str | None:
        """The hash of user, realm and password by an algorithm; None if it is not known."""
        if not self.is_encrypted:
            return a1(name, realm, str(self.secret), algorithm)
        return str(self.secret).lower() if self.algorithm == algorithm else None

    def verify(self, name: str, realm: str, password: str, memory: passwords.Memory) -> bool:
        """Whether a password is the user's."""
        secret = self.secret
        if callable(secret):
            return bool(secret(password))
        if not self.is_encrypted:
            return passwords.equal(secret, password)
        if algorithm := self.algorithm:
            return passwords.equal(secret.lower(), a1(name, realm, password, algorithm))
        return memory.verify(password, secret)


def a1(name: str, realm: str, password: str, algorithm: str = MD5) -> str:
    """The hash of user, realm and password that digest authentication works with.

    Args:
        name: the name of the user.
        realm: `app.realm`.
        password: his password.
        algorithm: "MD5" or "SHA-256".

    Returns:
        hexadecimal, lower case (RFC 7616, section 3.4.2).
    """
    text = f"{name}:{realm}:{password}"
    digest: str = HASHES[algorithm](text.encode("utf-8", "surrogatepass")).hexdigest()
    return digest


def finder(app: Atila, source: str) -> Find:
    """A function that finds the users of an app: the authorization handler, or else `app.users`.

    Raises:
        SetupError: there is neither of them, or an entry of a mapping is wrong.
    """
    handler = state_of(app).authorization
    if handler is not None:
        return handler
    if not callable(getattr(getattr(app, "users", None), "get", None)):
        raise SetupError(
            'nobody can log in: write app.users = {"name": "password"}, or any object with'
            " get(username), or @app.authorization_handler",
            source,
        )
    try:
        records_of(app)
    except TypeError as error:
        raise SetupError(f"app.users: {error}", source) from None
    # It may be set anew while the app serves.
    return lambda was, name: getattr(app, "users", {}).get(name)


def record_of(found: Any) -> Record | None:
    """The record of a user's entry; None if there is none.

    Raises:
        TypeError: it has another form; the message shows nothing of it.
    """
    if found is None:
        return None
    secret, encrypted, info = found, False, None
    if isinstance(found, tuple | list) and 2 <= len(found) <= 3:
        secret, encrypted, info = (*found, None)[:3]
    if callable(secret):
        return Record(secret, True, info)
    if not isinstance(secret, str) or not isinstance(encrypted, bool | int):
        raise TypeError(
            "the entry of a user must be a password, (password, encrypted),"
            " (password, encrypted, userinfo) or None"
        )
    record = Record(secret, bool(encrypted) or passwords.is_hashed(secret), info)
    if record.is_encrypted and not record.algorithm and not passwords.is_hashed(secret):
        raise TypeError(
            "an encrypted password must be a hash of atila_auth.hash_password, the MD5 or SHA-256"
            " hash of user:realm:password in hexadecimal, or a function"
        )
    return record


def records_of(app: Atila) -> list[Record]:
    """The records of all users, if `app.users` is a mapping and in use; [] if not.

    Raises:
        TypeError: an entry is wrong.
    """
    users = getattr(app, "users", None)
    if state_of(app).authorization is not None or not isinstance(users, Mapping):
        return []
    records = [record_of(entry) for entry in users.values()]
    return [record for record in records if record is not None]
