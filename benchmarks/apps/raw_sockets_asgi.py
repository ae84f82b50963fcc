"""An echo over WebSocket on bare ASGI: what uvicorn itself costs."""


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise RuntimeError("there is nothing but WebSockets")
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
