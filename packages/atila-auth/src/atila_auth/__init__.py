"""Access control for Atila: the layer "auth"."""

from typing import Any

from atila import PROTOCOL, Layer
from atila_auth import (
    authentication,
    cors,
    csrf,
    jwt_keys,
    jwts,
    otp,
    ott,
    permissions,
    policy,
    revocations,
    sealed_cookie,
    state,
)
from atila_auth.compiler import compile_route
from atila_auth.mbox import MessageBox
from atila_auth.passwords import hash_password, verify_password
from atila_auth.ratelimit import rate_limit
from atila_auth.session import Session
from atila_auth.users import User, a1


def _set_user(was: Any, user: Any) -> None:
    was.request.user = user


# A property is placed on the context's class as it is, so that it is never out of date.
_user: Any = property(lambda was: was.request.user, _set_user)

layer = Layer(
    name="auth",
    protocol=PROTOCOL,
    was={
        "session": Session,
        "mbox": MessageBox,
        "csrf_token": csrf.token,
        "csrf_token_input": csrf.token_input,
    },
    methods={
        "verify_csrf": csrf.verify,
        "remove_csrf": csrf.remove,
        "generate_otp": otp.generate,
        "verify_otp": otp.verify,
        "encode_ott": ott.encode,
        "decode_ott": ott.decode,
        "revoke_ott": ott.revoke,
        "encode_jwt": jwts.encode_jwt,
        "decode_jwt": jwts.decode_jwt,
        "dejwt": jwts.dejwt,
        "user": _user,
    },
    request={
        "session": lambda was: was.session,  # type: ignore[attr-defined]  # a name of this layer
        "mbox": lambda was: was.mbox,  # type: ignore[attr-defined]  # a name of this layer
        "JWT": jwts.of_request,
    },
    app={
        "csrf_verification_required": csrf.required,
        "permission_handler": state.permission_handler,
        "permission_required": permissions.permission_required,
        "login_required": permissions.login_required,
        "identification_required": permissions.identification_required,
        "authorization_required": authentication.authorization_required,
        "authorization_handler": state.authorization_handler,
        "bearer_handler": state.bearer_handler,
        "rate_limit": rate_limit,
    },
    config={
        **revocations.DEFAULTS,
        **sealed_cookie.DEFAULTS,
        **authentication.DEFAULTS,
        **jwt_keys.DEFAULTS,
    },
    options=policy.NAMES | {authentication.OPTION},
    refusal_headers=cors.refusal_headers,
    compile=compile_route,
    exports={"generate_otp": otp.generate_otp},
    fields=frozenset({csrf.FIELD}),
)

__all__ = ["User", "a1", "hash_password", "layer", "verify_password"]
