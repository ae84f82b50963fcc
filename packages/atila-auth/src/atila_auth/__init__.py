"""Access control for Atila: the layer "auth"."""

from atila import PROTOCOL, Layer
from atila.layers import names_of
from atila_auth import (
    authentication,
    cors,
    csrf,
    jwt_keys,
    jwts,
    names,
    otp,
    policy,
    revocations,
    sealed_cookie,
)
from atila_auth.compiler import compile_route
from atila_auth.mbox import MessageBox
from atila_auth.passwords import hash_password, verify_password
from atila_auth.session import Session
from atila_auth.users import User, a1

layer = Layer(
    name="auth",
    protocol=PROTOCOL,
    was={
        "session": Session,
        "mbox": MessageBox,
        "csrf_token": csrf.token,
        "csrf_token_input": csrf.token_input,
    },
    methods=names_of(names.WasOfAuth),
    request={
        "session": lambda was: was.session,
        "mbox": lambda was: was.mbox,
        "JWT": jwts.of_request,
    },
    app=names_of(names.AppOfAuth),
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
