"""Digest authentication (RFC 7616): qop=auth, SHA-256 and MD5."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from atila import HTTPError, SetupError
from atila.runtime.keeping import found, kept
from atila_auth import authorization_header
from atila_auth.authorization_header import Malformed
from atila_auth.login.digest_response import is_for, parse
from atila_auth.login.nonces import Nonces
from atila_auth.login.users import HASHES, Find, Record, User, a1, finder, record_of, records_of

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Headers
    from atila_auth.login.digest_response import Response

_USER = "user of digest authentication"

_USELESS = (
    "digest authentication needs the password of a user, or the MD5 or SHA-256 hash of"
    " user:realm:password; the stored hash of one allows basic authentication only"
)

log = logging.getLogger("atila.auth")


class Digest:
    """The step of routes that require digest authentication.

    Args:
        app: the app.
        realm: the realm.
        find: finds a user.
        algorithms: the algorithms that it offers, the best first.
        seconds: how long a nonce is valid.
    """

    def __init__(
        self, app: Atila, realm: str, find: Find, algorithms: tuple[str, ...], seconds: float
    ) -> None:
        self._realm = realm
        self._find = find
        self._algorithms = algorithms
        self._is_logged = False
        self._nonces = Nonces(f"{app.import_name} {app.mount_prefix} {realm}", seconds)

    def __call__(self, was: Was) -> None:
        """Set `was.request.user`.

        Raises:
            HTTPError: 401, the credentials are missing, wrong, stale or used before; 400, they are
                for another resource.
        """
        # It may have come here before: it is piped, or one of many calls in an envelope.
        user = found(was, _USER) or self._user(was)
        was.request.user = kept(was, _USER, lambda: user)

    def _user(self, was: Was) -> User:
        exchange = was.exchange
        try:
            given = authorization_header.read(exchange)
            if given.scheme != "digest":
                raise self._refusal(was)
            response = parse(given.value, self._realm, self._algorithms)
        except Malformed as error:
            raise self._refusal(was, str(error)) from None
        parameters = response.parameters
        if not is_for(parameters["uri"], exchange):
            # RFC 7616, section 3.4.6: it may be a sign of an attack.
            raise HTTPError(400, "the digest is for another resource")
        record = self._record(was, response)
        is_ours = self._nonces.is_ours(was.site.shared, parameters["nonce"], parameters["opaque"])
        if record is None:
            raise self._refusal(was, "name or password is wrong")
        # The password is right from here on, so a new nonce is all that is missing.
        if not is_ours or self._nonces.left(parameters["nonce"]) <= 0:
            raise self._refusal(was, "the nonce is stale", stale=True)
        if not self._nonces.use(was.site.shared, parameters["nonce"], parameters["nc"]):
            raise self._refusal(was, "the nonce count was used before", stale=True)
        return User(response.name, self._realm, record.info)

    def _record(self, was: Was, response: Response) -> Record | None:
        """The record of the user, if the response is correct."""
        record = record_of(self._find(was, response.name))
        secret = None
        if record is not None:
            secret = record.a1(response.name, self._realm, response.algorithm)
            if secret is None:
                self._explain(record.algorithm)
        if secret is None:
            # The same work for a user that there is not.
            record = None
            secret = a1(response.name, self._realm, secrets.token_hex(8), response.algorithm)
        return record if response.is_right(secret, was.exchange.method) else None

    def _explain(self, algorithm: str) -> None:
        """Log why a user cannot log in, by the algorithm of the password's hash.

        Only that algorithm is offered from now on: with another the users cannot log in, and an
        offer that depended on the user would reveal that there is one.
        """
        if not algorithm:
            if not self._is_logged:
                log.error("a user of %r cannot log in: %s", self._realm, _USELESS)
            self._is_logged = True
        elif self._algorithms != (algorithm,):
            log.warning(
                "passwords of %r are hashed by %s; write app.digest_algorithms = [%r]",
                self._realm,
                algorithm,
                algorithm,
            )
            self._algorithms = (algorithm,)

    def _refusal(self, was: Was, why: str = "log in first", *, stale: bool = False) -> HTTPError:
        return HTTPError(401, why, 0, self.challenges(was, stale=stale))

    def challenges(self, was: Was, *, stale: bool = False) -> Headers:
        """WWW-Authenticate, once for each algorithm.

        All with one nonce: there are clients that mix them up.
        """
        nonce, opaque = self._nonces.new(was.site.shared)
        realm = authorization_header.quoted(self._realm)
        text = f'Digest realm={realm}, qop="auth", nonce="{nonce}", opaque="{opaque}"'
        if stale:
            text += ", stale=true"
        return [
            ("www-authenticate", f"{text}, algorithm={name}, charset=UTF-8, userhash=false")
            for name in self._algorithms
        ]


def compiled(app: Atila, realm: str, source: str) -> Digest:
    """The step for an app.

    Raises:
        SetupError: there are no users, or digest_algorithms is wrong.
    """
    find = finder(app, source)
    seconds = app.config.DIGEST_NONCE_SECONDS
    return Digest(app, realm, find, _algorithms(app, source), seconds)


def _algorithms(app: Atila, source: str) -> tuple[str, ...]:
    chosen = getattr(app, "digest_algorithms", None)
    if chosen is not None:
        if (
            not isinstance(chosen, list | tuple)
            or not chosen
            or not all(isinstance(name, str) and name in HASHES for name in chosen)
        ):
            raise SetupError(
                f"app.digest_algorithms is {chosen!r}; it must be a list of {', '.join(HASHES)}",
                source,
            )
        return tuple(chosen)
    hashed = {record.algorithm for record in records_of(app) if record.is_encrypted}
    if "" in hashed:
        raise SetupError(f"app.users: {_USELESS}", source)
    if len(hashed) > 1:
        raise SetupError(
            "the passwords of app.users are hashed partly by MD5 and partly by SHA-256, and a"
            " client cannot know by which: hash all of them by one",
            source,
        )
    return tuple(hashed) or tuple(HASHES)
