"""Tests of an app: a client in the test's own process, and pytest hooks that document tests."""

from atila.testing.client import WAIT, TestClient, TestResponse, TestWebSocket

__all__ = ["WAIT", "TestClient", "TestResponse", "TestWebSocket"]
