"""What becomes of the options of `skitai.run` on each engine."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from atila import SetupError
from atila.launch import run_options, script
from atila.launch.served import Served

SCRIPT = """
import skitai
from atila import Atila

app = Atila(__name__)
skitai.mount("/", app)
skitai.run(port=5000, {more})
"""

OPTIONS = dict.fromkeys(
    ("host", "port", "workers", "threads", "access_log", "uds", "certfile", "keyfile"), None
) | {"keyfile_password": None, "reload": False, "interface": "rsgi"}


@pytest.fixture
def write(tmp_path: Path):
    def write(more: str) -> str:
        path = tmp_path / "serve.py"
        path.write_text(SCRIPT.format(more=more))
        return str(path)

    return write


REFUSED = [
    (name, engine)
    for name, does in run_options.OPTIONS.items()
    for engine in (run_options.SKITAI, run_options.GRANIAN, run_options.OTHERS)
    if does[engine] == run_options.REFUSED
]


@pytest.mark.parametrize(("name", "engine"), REFUSED)
def test_what_cannot_be_honoured_is_refused_by_name(name: str, engine: str) -> None:
    with pytest.raises(SetupError, match=rf"skitai\.run\({name}=…\) .* Mend: ") as error:
        run_options.check_engine([name], engine, "serve.py:7")
    assert str(error.value).startswith("serve.py:7")


def test_by_the_script(write) -> None:
    target = write("verbose=True")
    with pytest.raises(SetupError, match=r"serve\.py:7: skitai\.run\(verbose=…\) is Skitai's"):
        script.settle(target, OPTIONS, run_options.GRANIAN)
    assert script.settle(target, OPTIONS, run_options.SKITAI).port == 5000
    with pytest.raises(SetupError, match=r"serve\.py:7: skitai\.run\(verbose=…\) is Skitai's"):
        Served(target)
    with pytest.raises(SetupError, match="MAX_UPLOAD_SIZE"):
        script.settle(write("max_upload_size=1"), OPTIONS, run_options.SKITAI)


def test_none_is_no_option(write) -> None:
    target = write("verbose=None, max_upload_size=None, backlog=70")
    assert script.settle(target, OPTIONS, run_options.GRANIAN).backlog == 70


@pytest.mark.parametrize(
    ("more", "level"), [("workers=2", logging.INFO), ("certfile='x.pem'", logging.WARNING)]
)
def test_what_another_server_says_itself_is_logged(write, caplog, more: str, level: int) -> None:
    with caplog.at_level(logging.INFO, "atila.launch"):
        Served(write(more))
    (record,) = (each for each in caplog.records if each.name == "atila.launch")
    assert record.levelno == level
    assert more.partition("=")[0] in record.getMessage()


def test_the_guide_has_the_same_table() -> None:
    guide = Path(__file__).parents[3] / "docs" / "guide" / "serving.md"
    if not guide.exists():
        pytest.skip("the guide is not a part of the distribution")
    section = guide.read_text().partition("## Options of a launch script")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    found = {
        name: tuple(cell.strip() for cell in cells)
        for names, *cells in rows
        for name in re.findall("`([a-z_]+)`", names)
    }
    known = {name: tuple(does.values()) for name, does in run_options.OPTIONS.items()}
    assert found == known
