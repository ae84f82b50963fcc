"""The object that Skitai holds in place of an Atila app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StandIn:
    """A WSGI callable for one mount point, so that Skitai's routing knows the point.

    Skitai calls hooks of packages itself, in a way of its own, and looks for a dozen methods of
    the app; with this it finds none of them. Relied on, of `wsgi_apps.Module`: it calls
    `start(wasc, route)` of an app in each worker process while it mounts it, with the virtual host
    in `wasc.handler`, and sets `config`, `debug` and `use_reloader`.

    Args:
        begin: called in the worker with Skitai's context class and the virtual host.
    """

    debug = False
    use_reloader = False

    def __init__(self, begin: Callable[[Any, Any], None]) -> None:
        self._begin = begin

    def start(self, wasc: Any, route: str) -> None:
        """Skitai mounts the app, in a worker process."""
        self._begin(wasc, wasc.handler)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Answer a request that came by another way than ours; there is none known."""
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"this application is not served as WSGI\n"]
