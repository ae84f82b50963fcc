"""The duty of a framework with WebSockets, for the bare functions that have it.

A connection is read all the time, so that its end is noticed while a handler works; a client that
sends ahead is held up; messages have a most length; and a handler that nobody writes to is ended.
"""

import asyncio

MAX_MESSAGE = 1048576
AHEAD = 4
TIMEOUT = 3600


class Socket:
    """An open WebSocket.

    ``receive`` gives a message, or None at the end; ``send`` sends one.
    """

    __slots__ = ("_held", "_inbox", "_is_over", "_receive", "_send", "_since", "_waiter")

    def __init__(self, receive, send):
        self._receive = receive
        self._send = send
        self._inbox = []
        self._waiter = self._held = None
        self._is_over = False
        self._since = asyncio.get_running_loop().time()

    async def read(self):
        """Take messages until there are no more."""
        loop, inbox = asyncio.get_running_loop(), self._inbox
        while (message := await self._receive()) is not None:
            if len(message) > MAX_MESSAGE:
                break
            inbox.append(message)
            self._wake()
            while len(inbox) >= AHEAD:
                self._held = loop.create_future()
                await self._held
        self.end()

    def watch(self):
        """End it if no message comes for too long."""
        loop = asyncio.get_running_loop()
        if self._waiter is not None and loop.time() - self._since >= TIMEOUT:
            self.end()
        elif not self._is_over:
            loop.call_later(TIMEOUT, self.watch)

    def end(self):
        """Nothing more is received or sent."""
        self._is_over = True
        self._wake()

    def _wake(self):
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self):
        """The next message; None at the end."""
        while not self._inbox:
            if self._is_over:
                return None
            loop = asyncio.get_running_loop()
            self._since, self._waiter = loop.time(), loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._inbox.pop(0)
        if self._held is not None and not self._held.done():
            self._held.set_result(None)
        return message

    async def send(self, message):
        """Send a message."""
        if self._is_over:
            raise ConnectionError
        await self._send(message)


async def echo(socket):
    """The handler."""
    while (message := await socket.receive()) is not None:
        await socket.send(message)


async def converse(receive, send):
    """Have the handler talk on a connection that is open."""
    socket = Socket(receive, send)
    reader = asyncio.create_task(socket.read())
    socket.watch()
    try:
        await echo(socket)
    finally:
        socket.end()
        reader.cancel()
