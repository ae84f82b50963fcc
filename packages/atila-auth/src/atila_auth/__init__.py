"""Access control for Atila: the layer "auth"."""

from atila import PROTOCOL, Layer
from atila_auth import names
from atila_auth.compiler import compile_route
from atila_auth.login import authentication
from atila_auth.login.passwords import hash_password, verify_password
from atila_auth.login.users import User, a1
from atila_auth.protection import cors, cors_policy
from atila_auth.sealing import cookie, revocations
from atila_auth.tokens import jwt_keys, one_time_password

layer = Layer(
    name="auth",
    protocol=PROTOCOL,
    was=names.WasOfAuth,
    request=names.RequestOfAuth,
    app=names.AppOfAuth,
    config={
        **revocations.DEFAULTS,
        **cookie.DEFAULTS,
        **authentication.DEFAULTS,
        **jwt_keys.DEFAULTS,
    },
    options=cors_policy.NAMES | {authentication.OPTION},
    exports={"generate_otp": one_time_password.generate_otp},
    compile=compile_route,
    mount=cors.mount,
)

__all__ = ["User", "a1", "hash_password", "layer", "verify_password"]
