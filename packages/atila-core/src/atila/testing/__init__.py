"""Tests of an app: a client in the test's own process, waits, and pytest hooks for documents."""

from atila.testing.client import WAIT, TestClient, TestResponse, TestWebSocket
from atila.testing.waits import patience, wait_until

__all__ = ["WAIT", "TestClient", "TestResponse", "TestWebSocket", "patience", "wait_until"]
