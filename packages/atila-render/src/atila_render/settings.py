"""The settings of an app for its answers, checked when it is mounted."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.app.settings import Setting, flag, folders
from atila.routing.handler_source import names_used
from atila.runtime.keeping import found, kept
from atila_render.data.json import Writer, writer
from atila_render.pages.folders import folders_of
from atila_render.pages.minify import Minifier, minifier

if TYPE_CHECKING:
    from atila import Atila
    from atila.routing.router import Route

SETTINGS: dict[str, Setting] = {
    # What these two may be is said where they are used.
    "JSON_ENCODER": Setting(None),
    "PRETTY_JSON": flag(False),
    "MINIFY_HTML": Setting(None),
    "TEMPLATE_DIRS": folders(()),
    "TEMPLATE_CACHE": flag(True),
}
"""Settings of this layer:

- JSON_ENCODER: the form of values that JSON has no type for; see `json.writer`.
- PRETTY_JSON: whether JSON is indented, to be read by people.
- MINIFY_HTML: "strip" takes indents and blank lines out of pages, "minify" all that a browser does
  not need; None leaves them as they are. See `minify`.
- TEMPLATE_DIRS: more folders of templates; see `folders.folders_of`.
- TEMPLATE_CACHE: whether the workers of a server share the templates that they have compiled.
"""

_RENDER = frozenset({"render", "render_or_API", "render_or_Map", "render_or_Mapped"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an app, ready to be used.

    Attributes:
        to_json: writes values as JSON.
        is_pretty: whether it indents them.
        minify: makes the text of a page smaller; None for one that leaves it as it is.
    """

    to_json: Writer
    is_pretty: bool
    minify: Minifier | None


def settings_of(app: Atila) -> Settings:
    """The settings of an app.

    Raises:
        SetupError: one of them makes no sense.
    """
    settings: Settings | None = found(app, Settings)
    return settings or _current(app)


def _current(app: Atila) -> Settings:
    return kept(app, Settings, lambda: _made(app), of=_given(app))


def _made(app: Atila) -> Settings:
    config = app.config
    settings = Settings(
        _checked("JSON_ENCODER", lambda: writer(config.JSON_ENCODER, pretty=config.PRETTY_JSON)),
        bool(config.PRETTY_JSON),
        _checked("MINIFY_HTML", lambda: minifier(config.MINIFY_HTML)),
    )
    for folder in config.TEMPLATE_DIRS or ():
        if not os.path.isdir(folder):
            raise SetupError(
                f"app.config.TEMPLATE_DIRS names {os.path.abspath(folder)!r}, which is no folder;"
                " make it, or leave it out"
            )
    return settings


def _given(app: Atila) -> tuple[Any, ...]:
    config = app.config
    folders = tuple(config.TEMPLATE_DIRS or ())
    return config.JSON_ENCODER, config.PRETTY_JSON, config.MINIFY_HTML, folders


def _checked(name: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError as error:
        raise SetupError(f"app.config.{name} {error}") from None


def compile_route(route: Route, app: Atila) -> None:
    """Check the settings of an app, and that a handler which renders has templates to render.

    It adds no steps: no route pays for this layer.

    Raises:
        SetupError: a setting makes no sense, or there is no folder with templates.
    """
    _current(app)
    if names_used(route.handler, _RENDER):
        folders = folders_of(app)
        if not any(os.path.isdir(folder) for folder in folders):
            raise SetupError(
                f"{route.handler.__name__} renders a template, and there is no folder of templates"
                f" at {' or '.join(folders)}; make it, or name it in app.config.TEMPLATE_DIRS",
                route.source,
            )
