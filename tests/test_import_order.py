"""Layers may be imported before `atila`, and after `skitai`."""

import subprocess
import sys

import pytest

CODE = """
import skitai
import {layer}
from atila import Atila
Atila(__name__)
print(skitai.WS_COROUTINE, hasattr(skitai, "no_such_name"))
"""


@pytest.mark.parametrize("layer", ["atila_auth", "atila_render", "atila_tasks", "atila_ws"])
def test_a_layer_first(layer: str) -> None:
    code = CODE.format(layer=layer)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "2048 False"), done.stderr
