"""An echo over WebSocket on bare ASGI, with the duty of a framework: see `sockets_duty`."""

from benchmarks.apps.sockets_duty import converse


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise RuntimeError("there is nothing but WebSockets")
    await receive()
    await send({"type": "websocket.accept"})

    async def take():
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        return text if text is not None else message.get("bytes")

    async def give(message):
        key = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", key: message})

    await converse(take, give)
