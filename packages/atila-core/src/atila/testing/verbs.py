"""The part that the test clients share: settings, methods of HTTP, the way through redirects."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from atila.testing.client_request import (
    MOST_REDIRECTS,
    ClientRequest,
    HeadersGiven,
    RedirectError,
    header_pairs,
)
from atila.testing.cookies import ClientCookies
from atila.testing.exchange import TestExchange, TestResponse

if TYPE_CHECKING:
    from atila import Atila

Answer = TypeVar("Answer", covariant=True)
"""The result of a method of a client: an answer, or an awaitable of one."""


class Verbs(Generic[Answer]):
    """A client of an app in this process.

    Args:
        app: the app.
        follow_redirects: whether requests follow redirects that say nothing else.

    Attributes:
        app: the app.
        cookies: the cookies that the app has set, by name; they are sent back, unless a request has
            a Cookie header of its own.
        follow_redirects: whether requests follow redirects that say nothing else.
    """

    __test__ = False

    def __init__(self, app: Atila, *, follow_redirects: bool = False) -> None:
        self.app = app
        self.cookies = ClientCookies()
        self.follow_redirects = follow_redirects

    @classmethod
    def of(cls, target: str | os.PathLike[str], *, follow_redirects: bool = False) -> Self:
        """A client for all that a launch script mounts.

        Args:
            target: "serve.py", or an app in a module, "package.module:app".
            follow_redirects: whether requests follow redirects that say nothing else.

        Raises:
            SetupError: see `atila.site_of`.
        """
        from atila import site_of

        with _main_restored():
            app = site_of(os.fspath(target)).mounts[-1].app
        return cls(app, follow_redirects=follow_redirects)

    def request(self, *args: Any, **options: Any) -> Answer:
        """Send a request; see `TestClient.request`."""
        raise NotImplementedError

    def get(self, url: str, **options: Any) -> Answer:
        """GET; see `request`."""
        return self.request("GET", url, **options)

    def post(self, url: str, data: Any = None, **options: Any) -> Answer:
        """POST; see `request`."""
        return self.request("POST", url, data=data, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> Answer:
        """PUT; see `request`."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> Answer:
        """PATCH; see `request`."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> Answer:
        """DELETE; see `request`."""
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Any) -> Answer:
        """HEAD; see `request`."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> Answer:
        """OPTIONS; see `request`."""
        return self.request("OPTIONS", url, **options)

    def _dialogue(
        self, request: ClientRequest, follow_redirects: bool | None
    ) -> Generator[ClientRequest, TestResponse, TestResponse]:
        """Yields the requests to send, takes their answers, and gives the last one."""
        follows = self.follow_redirects if follow_redirects is None else follow_redirects
        history: list[TestResponse] = []
        while True:
            answer = yield request
            answer.history = history
            if not follows or not answer.is_redirect:
                return answer
            if len(history) == MOST_REDIRECTS:
                raise RedirectError(f"{MOST_REDIRECTS} redirects were not enough: {answer.url}")
            history = [*history, answer]
            request = request.redirected(answer)

    def _with_cookies(self, request: ClientRequest) -> ClientRequest:
        """The same with the cookies that the client keeps."""
        cookies = None
        if request.header("cookie") is None:
            cookies = self.cookies.header(request.url)
        return request.with_header("cookie", cookies) if cookies else request

    def _handshake(
        self, url: str, headers: HeadersGiven | None, protocols: Sequence[str] | None
    ) -> ClientRequest:
        pairs = header_pairs(headers)
        if protocols is not None:
            pairs.append(("sec-websocket-protocol", ", ".join(protocols)))
        return self._with_cookies(ClientRequest("GET", url, pairs))

    def _of_events(
        self, url: str, headers: HeadersGiven | None, last_event_id: str
    ) -> ClientRequest:
        pairs = [("accept", "text/event-stream"), *header_pairs(headers)]
        if last_event_id:
            pairs.append(("last-event-id", last_event_id))
        return self._with_cookies(ClientRequest("GET", url, pairs))

    def _exchange(self, request: ClientRequest) -> TestExchange:
        return request.exchange(self.app.site.exchange_class(TestExchange))


def refusal(answer: TestResponse) -> ConnectionRefusedError:
    """The error of a WebSocket or event stream that was not opened."""
    return ConnectionRefusedError(f"{answer.status_code} {answer.reason}: {answer.text}")


@contextmanager
def _main_restored() -> Iterator[None]:
    """Undo what a launch script changes as the main program, but for its entry in sys.path.

    Relies on `skitai.SWD`, the folder that `skitai.abspath` starts from, found out once.
    """
    import skitai

    before = sys.modules["__main__"], sys.argv, skitai.SWD
    skitai.SWD = None
    try:
        yield
    finally:
        sys.modules["__main__"], sys.argv, skitai.SWD = before
