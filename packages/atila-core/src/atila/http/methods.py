"""The methods of HTTP, by their properties (RFC 9110, section 9; RFC 5789)."""

from __future__ import annotations

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Those that change nothing; a body has no meaning for them."""
READING = frozenset({"GET", "HEAD"})
ALL = frozenset({*SAFE, "CONNECT", "DELETE", "PATCH", "POST", "PUT"})
IDEMPOTENT = frozenset({*SAFE, "PUT", "DELETE"})
"""Those that may be sent again where the answer was lost."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Those whose parameters are in a body."""
WITHOUT_BODY = frozenset({*SAFE, "DELETE"})
"""Those whose parameters are not."""
