"""The codes with which a WebSocket is closed (RFC 6455, section 7.4.1)."""

from __future__ import annotations

NORMAL = 1000
GOING_AWAY = 1001
"""The server ends, or waits no longer."""
NO_STATUS = 1005
"""The other end gave none; never sent."""
ABNORMAL = 1006
"""The connection was lost; never sent."""
INVALID_DATA = 1007
"""A text is no UTF-8, or a message not in the encoding agreed on."""
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
"""The handler failed."""
