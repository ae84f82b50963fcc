"""A client of the app with data of its own, and a user who has logged in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tracker.apps import api, pages

from atila.testing import TestClient

SERVE = Path(__file__).resolve().parents[1] / "serve.py"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tracker keeps its data."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def client(data: Path) -> Iterator[TestClient]:
    with api.override(folder=data), pages.override(folder=data), TestClient.of(SERVE) as client:
        yield client


@pytest.fixture(scope="session")
def ada(client: TestClient) -> dict[str, str]:
    """The headers of a user's requests."""
    account = {"name": "ada", "password": "correct horse"}
    answer = client.post("/api/accounts", json=account)
    return {"authorization": f"Bearer {answer.json()['token']}"}
