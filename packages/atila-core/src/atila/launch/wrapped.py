"""An app within middleware of others, as granian serves it: by ASGI or WSGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from atila.serving import site

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Asgi:
    """The application of ASGI for a worker of granian.

    Args:
        app: the middleware.
        started: called once the server may take requests.
    """

    def __init__(self, app: Any, started: Callable[[], None]) -> None:
        self._app = app
        self._started = started

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._started()
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            # A middleware that knows no lifespan: the app starts at the first request.
            self._started()
            raise


class Wsgi:
    """The application of WSGI for a worker of granian. The app in it starts at the first request.

    Args:
        app: the middleware.
        started: called once the server may take requests, and when the app has started.
    """

    def __init__(self, app: Any, started: Callable[[], None]) -> None:
        self._app = app
        self._started = started
        self._has_site = False
        started()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        answer = self._app(environ, start_response)
        if not self._has_site and site.serving:
            self._has_site = True
            self._started()
        return answer
