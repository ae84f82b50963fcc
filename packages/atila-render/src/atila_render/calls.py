"""Calls of other protocols: registers XML-RPC, JSON-RPC and gRPC with core."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from atila import Parts, SetupError
from atila.app.settings import Setting
from atila_render.grpc import finder as grpc_finder
from atila_render.rpc import finders as rpc_finders

if TYPE_CHECKING:
    from atila import Atila
    from atila.http.exchange import Exchange
    from atila.layers import Finder
    from atila.routing.router import Match
    from atila.serving.endpoint import Endpoint
    from atila.serving.site import Site

SETTINGS: dict[str, Setting] = {**rpc_finders.SETTINGS, **grpc_finder.SETTINGS}
"""Settings; see `rpc.finders` and `grpc.finder`."""

OTHERS = "*"


def mount(app: Atila) -> Parts:
    """The finders of calls to an app, and the function that opens its gRPC port.

    Raises:
        SetupError: a setting, or a route of a gRPC service, is wrong.
    """
    return Parts(calls=finders(app), serve=serve)


def finders(app: Atila) -> dict[str, Finder]:
    """The finders of calls, by media type; see `atila.layers.Finder`.

    Raises:
        SetupError: a setting, or a route of a gRPC service, is wrong.
    """
    found = rpc_finders.finders(app)
    refusing = [rpc_finders.refuse_other_types(app)]
    if "grpc" in (app.config.RPC or ()):
        found.update(grpc_finder.finders(app))
        refusing.append(grpc_finder.refuse_other_types(app))
    if not found:
        return {}

    def refuse(exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        for each in refusing:
            each(exchange, path, match)
        return None

    return {**found, OTHERS: refuse}


def serve(site: Site) -> Coroutine[Any, Any, None] | None:
    """The function that opens the gRPC port; None if there is none.

    Raises:
        SetupError: grpcio is not installed, or cannot use the certificate.
    """
    asked = os.environ.get(grpc_finder.VARIABLE)
    if not asked and not any(mount.app.config.get("GRPC_PORT") for mount in site.mounts):
        return None
    if importlib.util.find_spec("grpc") is None:
        raise SetupError(f"the setting GRPC_PORT: {grpc_finder.ADVICE}")
    from atila_render.grpc.port import address_of, credentials, listen

    return listen(site, address_of(site), credentials())
