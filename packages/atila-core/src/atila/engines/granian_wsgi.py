"""WSGI of granian's workers, without the environ and `start_response` of PEP 3333.

For a WSGI application, granian merges each request with the environment of the process, and takes
apart again the status line that it is given. That costs about as much as a short request here, and
makes variables of the process, such as HTTP_PROXY, look like headers of the request.

Relied on, of granian: a worker calls call(protocol, scope) in one of its threads. `scope` has the
keys of PEP 3333 for the request itself, and no others; `protocol` has
`response_bytes(status, headers, body)`, which adds Content-Length, and
`response_iter(status, headers, pieces)`. Values of headers are sent as UTF-8.
"""

from __future__ import annotations

from typing import Any

from granian.wsgi import ResponseIterWrap

from atila.engines import wsgi


class Engine(wsgi.Engine):
    """Answers the requests of a worker of granian for a site; see `wsgi.Engine`."""

    empties_values = True

    def call(self, protocol: Any, scope: wsgi.Environ) -> None:
        """Answer a request."""
        status, headers, body, _ = self.answer(scope, self._exchange(scope))
        if type(body) is list:
            protocol.response_bytes(status, headers, body[0] if body else b"")
        else:
            protocol.response_iter(status, headers, ResponseIterWrap(body))  # type: ignore[no-untyped-call]
