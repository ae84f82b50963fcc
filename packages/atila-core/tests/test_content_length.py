"""The length of a body that its head announces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from atila import Atila, Was
from atila.engines import rsgi, wsgi
from atila.http.exchange import Exchange


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__)
    app.config.MAX_BODY_SIZE = 10
    app.config.MAX_UPLOAD_SIZE = 20
    app.route("/", methods=["POST"])(lambda was: "taken")
    app.route("/streamed", methods=["POST"], input_stream=True)(streamed)
    app.route("/text", methods=["POST"], content_types=["text/plain"])(lambda was: "taken")
    yield app
    app.site.shutdown(0)


async def streamed(was: Was) -> str:
    return "taken"


def on_wsgi(app: Atila, path: str, headers: dict[str, str]) -> Exchange:
    environ = {"HTTP_" + name.upper().replace("-", "_"): headers[name] for name in headers}
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        environ[name] = environ.pop("HTTP_" + name)
    return wsgi.WSGIExchange({"REQUEST_METHOD": "POST", "PATH_INFO": path, **environ})


def on_rsgi(app: Atila, path: str, headers: dict[str, str]) -> Exchange:
    scope = SimpleNamespace(
        method="POST", path=path, query_string="", proto="http", http_version="1.1", headers=headers
    )
    exchange = rsgi.RSGIExchange()
    exchange.read_head(scope, None)
    return exchange


@pytest.mark.parametrize("exchange_on", [on_wsgi, on_rsgi])
@pytest.mark.parametrize("path", ["/", "/streamed", "/text"])
@pytest.mark.parametrize(
    ("sent", "length"),
    [
        ("0", 0),
        ("00", 0),
        ("10", 10),
        ("0010", 10),
        ("11", 11),
        # More digits than Python converts.
        ("9" * 5000, 10**18 - 1),
    ],
)
def test_it_is_within_the_limit_unless_the_handler_reads(
    app: Atila, exchange_on: Callable[..., Exchange], path: str, sent: str, length: int
) -> None:
    headers = {"host": "x", "content-length": sent, "content-type": "text/plain"}
    exchange = exchange_on(app, path, headers)
    assert exchange.content_length == length
    was = app.site.open(exchange)
    is_refused = length > 10 and path != "/streamed"
    assert (was.refusal.code if was.refusal is not None else 200) == (413 if is_refused else 200)
    at_once = 0 if is_refused or path != "/" else length
    assert app.site.short_body(was) == at_once


@pytest.mark.parametrize("sent", ["-1", "1.0", "x", ""])
def test_it_is_no_number(app: Atila, sent: str) -> None:
    headers = {"host": "x", "content-length": sent, "content-type": "text/plain"}
    exchange = on_rsgi(app, "/", headers)
    assert (exchange.content_length, exchange.has_body()) == (-1, True)
    was = app.site.open(exchange)
    # It is collected piece by piece, within the limit.
    assert (was.refusal, app.site.short_body(was), app.site.wants_body(was)) == (None, 0, True)
