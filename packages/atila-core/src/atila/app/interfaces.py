"""The interfaces by which servers that are not ours call a site: ASGI, WSGI and RSGI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila.runtime import garbage

if TYPE_CHECKING:
    from atila.serving.site import Site


class Interfaces:
    """The functions that servers call; the engine of each is made at its first call.

    Args:
        site: gives the site, which it may have to make.
        is_mounted: whether others have made the site, who will also end it.
        making: held while the site is made.

    Attributes:
        asgi: asgi(scope, receive, send).
        wsgi: wsgi(environ, start_response).
        rsgi: rsgi(scope, protocol).
    """

    __slots__ = ("_is_mounted", "_making", "_site", "asgi", "rsgi", "wsgi")

    def __init__(
        self, site: Callable[[], Site], is_mounted: Callable[[], bool], making: threading.RLock
    ) -> None:
        self._site = site
        self._is_mounted = is_mounted
        self._making = making
        self.close()

    def close(self) -> None:
        """Forget the engines: their site has ended."""
        self.asgi: Callable[..., Any] = self._first_asgi
        self.wsgi: Callable[..., Any] = self._first_wsgi
        self.rsgi: Callable[..., Any] = self._first_rsgi

    async def _first_asgi(self, scope: Any, receive: Any, send: Any) -> None:
        from atila.engines import asgi, asgi_start_and_end

        self.asgi = asgi_start_and_end.started(lambda: asgi.Engine(self._site()), scope).serve
        await self.asgi(scope, receive, send)

    def _first_wsgi(self, environ: Any, start_response: Any) -> Any:
        from atila.engines import wsgi

        # Threads of the server may come at once: the others wait until the site is whole, its
        # events of the start through, and what apps share in its place.
        with self._making:
            if self.wsgi == self._first_wsgi:
                make = wsgi.Engine if self._is_mounted() else wsgi.Engine.at_first_request
                self.wsgi = wsgi.started(lambda: make(self._site())).serve
        return self.wsgi(environ, start_response)

    def _first_rsgi(self, scope: Any, protocol: Any) -> Any:
        from atila.engines import rsgi

        self.rsgi = rsgi.Engine(self._site()).serve
        return self.rsgi(scope, protocol)

    def begin_rsgi(self, loop: Any) -> None:
        """The server's `__rsgi_init__`: it is about to serve, on this loop."""
        from atila.engines import rsgi

        site = self._site()
        engine = rsgi.Engine(site)
        engine.begin(loop)
        self.rsgi = engine.serve
        site.start_up()
        garbage.prepare()

    def end_rsgi(self) -> None:
        """The server's `__rsgi_del__`: it has served."""
        self._site().shutdown()
