"""Specs and flags of `@app.websocket`, numbered as in Skitai 0.57."""

WS_REPORTY = 1
"""The handler is called once for each message."""

WS_NOPOOL = 128
"""Flag: the handler runs on the task loop instead of in worker threads, so it must never block."""

WS_SESSION = 256
"""Flag: one call of the handler lasts as long as the connection."""

WS_THREADSAFE = 512
"""Flag without effect: `was.websocket.send` may always be called from any thread."""

WS_CHATTY = WS_REPORTY | WS_SESSION
"""The handler is a generator: `msg = yield` waits for a message, `yield text` sends one."""

WS_COROUTINE = 2048
"""The handler is a generator that waits for tasks as well. Skitai has no such number."""

KNOWN = WS_REPORTY | WS_NOPOOL | WS_SESSION | WS_THREADSAFE | WS_COROUTINE
"""All bits that mean something."""
