"""Tests of an app: clients in the test's own process, waits, and pytest hooks for documents."""

from atila.testing.async_client import AsyncTestClient
from atila.testing.client import TestClient
from atila.testing.client_request import RedirectError
from atila.testing.events import AsyncTestEvents, ServerEvent, TestEvents
from atila.testing.exchange import TestResponse
from atila.testing.sockets import AsyncTestWebSocket, TestWebSocket
from atila.testing.waits import WAIT, patience, wait_until

__all__ = [
    "WAIT",
    "AsyncTestClient",
    "AsyncTestEvents",
    "AsyncTestWebSocket",
    "RedirectError",
    "ServerEvent",
    "TestClient",
    "TestEvents",
    "TestResponse",
    "TestWebSocket",
    "patience",
    "wait_until",
]
