"""`from atila.pytest_hooks import *` in a conftest.py; see `atila.testing.pytest_hooks`."""

from atila.testing.pytest_hooks import *  # noqa: F403 - pytest looks for its hooks by name
