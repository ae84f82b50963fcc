"""Mistakes in the settings, and a missing folder of templates, are told when the app is mounted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atila import Atila, SetupError, Was

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MINIFY_HTML", "minfy", "app.config.MINIFY_HTML is None, 'strip' or 'minify'"),
        ("MINIFY_HTML", True, "app.config.MINIFY_HTML is None, 'strip' or 'minify'"),
        ("JSON_ENCODER", "iso8601", "app.config.JSON_ENCODER is no 'iso8601'; there are rfc3339"),
        ("JSON_ENCODER", 7, "app.config.JSON_ENCODER is a name, a function"),
        ("PRETTY_JSON", "yes", "app.config.PRETTY_JSON is True or False"),
        ("TEMPLATE_DIRS", ["/no/such"], "app.config.TEMPLATE_DIRS names '/no/such'"),
    ],
)
def test_wrong_settings(app: Atila, name: str, value: Any, message: str) -> None:
    app.route("/")(lambda was: "x")
    app.config[name] = value
    with pytest.raises(SetupError, match=message):
        app.test_client().get("/")


def test_the_library_of_a_setting(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minify_html", None)
    app.route("/")(lambda was: "x")
    app.config.MINIFY_HTML = "minify"
    with pytest.raises(SetupError, match=r'pip install "atila-render\[minify\]"'):
        app.test_client().get("/")


def test_no_folder_of_templates(app: Atila, tmp_path: Path) -> None:
    @app.route("/page")
    def page(was: Was, name: str = "") -> Any:
        name = name or "Hans"
        return was.render("page.html", name=name)

    with pytest.raises(SetupError) as caught:
        app.test_client().get("/page")
    assert f"page renders a template, and there is no folder of templates at {tmp_path}" in str(
        caught.value
    )
    assert f"{__file__}:{page.__code__.co_firstlineno}" in str(caught.value)


class Pages:
    def page(request: Was) -> Any:
        if request.args:
            return [request.render_or_API("page.html")]
        return None


async def later(was: Was) -> Any:
    return was.render("page.html")


@pytest.mark.parametrize(
    "handler",
    [
        Pages.page,
        later,
        lambda was: was.render("page.html"),
    ],
)
def test_how_a_handler_may_render(app: Atila, handler: Any) -> None:
    app.route("/page")(handler)
    with pytest.raises(SetupError, match="there is no folder of templates"):
        app.test_client().get("/page")


def test_a_handler_without_source_says_so_when_it_renders(app: Atila) -> None:
    names: dict[str, Any] = {}
    exec('def page(was): return was.render("page.html")', names)
    app.route("/page")(names["page"])
    assert app.test_client().get("/page").status_code == 500


def other(was: Was, render: Any) -> Any:
    return render.render("x", was.request)


def test_only_rendering_by_the_context_wants_one(app: Atila) -> None:
    app.route("/")(lambda was: was.request.path)
    app.route("/other/<path:render>")(other)
    assert app.test_client().get("/").text == "/"


def test_settings_that_change_later(app: Atila) -> None:
    app.route("/")(lambda was: was.API(a=1))
    assert app.test_client().get("/").text == '{"a":1}'
    app.site.shutdown()
    app.config.PRETTY_JSON = True
    assert app.test_client().get("/").text == '{\n  "a": 1\n}'
