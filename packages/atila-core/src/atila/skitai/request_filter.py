"""Decides which requests Atila answers, and which Skitai answers itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from atila.skitai.base import Worker, split_target
from atila.skitai.http1 import Http1Exchange
from atila.skitai.placeholder import StandIn

if TYPE_CHECKING:
    from atila.skitai.http2 import Http2Exchange


class Front:
    """Stands before the handlers of one virtual host, for all versions of HTTP.

    Relied on, of Skitai's `VHost`: `handlers`, whose members pass requests that are not theirs to
    their `default_handler` (this object is put there); `apps.modules`, the mounted apps by their
    route, which ends with a slash; `default_handler.filesystem` (`maps`, `isfile`, `isdir`) and
    `directory_defaults`, the static folders.

    Args:
        worker: the server of our requests.
        vhost: the virtual host; ours from now on.
    """

    def __init__(self, worker: Worker, vhost: Any) -> None:
        self._worker = worker
        self._apps = vhost.apps
        self._skitai = vhost.default_handler
        self._routes: list[tuple[str, bool]] = []
        self._prefixes: list[str] = []
        self._urls: set[str] = set()
        self._ready = False
        self._has_proxies = worker.site.has_proxies
        self._http1 = worker.site.exchange_class(Http1Exchange)
        self._http2: type[Http2Exchange] | None = None
        for handler in vhost.handlers:
            if getattr(handler, "default_handler", None) is self._skitai:
                handler.default_handler = self

    def match(self, request: Any) -> Any:
        """For Skitai: always."""
        return self._skitai.match(request)

    def handle_request(self, request: Any) -> None:
        """Take a request whose head is complete; see Skitai's handlers."""
        target = split_target(request.uri)
        if target is None and self._is_ours("/"):
            self._answer_odd(request)
        elif target is None or not self._is_for_us(request, target):
            self._skitai.handle_request(request)
        elif not hasattr(request, "stream_id"):
            self._http1(self._worker, request, *target).begin()
        else:
            (self._http2 or self._http2_class())(self._worker, request, *target).begin()

    def _is_for_us(self, request: Any, target: tuple[str, str]) -> bool:
        path = target[0]
        if self._has_proxies and request.get_header("x-forwarded-prefix"):
            # Only the exchange knows whether this one is trusted.
            path = self._http1(self._worker, request, *target).path
        return self._is_ours(path) and not self._is_static(request, path)

    def _http2_class(self) -> type[Http2Exchange]:
        # Imported when needed: not everybody has h2.
        from atila.skitai.http2 import Http2Exchange

        self._http2 = self._worker.site.exchange_class(Http2Exchange)
        return self._http2

    def _answer_odd(self, request: Any) -> None:
        """Answer a request whose target is no path: an authority, or an asterisk."""
        if request.command == "options" and request.uri == "*":
            # Of the server as a whole (RFC 9110, section 9.3.7).
            request.response.start(204, "No Content")
            request.response.done()
        else:
            request.response.error(405 if request.command == "connect" else 400)

    def _prepare(self) -> None:
        """Look at the mounts; at the first request, as all are there by then."""
        self._ready = True
        self._routes = [
            (route, any(isinstance(module.get_callable(), StandIn) for module in modules))
            for route, modules in self._apps.modules.items()
        ]
        self._routes.sort(key=lambda item: len(item[0]), reverse=True)
        # What both have is served by us alone: Skitai would also serve hidden files, and follow
        # links out of the folder.
        self._urls = {root.url for root in self._worker.site.static.roots}
        self._prefixes = [
            f"{alias}/" for alias in self._skitai.filesystem.maps if f"{alias}/" not in self._urls
        ]

    def _is_ours(self, path: str) -> bool:
        if not self._ready:
            self._prepare()
        slashed = path + "/"
        for route, is_ours in self._routes:
            if path.startswith(route) or slashed == route:
                if is_ours:
                    return True
                break
        # The URL of a static folder is one of the site, wherever its app is mounted.
        return any(path.startswith(url) for url in self._urls if url != "/")

    def _is_static(self, request: Any, path: str) -> bool:
        """Whether Skitai alone has a static file there, which goes before all apps."""
        if not self._prefixes or request.command not in ("get", "head"):
            return False
        if not any(path.startswith(prefix) for prefix in self._prefixes):
            return False
        ours = self._worker.site.files
        if ours is not None and ours.find(path) is not None:
            return False  # It is answered as on all engines, and in the order that packages have.
        files, name = self._skitai.filesystem, path.lstrip("/")
        if files.isfile(name):
            return True
        return bool(
            files.isdir(name)
            and any(
                files.isfile(os.path.join(name, default))
                for default in self._skitai.directory_defaults
            )
        )
