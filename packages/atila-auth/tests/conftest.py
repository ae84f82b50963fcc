import pytest

import atila_auth
from atila import Atila


@pytest.fixture
def app():
    app = Atila(__name__, layers={"auth": atila_auth.layer})
    yield app
    if app._site is not None:
        app.site.shutdown(5)


@pytest.fixture
def broken_app():
    """An app that cannot be mounted."""
    return Atila(__name__, layers={"auth": atila_auth.layer})
