"""Access control for Atila: the layer "auth"."""

from atila import PROTOCOL, Layer
from atila.layers import names_of
from atila_auth import names
from atila_auth.compiler import compile_route
from atila_auth.login import authentication
from atila_auth.login.passwords import hash_password, verify_password
from atila_auth.login.users import User, a1
from atila_auth.protection import cors, cors_policy, csrf
from atila_auth.sealing import cookie, revocations
from atila_auth.sessions.message_box import MessageBox
from atila_auth.sessions.session import Session
from atila_auth.tokens import jwt, jwt_keys, one_time_password

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
        "JWT": jwt.of_request,
    },
    app=names_of(names.AppOfAuth),
    config={
        **revocations.DEFAULTS,
        **cookie.DEFAULTS,
        **authentication.DEFAULTS,
        **jwt_keys.DEFAULTS,
    },
    options=cors_policy.NAMES | {authentication.OPTION},
    refusal_headers=cors.refusal_headers,
    compile=compile_route,
    exports={"generate_otp": one_time_password.generate_otp},
    fields=frozenset({csrf.FIELD}),
)

__all__ = ["User", "a1", "hash_password", "layer", "verify_password"]
