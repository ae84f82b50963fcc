"""All apps of a launch script, or an app in a package, for servers that are not started by us:
uvicorn, hypercorn, gunicorn, granian.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from atila.app.interfaces import Interfaces
from atila.errors import SetupError
from atila.launch import run_options, script

if TYPE_CHECKING:
    from atila.serving.site import Site

TARGET = "ATILA_APP"
"""The environment variable that names the target: "serve.py", or "package.module:app"."""


class Served:
    """The site of a target as an ASGI, WSGI or RSGI application.

    The target is read at once, so that a mistake in it ends the server; the site is made at the
    first call, in the process that serves.

    Args:
        target: see `script.read`.

    Raises:
        SetupError: there is no such target, it mounts nothing, or runs with options of Skitai's.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        launch = script.read(target)
        if launch.wrapped is not None:
            raise SetupError(
                f"{target} is an application of its own, within which an app is. Mend: name it to"
                f" the server: uvicorn {target}"
            )
        run_options.check_engine(launch.given(), run_options.OTHERS, launch.run_at)
        self._making = threading.RLock()
        self._servers = Interfaces(lambda: self.site, lambda: False, self._making)
        self._site: Site | None = None
        # As in `Atila`: by it servers tell ASGI from WSGI.
        self.__dict__["__call__"] = self._asgi

    @property
    def site(self) -> Site:
        """The site, which is made when it is first asked for."""
        with self._making:
            if self._site is None:
                self._site = script.build_site()
            return self._site

    def __call__(self, *args: Any) -> Any:
        """Answer as an ASGI app (scope, receive, send) or a WSGI app (environ, start_response)."""
        return self._servers.wsgi(*args) if len(args) == 2 else self._servers.asgi(*args)

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self._servers.asgi(scope, receive, send)

    def __rsgi__(self, scope: Any, protocol: Any) -> Any:
        return self._servers.rsgi(scope, protocol)

    def __rsgi_init__(self, loop: Any) -> None:
        self._servers.begin_rsgi(loop)

    def __rsgi_del__(self, loop: Any) -> None:
        self._servers.end_rsgi()

    def __repr__(self) -> str:
        return f"<Served {self._target}>"


def from_environment() -> Served:
    """The application of the target that the environment variable ATILA_APP names.

    Raises:
        SetupError: there is none; or see `Served`.
    """
    target = os.environ.get(TARGET)
    if not target:
        raise SetupError(
            f"{TARGET} is not set. Mend: {TARGET}=serve.py uvicorn atila.site:app, with the launch"
            ' script in it, or "package.module:app"'
        )
    return Served(target)
