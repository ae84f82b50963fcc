"""One-time tokens: sealed values that expire, for links in e-mails."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from atila_auth.sealing import keys, revocations
from atila_auth.sealing.seal import LONGEST, Sealer, dump, length_of, sealer

if TYPE_CHECKING:
    from atila import Was

_REVOKED = "ott revoked"


def encode(was: Was, value: Any, timeout: float, session_token_name: str | None = None) -> str:
    """A token that holds a value; may stand in an URL as it is.

    Args:
        was: the request.
        value: None, a bool, number, str, or a list or dict of them. Nobody can read it.
        timeout: seconds that it is valid.
        session_token_name: its purpose: "rset". `decode_ott` can require it.

    Raises:
        TypeError: JSON has no type for the value.
        ValueError: the value is too long, or that is no time to come.
    """
    if not keys.is_time(timeout):
        raise ValueError(f"a token is valid for some seconds, not {timeout!r}")
    ends = round(time.time() + timeout, 3)
    content = [secrets.token_urlsafe(12), ends, session_token_name, value]
    if (length := length_of(len(dump(content)))) > LONGEST:
        raise ValueError(f"the token would have {length} characters; {LONGEST} are the most")
    return _sealer(was).seal(content)


def decode(was: Was, token: str | None, session_token_name: str | None = None) -> Any:
    """The value in a token; None if the token is not of this app, has expired, or was revoked.

    Args:
        was: the request.
        token: a token of `encode_ott`, or any other text.
        session_token_name: the required purpose; None for any.
    """
    found = _sealer(was).open(token)
    if found is None:
        return None
    token_id, ends, name, value = found
    if ends <= time.time() or session_token_name not in (None, name):
        return None
    if revocations.of(was).get(_REVOKED, token_id) is not None:
        return None
    return value


def revoke(was: Was, token: str | None) -> bool:
    """Refuse a token from now on, in all workers.

    Returns:
        Whether it was valid until now. Of many that revoke a token at once, one gets True: use this
        for actions that a token allows only once.
    """
    found = _sealer(was).open(token)
    if found is None:
        return False
    token_id, ends, *_ = found
    left = ends - time.time()
    return left > 0 and revocations.of(was).add(_REVOKED, token_id, b"1", left + revocations.SLACK)


def _sealer(was: Was) -> Sealer:
    return sealer(keys.secrets_of(was.app, "a one-time token"), "ott")
