"""The names that this layer adds to `was` and to the app.

Functions stand here as they are, and are the methods of `was` and of the app.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from atila_render.data.api import api, fault
from atila_render.data.page_or_data import render_or_api
from atila_render.pages import templates
from atila_render.pages.environment import environment_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from atila import Atila


class WasOfRender:
    """Names of `was`."""

    API = api
    Fault = fault
    render = templates.render
    render_or_API = render_or_api


class AppOfRender:
    """Names of the app."""

    add_jinja_ext = templates.add_jinja_ext
    template_filter = templates.template_filter
    template_global = templates.template_global

    @property
    def jinja_env(self) -> Environment:
        """The environment in which all templates of the app are rendered."""
        return environment_of(cast("Atila", self))


# Core's stub imports all that stands here: the classes, and what Layer.exports has.
__all__ = ["AppOfRender", "WasOfRender"]
