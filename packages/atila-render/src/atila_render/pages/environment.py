"""`app.jinja_env`: the Jinja environment of an app."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import current
from atila.runtime.keeping import found, kept
from atila_render.pages.media import is_markup

if TYPE_CHECKING:
    from jinja2 import Environment

    from atila import Atila

EXTENSIONS = ("jinja2.ext.do", "jinja2.ext.loopcontrols")
"""The extensions of every app."""

_KEY = "jinja_env"


def environment_of(app: Atila) -> Environment:
    """The environment in which all templates of an app are rendered; made when first asked for.

    Printed values are escaped in all templates but those that make neither HTML nor XML. Changed
    templates are reloaded while `app.debug` is on.
    """
    environment: Environment | None = found(app, _KEY)
    return environment or kept(app, _KEY, lambda: _made(app))


def _made(app: Atila) -> Environment:
    # Jinja takes a sixth of the time that the layer takes to import, and many apps have no pages.
    from atila_render.pages.bytecode import RunCache
    from atila_render.pages.compiler import PageEnvironment
    from atila_render.pages.loader import TemplateFolders

    environment = PageEnvironment(
        loader=TemplateFolders(app),
        extensions=EXTENSIONS,
        autoescape=is_markup,
        auto_reload=False,
        optimized=False,
        # As many as there are; finding one is a look into a dict then.
        cache_size=-1,
        bytecode_cache=RunCache(app),
    )
    environment.globals["app"] = app
    # What is imported into a template has no variables but these.
    environment.globals["was"] = OfRequest(current.get)
    environment.globals["request"] = OfRequest(lambda: current.get().request)
    environment.globals["response"] = OfRequest(lambda: current.get().response)
    return environment


class OfRequest:
    """Stands for something of the request that is being processed, whichever that is.

    Args:
        find: gives it.
    """

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._find(), name)
