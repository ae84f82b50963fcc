"""An HTTP request to a member of an alias."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila.http.methods import IDEMPOTENT
from atila_tasks.web.payloads import Body, is_replayable

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from atila.http.exchange import Headers
    from atila_tasks.upstream.response_head import Reply
    from atila_tasks.web.http import Http


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to any member of an alias, or to a server by its URL.

    Attributes:
        method: upper case.
        target: path and query, percent-encoded, below the member's; or the whole URL.
        headers: names in lower case.
        body: the body to send.
        server: its name in errors; "" for the name of the alias.
    """

    method: str
    target: str
    headers: Headers = field(default_factory=list, repr=False)
    body: Body = field(default=None, repr=False)
    server: str = ""

    @property
    def idempotent(self) -> bool:
        """Whether it may be sent twice (RFC 9110, section 9.2.2)."""
        return self.method in IDEMPOTENT and is_replayable(self.body)

    def carry_out(self, http: Http) -> Coroutine[Any, Any, Reply]:
        """Send it, and give the data of the answer."""
        return http.fetch(self)
