import pytest

import atila_ws
from atila import Atila


@pytest.fixture
def app():
    app = Atila(__name__, layers={"ws": atila_ws.layer})
    yield app
    if app._site is not None:
        app.site.shutdown(5)
