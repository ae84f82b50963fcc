"""An echo over WebSocket on bare RSGI, with the duty of a framework: see `sockets_duty`."""

from benchmarks.apps.sockets_duty import converse


async def app(scope, protocol):
    if scope.proto != "ws":
        protocol.response_empty(404, [])
        return
    transport = await protocol.accept()

    async def receive():
        message = await transport.receive()
        return message.data if message.kind else None

    async def send(message):
        if isinstance(message, str):
            await transport.send_str(message)
        else:
            await transport.send_bytes(message)

    await converse(receive, send)
