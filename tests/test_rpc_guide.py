"""docs/rpc.md: its app is served, and its clients call it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.protos import generated
from support.servers import serving

pytestmark = pytest.mark.served

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "rpc.md"
APP, *CLIENTS = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("engine", ["skitai", "hypercorn"])
def test_the_examples_of_the_guide(engine: str, tmp_path: Path) -> None:
    generated()
    script = tmp_path / "serve.py"
    script.write_text(APP)
    tmp_path.chmod(0o755)
    with serving(engine, script, ready="/add?a=1&b=2") as server:
        assert len(CLIENTS) == 3
        for client in CLIENTS:
            exec(client.replace("localhost:5000", f"127.0.0.1:{server.port}"), {})
