"""The engine for Skitai App Engine 0.57, as it is on PyPI.

patch       `skitai.mount` and `skitai.run` notice Atila apps
standin     what Skitai holds in place of such an app
master      the process that forks the workers, and ends after them
worker      a worker: site, task loop, pump, orderly end
pump        calls from other threads on Skitai's main thread
channel     connections, mended
front       which requests are ours
base        a request, up to the end of its body
http1       HTTP/1.x on top of that
http2       HTTP/2 on top of that
websocket   WebSockets
framing     where a body ends
heads       response heads
outlet      bytes on their way to the client
inbox       bytes and messages on their way to the reader
"""

from __future__ import annotations

import wrapt

from atila.skitai.names import add_names
from atila.skitai.patch import install

__all__ = ["add_names", "register"]


def register() -> None:
    """Have Skitai changed when it is imported, or now if it has been already. Once is enough."""
    global _registered
    if not _registered:
        _registered = True
        wrapt.register_post_import_hook(install, "skitai")


_registered = False
