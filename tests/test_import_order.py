"""What is imported first, and what is not imported at all until it is needed."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.thorough

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


def test_servers_import_no_setuptools_and_nothing_heavy_that_an_app_may_not_need() -> None:
    code = (
        "import atila, skitai, atila_auth, atila_render, atila_tasks, atila_ws, sys\n"
        "atila.Atila(__name__)\n"
        "for name in ('setuptools', 'distutils.dist', 'jwt', 'jinja2'):\n"
        "    print(name, name in sys.modules)\n"
        "import setuptools.command.easy_install as real\n"
        "print(real.__file__ is not None, 'setuptools' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == [
        *("setuptools", "False", "distutils.dist", "False", "jwt", "False", "jinja2", "False"),
        *("True", "True"),
    ], done.stderr


def test_an_app_imports_no_library_that_few_of_them_need() -> None:
    unwanted = (
        *("cryptography", "defusedxml", "jinja2", "jsonrpclib", "jwt", "pyotp", "urllib.request"),
        *("xmlrpc.client", "xmlrpc.server", "atila.serving.masking"),
    )
    code = (
        "import atila, atila_auth, atila_render, atila_tasks, atila_ws, sys\n"
        "app = atila.Atila(__name__)\n"
        "app.route('/')(lambda was: '')\n"
        "app.site.start_up()\n"
        f"print([name for name in {unwanted} if name in sys.modules])\n"
        "app.site.shutdown()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_real_class_stays_where_setuptools_came_first() -> None:
    code = (
        "from setuptools.command import easy_install\n"
        "import atila, skitai, rs4.pathtool\n"
        "print(issubclass(rs4.pathtool.easy_install_default, easy_install.easy_install))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
