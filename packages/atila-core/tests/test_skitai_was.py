"""`skitai.was` where no server of Skitai runs."""

from __future__ import annotations

import pytest
import skitai
from skitai import was as taken

from atila import Atila


def test_it_is_the_current_context() -> None:
    app = Atila(__name__, layers={})

    @app.route("/<name>")
    def index(was, name):
        skitai.was.mine = name
        assert was.mine == name
        del taken.mine
        assert not hasattr(was, "mine")
        return f"{taken.request.path} {skitai.was.app is app}"

    assert app.test_client().get("/x").text == "/x True"
    app.site.shutdown(5)


def test_a_name_that_the_context_has_not() -> None:
    app = Atila(__name__, layers={})
    app.route("/")(lambda was: str(hasattr(skitai.was, "sesion")))
    assert app.test_client().get("/").text == "False"
    app.site.shutdown(5)


def test_without_a_request() -> None:
    with pytest.raises(AttributeError, match=r"skitai\.was\.request: no request"):
        skitai.was.request
    assert not hasattr(skitai.was, "anything")
    assert "ContextPool" in repr(skitai.was)
