"""Permissions by a header: an "auth" layer in place of atila-auth's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atila import Atila, HTTPError, Layer, Steps, Was, made

LAYER_PROTOCOL = 2
"""The version of the layer protocol that this is written for."""


def permission_required(app: Atila, permissions: list[str]) -> Callable[..., Any]:
    """Let a handler answer only those who have one of the permissions."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        handler.__permissions__ = frozenset(permissions)  # type: ignore[attr-defined]
        return handler

    return decorate


def compile_route(route: Any, app: Atila) -> Steps | None:
    """The check before the handler, for routes that ask for one."""
    required = getattr(route.handler, "__permissions__", None)
    if required is None:
        return None

    def check(was: Was) -> None:
        granted = (was.request.get_header("X-Permissions") or "").split()
        if required.isdisjoint(granted):
            raise HTTPError(403, f"needs one of {sorted(required)}")
        was.request.user = granted

    return Steps(before=[check], loop_safe=True)


def permissions(was: Was) -> tuple[str, ...]:
    """What the client may do."""
    return tuple(was.request.user or ())


class WasOfPermissions:
    """Names of `was`."""

    permissions = made(permissions)


class AppOfPermissions:
    """Names of the app."""

    permission_required = permission_required


layer = Layer(
    name="auth",
    protocol=LAYER_PROTOCOL,
    was=WasOfPermissions,
    app=AppOfPermissions,
    compile=compile_route,
)
