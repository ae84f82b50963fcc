"""The in-process client: `app.test_client()` calls an app without a server or a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any

from atila.testing import exchange as engine
from atila.testing.client_request import ClientRequest, Files, HeadersGiven, prepared
from atila.testing.events import StreamEnd, TestEvents
from atila.testing.exchange import TestExchange, TestResponse
from atila.testing.sockets import AppEnd, TestWebSocket
from atila.testing.verbs import Verbs, refusal
from atila.testing.waits import WAIT, patience


class TestClient(Verbs[TestResponse]):
    """Calls an app in this process, through its whole site: threads, task loop and all.

    See `Verbs` for its arguments and attributes.
    """

    def close(self) -> None:
        """Unmount the app, with its whole site; nothing if it was never asked anything."""
        if self.app.mounting.is_done:
            self.app.site.shutdown()

    def __enter__(self) -> TestClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: HeadersGiven | None = None,
        data: Mapping[str, Any] | bytes | str | Iterator[bytes] | None = None,
        json: Any = None,
        files: Files | None = None,
        follow_redirects: bool | None = None,
    ) -> TestResponse:
        """Send a request and wait for its answer, and for the work after it (`was.after`).

        Args:
            method: "GET".
            url: path and query.
            params: more fields of the query.
            headers: request headers: a dict, or pairs where one has several values.
            data: the body: fields of a form, or as it is; an iterator is a streamed body.
            json: the body as a value to be sent as JSON.
            files: files of a form, by the names of their fields: an open file, bytes, text, a path,
                or (filename, content) and (filename, content, media type). A list for several of
                one name. `data` has the other fields.
            follow_redirects: whether to go on where a redirect leads; None for the client's own
                setting.

        Raises:
            TimeoutError: no answer came within `WAIT` seconds, or the work after it took longer.
            RedirectError: a redirect cannot be followed.
            TypeError: there are two bodies, or a file is none.
        """
        request = prepared(
            method, url, params=params, headers=headers, data=data, json=json, files=files
        )
        dialogue = self._dialogue(request, follow_redirects)
        try:
            sent = next(dialogue)
            while True:
                sent = dialogue.send(self.send(sent))
        except StopIteration as end:
            answer: TestResponse = end.value
            return answer

    def send(self, request: ClientRequest) -> TestResponse:
        """Send one request, with the client's cookies, and wait for its answer."""
        exchange = self._exchange(self._with_cookies(request))
        answer: TestResponse = self._answer_to(exchange)
        self._wait_for_work(exchange)
        answer.url = request.url
        self.cookies.take(request.url, answer.header_list)
        return answer

    def websocket(
        self,
        url: str,
        headers: HeadersGiven | None = None,
        protocols: Sequence[str] | None = None,
    ) -> TestWebSocket:
        """Open a WebSocket.

        Args:
            url: path and query.
            headers: request headers: a dict, or pairs where one has several values.
            protocols: the subprotocols that the client speaks, the best first.

        Raises:
            ConnectionRefusedError: the app answered the handshake with an error.
        """
        exchange = self._exchange(self._handshake(url, headers, protocols))
        exchange.is_websocket = True
        answer: TestResponse | TestWebSocket = self._answer_to(exchange)
        self.cookies.take(url, answer.header_list)
        if isinstance(answer, TestResponse):
            raise refusal(answer)
        return answer

    def events(
        self, url: str, headers: HeadersGiven | None = None, last_event_id: str = ""
    ) -> TestEvents:
        """Open an event stream: `with client.events("/updates") as events: event = next(events)`.

        Args:
            url: path and query.
            headers: request headers: a dict, or pairs where one has several values.
            last_event_id: the id of the last event that was received, if this is to go on there.

        Raises:
            ConnectionRefusedError: the app answered with something else.
        """
        exchange = self._exchange(self._of_events(url, headers, last_event_id))
        site = self.app.site
        exchange.make_stream = lambda status, sent: TestEvents(
            status, sent, SimpleQueue(), lambda: site.loop.call(exchange.leave)
        )
        answer: TestResponse | TestEvents = self._answer_to(exchange)
        self.cookies.take(url, answer.header_list)
        if isinstance(answer, TestResponse):
            raise refusal(answer)
        return answer

    def _answer_to(self, exchange: TestExchange) -> Any:
        answers: SimpleQueue[TestResponse | AppEnd | StreamEnd] = SimpleQueue()
        exchange.answers = answers
        site = self.app.site
        if site.is_on_its_loop():
            raise RuntimeError(
                "the app is served on the loop of this test, which must not block: await the"
                " methods of app.async_test_client()"
            )
        # As on a server, whose threads know nothing of the test's context variables.
        Context().run(self._start, exchange)
        seconds = patience(WAIT)
        try:
            return answers.get(timeout=seconds)
        except Empty:
            site.loop.call(exchange.leave)
            raise TimeoutError(f"no answer within {seconds:.0f} s") from None

    def _wait_for_work(self, exchange: TestExchange) -> None:
        """Wait for the work that the request has left to `was.after`."""
        seconds = patience(WAIT)
        for ended in self.app.site.work_after(exchange):
            try:
                ended.result(seconds)
            except TimeoutError:
                raise TimeoutError(
                    f"the work after the answer (was.after) has not ended within {seconds:.0f} s"
                ) from None

    def _start(self, exchange: TestExchange) -> None:
        self.app.site.start_up()
        engine.start(self.app.site, exchange)
