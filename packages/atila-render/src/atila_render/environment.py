"""`app.jinja_env`: the Jinja environment of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment

from atila_render.folders import TemplateFolders
from atila_render.media import is_markup

if TYPE_CHECKING:
    from atila import Atila

EXTENSIONS = ("jinja2.ext.do", "jinja2.ext.loopcontrols")
"""What is on for every app."""


def environment_of(app: Atila) -> Environment:
    """The environment in which all templates of an app are rendered; made when first asked for.

    What is printed is escaped in all templates but those that make neither HTML nor XML. Changed
    templates are noticed while `app.debug` is on.
    """
    environment = app.__dict__.get("jinja_env")
    if not isinstance(environment, Environment):
        environment = app.__dict__["jinja_env"] = Environment(
            loader=TemplateFolders(app),
            extensions=EXTENSIONS,
            autoescape=is_markup,  # noqa: S701 - on for all that makes markup
            auto_reload=False,
        )
        environment.globals["app"] = app
    return environment
