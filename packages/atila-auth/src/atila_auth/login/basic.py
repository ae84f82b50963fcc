"""Basic authentication (RFC 7617). It sends name and password in clear: use https."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from atila import HTTPError
from atila_auth import authorization_header
from atila_auth.authorization_header import Malformed
from atila_auth.login import passwords
from atila_auth.login.users import Find, Record, User, finder, record_of

if TYPE_CHECKING:
    from atila import Atila, Was


class Basic:
    """The step of routes that require basic authentication.

    Args:
        realm: the realm.
        find: finds a user.
    """

    def __init__(self, realm: str, find: Find) -> None:
        self._realm = realm
        self._find = find
        self._memory = passwords.Memory()
        self._decoy = Record(secrets.token_hex(16), False)
        self._challenge = f'Basic realm={authorization_header.quoted(realm)}, charset="UTF-8"'

    def __call__(self, was: Was) -> None:
        """Set `was.request.user`.

        Raises:
            HTTPError: 401, the credentials are missing or wrong.
        """
        try:
            given = authorization_header.read(was.exchange)
            if given.scheme != "basic":
                raise self._refusal("log in first")
            name, password = authorization_header.parse_basic(given.value)
        except Malformed as error:
            raise self._refusal(str(error)) from None
        record = record_of(self._find(was, name))
        if record is None:
            # The same work for a user that there is not.
            self._decoy.verify(name, self._realm, password, passwords.Memory(0))
            raise self._refusal("name or password is wrong")
        self._learn(record)
        if not record.verify(name, self._realm, password, self._memory):
            raise self._refusal("name or password is wrong")
        was.request.user = User(name, self._realm, record.info)

    def _learn(self, record: Record) -> None:
        """Let the decoy be of the kind that the users' passwords are."""
        secret = record.secret
        if not isinstance(secret, str) or not passwords.is_hashed(secret):
            return
        before = self._decoy.secret
        if not isinstance(before, str) or not passwords.is_alike(before, secret):
            self._decoy = Record(passwords.decoy(secret), True)

    def _refusal(self, why: str) -> HTTPError:
        return HTTPError(401, why, 0, [("www-authenticate", self._challenge)])


def compiled(app: Atila, realm: str, source: str) -> Basic:
    """The step for an app.

    Raises:
        SetupError: there are no users.
    """
    return Basic(realm, finder(app, source))
