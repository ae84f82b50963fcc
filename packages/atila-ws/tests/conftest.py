import time

import pytest

import atila_ws
from atila import Atila


@pytest.fixture
def app():
    app = Atila(__name__, layers={"ws": atila_ws.layer})
    yield app
    if app._site is not None:
        app.site.shutdown(5)


@pytest.fixture
def wait_until():
    def wait(condition, seconds=10):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never came about"
            time.sleep(0.002)

    return wait
