"""The in-process client of tests that are coroutines: `app.async_test_client()`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator, Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from atila.testing import exchange as engine
from atila.testing.client_request import ClientRequest, Files, HeadersGiven, prepared
from atila.testing.events import AsyncChunks, AsyncTestEvents, StreamEnd
from atila.testing.exchange import TestExchange, TestResponse
from atila.testing.sockets import AppEnd, AsyncTestWebSocket
from atila.testing.verbs import Verbs, refusal
from atila.testing.waits import WAIT, patience

if TYPE_CHECKING:
    from atila import Site


class AsyncTestClient(Verbs[Coroutine[Any, Any, TestResponse]]):
    """Calls an app in this process from a coroutine, which waits for answers without blocking.

    The loop of the test becomes the task loop of the app, unless that is served already: so an
    `async def` handler and the test may share what belongs to a loop, such as a connection of a
    database. Other handlers run in worker threads, as ever. See `Verbs` for its arguments and
    attributes. To be used by `async with`, so that the app is unmounted while the loop still runs.
    """

    async def close(self) -> None:
        """Unmount the app, with its whole site; nothing if it was never asked anything."""
        if self.app.mounting.is_done:
            await asyncio.to_thread(self.app.site.shutdown)

    async def __aenter__(self) -> AsyncTestClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: HeadersGiven | None = None,
        data: Mapping[str, Any]
        | bytes
        | str
        | Iterator[bytes]
        | AsyncIterator[bytes]
        | None = None,
        json: Any = None,
        files: Files | None = None,
        follow_redirects: bool | None = None,
    ) -> TestResponse:
        """Send a request and wait for its answer; see `TestClient.request`.

        If the waiting task is cancelled, the client has left, and its request is cancelled too.
        """
        request = prepared(
            method, url, params=params, headers=headers, data=data, json=json, files=files
        )
        dialogue = self._dialogue(request, follow_redirects)
        try:
            sent = next(dialogue)
            while True:
                sent = dialogue.send(await self.send(sent))
        except StopIteration as end:
            answer: TestResponse = end.value
            return answer

    async def send(self, request: ClientRequest) -> TestResponse:
        """Send one request, with the client's cookies, and wait for its answer."""
        site = await self._served()
        exchange = self._exchange(self._with_cookies(request))
        answer: TestResponse = await _answer_to(site, exchange)
        await _wait_for_work(site, exchange)
        answer.url = request.url
        self.cookies.take(request.url, answer.header_list)
        return answer

    def websocket(
        self,
        url: str,
        headers: HeadersGiven | None = None,
        protocols: Sequence[str] | None = None,
    ) -> Opening:
        """Open a WebSocket: `async with client.websocket(url) as socket:`, or `await` it.

        Args:
            url: path and query.
            headers: request headers: a dict, or pairs where one has several values.
            protocols: the subprotocols that the client speaks, the best first.

        Raises:
            ConnectionRefusedError: the app answered the handshake with an error.
        """
        return Opening(lambda: self._open(self._handshake(url, headers, protocols)))

    async def events(
        self, url: str, headers: HeadersGiven | None = None, last_event_id: str = ""
    ) -> AsyncTestEvents:
        """Open an event stream: `async with await client.events("/updates") as events:`; see
        `TestClient.events`.
        """
        site = await self._served()
        exchange = self._exchange(self._of_events(url, headers, last_event_id))
        chunks = AsyncChunks()
        exchange.make_stream = lambda status, sent: AsyncTestEvents(
            status, sent, chunks, lambda: site.loop.call(exchange.leave)
        )
        answer: TestResponse | AsyncTestEvents = await _answer_to(site, exchange)
        self.cookies.take(url, answer.header_list)
        if isinstance(answer, TestResponse):
            raise refusal(answer)
        return answer

    async def _open(self, request: ClientRequest) -> AsyncTestWebSocket:
        site, running = await self._served(), asyncio.get_running_loop()
        exchange = self._exchange(request)
        exchange.is_websocket = True
        exchange.make_socket = partial(AsyncTestWebSocket, running)
        answer: TestResponse | AsyncTestWebSocket = await _answer_to(site, exchange)
        self.cookies.take(request.url, answer.header_list)
        if isinstance(answer, TestResponse):
            raise refusal(answer)
        return answer

    async def _served(self) -> Site:
        """The site, on a loop that runs, and started.

        Raises:
            RuntimeError: its task loop is that of a test that has ended.
        """
        # Hooks of the app may block.
        site = await asyncio.to_thread(Context().run, lambda: self.app.site)
        if not site.has_loop:
            site.use_loop(asyncio.get_running_loop())
        elif not site.loop.loop.is_running():
            raise RuntimeError(
                "the app is still mounted on the loop of a test that has ended: let each use"
                " `async with app.async_test_client() as client:`"
            )
        if not site.has_started:
            await asyncio.to_thread(Context().run, site.start_up)
        return site


class Opening:
    """A WebSocket that is to be opened: `async with` closes it, `await` leaves that to the test."""

    __slots__ = ("_open", "_socket")

    def __init__(self, open_: Any) -> None:
        self._open = open_
        self._socket: AsyncTestWebSocket | None = None

    def __await__(self) -> Generator[Any, None, AsyncTestWebSocket]:
        opening: Generator[Any, None, AsyncTestWebSocket] = self._open().__await__()
        return opening

    async def __aenter__(self) -> AsyncTestWebSocket:
        self._socket = await self
        return self._socket

    async def __aexit__(self, *error: object) -> None:
        if self._socket is not None:
            await self._socket.disconnect()


class _Answer:
    """The place of one answer, for a coroutine to wait for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()

    def put(self, item: TestResponse | AppEnd | StreamEnd, /) -> None:
        self._loop.call_soon_threadsafe(self._set, item)

    def _set(self, item: TestResponse | AppEnd | StreamEnd) -> None:
        if not self.future.done():
            self.future.set_result(item)


async def _answer_to(site: Site, exchange: TestExchange) -> Any:
    exchange.answers = answer = _Answer()
    # As on a server, whose threads know nothing of the test's context variables.
    Context().run(engine.start, site, exchange)
    seconds = patience(WAIT)
    try:
        async with asyncio.timeout(seconds) as limit:
            return await answer.future
    except BaseException:
        site.loop.call(exchange.leave)
        if limit.expired():
            raise TimeoutError(f"no answer within {seconds:.0f} s") from None
        raise


async def _wait_for_work(site: Site, exchange: TestExchange) -> None:
    """Wait for the work that the request has left to `was.after`."""
    seconds = patience(WAIT)
    for ended in site.work_after(exchange):
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(asyncio.wrap_future(ended))
        except TimeoutError:
            raise TimeoutError(
                f"the work after the answer (was.after) has not ended within {seconds:.0f} s"
            ) from None
