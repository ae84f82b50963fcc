"""`app.run()`: an app that serves itself, whichever engine is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.servers import serving

pytestmark = pytest.mark.served

SERVE = """
from atila import Atila

app = Atila(__name__)

@app.route("/")
def index(was):
    return "run by itself"

if __name__ == "__main__":
    app.run(address="127.0.0.1", port=5000, name="itself")
"""


@pytest.mark.parametrize("engine", ["skitai", "granian"])
def test_an_app_runs_by_itself(engine: str, tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    with serving(engine, tmp_path / "serve.py") as server:
        assert server.get("/").text == "run by itself"
