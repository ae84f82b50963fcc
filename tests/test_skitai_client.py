"""`skitai.test_client`, launcher and client of Skitai, with our engine: as the spec shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.served

CONFTEST = """
from atila.pytest_hooks import *
import skitai

@pytest.fixture
def launch ():
    return partial (skitai.test_client, port = {port}, silent = False)
"""

SERVE = """
import skitai
from atila import Atila

app = Atila (__name__)

@app.route ("/apis/tickers/<int:product_code>", methods = ["GET", "POST"])
def tickers (was, product_code, instock = 2):
    return was.response (200, '{"instock": %s}' % instock, [("content-type", "application/json")])

if __name__ == "__main__":
    skitai.mount ("/", app)
    skitai.run (address = "127.0.0.1", port = 5000, name = "tickers")
"""

TESTS = """
import skitai

def test_app (launch):
    with launch ('../serve.py', devel = True) as client:
        resp = client.get ('/apis/tickers/123')
        assert resp.status_code == 200
        assert resp.data == {"instock": 2}
        # A server that is there already.
        other = skitai.test_client (port = PORT)
        assert other.post ('/apis/tickers/5', {"instock": "3"}).data == {"instock": 3}
        other.stop ()
"""


# Skitai's launcher waits eight seconds for the server, however busy the machine is.
@pytest.mark.few
@pytest.mark.slow
def test_the_example_of_the_specification(tmp_path: Path) -> None:
    port = str(free_port())
    tests, home = tmp_path / "tests", tmp_path / "home"
    tests.mkdir()
    home.mkdir()
    (tmp_path / "serve.py").write_text(SERVE)
    (tests / "conftest.py").write_text(CONFTEST.format(port=port))
    (tests / "test_app.py").write_text(TESTS.replace("PORT", port))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--docs"],
        cwd=tests,
        env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "docs" / "api" / "index.md").read_text()
    assert "## tickers\n" in text
    assert "`/apis/tickers/123`" in text
    assert "#### `POST` `/apis/tickers/<int:product_code>`" in text
    assert "instock=3" in text
