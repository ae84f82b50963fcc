"""A client of digest authentication, which can be told to do each thing wrong."""

from __future__ import annotations

import hashlib
import re

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def challenges(answer):
    """By algorithm, the parameters of the challenges of an answer."""
    found = {}
    for name, value in answer.header_list:
        if name == "www-authenticate":
            assert value.startswith("Digest ")
            pairs = re.findall(r'([\w*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', value)
            given = {key: quoted or token for key, quoted, token in pairs}
            found[given["algorithm"]] = given
    return found


def authorization(
    challenge,
    name="hansroh",
    password="1234",
    uri="/",
    method="GET",
    count=1,
    secret=None,
    **changes,
):
    """The header that answers a challenge.

    Args:
        challenge: its parameters.
        secret: the A1 hash to use instead of that of name and password.
        changes: parameters to be sent in place of the right ones, after the response was made;
            None for none. With response_of=..., before it is made.
    """
    algorithm = challenge["algorithm"]
    given = {
        "username": name,
        "realm": challenge["realm"],
        "nonce": challenge["nonce"],
        "uri": uri,
        "algorithm": algorithm,
        "qop": "auth",
        "nc": f"{count:08x}",
        "cnonce": "0a4f113b",
        "opaque": challenge["opaque"],
        **changes.pop("before", {}),
    }

    def h(text):
        return HASHES[algorithm](text.encode()).hexdigest()

    a1 = secret or h(f"{name}:{given['realm']}:{password}")
    parts = [given[key] for key in ("nonce", "nc", "cnonce", "qop")]
    given["response"] = h(":".join([a1, *parts, h(f"{method}:{given['uri']}")]))
    given.update(changes)
    plain = {"algorithm", "qop", "nc"}
    return "Digest " + ", ".join(
        f"{key}={value}" if key in plain else f'{key}="{value}"'
        for key, value in given.items()
        if value is not None
    )
