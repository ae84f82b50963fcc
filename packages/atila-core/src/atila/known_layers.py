"""The names that the layers of this project add, for errors that say what to install.

The table is written by `hatch run known-layers`, not by hand.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A layer of this project: its distribution, and the names that it adds to each part.

    Attributes:
        distribution: the distribution to install.
        was: of the request's context.
        request: of `was.request`.
        app: of `Atila`.
        options: of `@app.route(...)`.
        exports: of the modules `atila.was` and `skitai`.
    """

    distribution: str
    was: frozenset[str] = frozenset()
    request: frozenset[str] = frozenset()
    app: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    exports: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN = {
    "auth": Known(
        "atila-auth",
        was=_names(
            "after_login csrf_token csrf_token_input decode_jwt decode_ott dejwt encode_jwt "
            "encode_ott generate_otp mbox remove_csrf revoke_ott session user verify_csrf "
            "verify_otp"
        ),
        request=_names("JWT mbox session"),
        app=_names(
            "api_key_handler authorization_handler authorization_required bearer_handler "
            "csrf_verification_required identification_required login_required permission_handler "
            "permission_required rate_limit"
        ),
        options=_names(
            "access_control_allow_credentials access_control_allow_headers "
            "access_control_allow_origin access_control_expose_headers access_control_max_age "
            "authenticate"
        ),
        exports=_names("generate_otp"),
    ),
    "render": Known(
        "atila-render",
        was=_names("API Fault render render_or_API"),
        app=_names("add_jinja_ext jinja_env template_filter template_global"),
    ),
    "tasks": Known(
        "atila-tasks",
        was=_names(
            "Map Mapped Mask Process ProxyPass Queue Subprocess Task Tasks Thread ThreadPass db "
            "delete get grpc jsonrpc options patch post put render_or_Map render_or_Mapped stub "
            "upload xmlrpc"
        ),
        app=_names("alias"),
        options=_names("coroutine"),
        exports=_names(
            "DB_MONGODB DB_PGSQL DB_POSTGRESQL DB_REDIS DB_SQLITE3 PROTO_HTTP PROTO_HTTPS "
            "add_database_interface alias django_model"
        ),
    ),
    "ws": Known(
        "atila-ws",
        was=_names("websocket"),
        app=_names("broadcast websocket websocket_broadcast websocket_send"),
        exports=_names("WS_COROUTINE"),
    ),
}
