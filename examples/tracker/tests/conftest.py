"""A client of the app with data of its own, and a user who has logged in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tracker.app import app

from atila.testing import TestClient

SERVE = Path(__file__).resolve().parents[1] / "serve.py"


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("data")
    with app.override(folder=data), TestClient.of(SERVE) as client:
        yield client


@pytest.fixture(scope="session")
def ada(client: TestClient) -> dict[str, str]:
    """The headers of a user's requests."""
    account = {"name": "ada", "password": "correct horse"}
    answer = client.post("/accounts", json=account)
    return {"authorization": f"Bearer {answer.json()['token']}"}
