from __future__ import annotations

from pathlib import Path

import pytest

import atila_render
from atila import Atila
from atila_render.pages.folders import folders_of


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers={"render": atila_render.layer})


def test_more_folders_come_after_that_of_the_app(app: Atila, tmp_path: Path) -> None:
    own = str(Path(__file__).parent / "templates")
    assert folders_of(app) == [own]
    app.config.TEMPLATE_DIRS = [str(tmp_path)]
    assert folders_of(app) == [own, str(tmp_path)]


def test_the_app_s_own_folder_stands_where_it_is_named(app: Atila, tmp_path: Path) -> None:
    own = str(Path(__file__).parent / "templates")
    app.config.TEMPLATE_DIRS = [str(tmp_path), own]
    assert folders_of(app) == [str(tmp_path), own]


def test_folders_may_come_after_the_environment(app: Atila, tmp_path: Path) -> None:
    (tmp_path / "late.html").write_text("late {{ context.x }}")
    assert app.jinja_env.list_templates() == []
    app.config.TEMPLATE_DIRS = [str(tmp_path)]
    app.route("/")(lambda was: was.render("late.html", x=1))
    assert app.test_client().get("/").text == "late 1"
    assert app.jinja_env.list_templates() == ["late.html"]
