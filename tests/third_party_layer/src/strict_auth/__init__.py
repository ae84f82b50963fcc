"""Permissions by a header: an "auth" layer in place of atila-auth's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atila import Atila, HTTPError, Layer, Steps, Was, made

LAYER_PROTOCOL = 2
"""The version of the layer protocol that this is written for."""


class OfWas:
    """Names of `was`."""

    permissions = made(lambda was: tuple(was.request.user or ()))


class OfApp:
    """Names of the app."""

    def permission_required(self, permissions: list[str]) -> Callable[..., Any]:
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


layer = Layer("auth", LAYER_PROTOCOL, was=OfWas, app=OfApp, compile=compile_route)
