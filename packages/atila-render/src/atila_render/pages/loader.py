"""Loads templates from the folders of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader

from atila_render.pages.folders import folders_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from atila import Atila


class TemplateFolders(FileSystemLoader):
    """Finds templates in the folders of an app; see `folders_of`.

    They are looked up each time a template is loaded, as packages add theirs while the app is
    mounted, and the environment may be there before.

    Args:
        app: the app.
    """

    def __init__(self, app: Atila) -> None:
        super().__init__(folders_of(app))
        self._app = app

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """See jinja2.BaseLoader."""
        self.searchpath = folders_of(self._app)
        return super().get_source(environment, template)

    def list_templates(self) -> list[str]:
        """See jinja2.BaseLoader."""
        self.searchpath = folders_of(self._app)
        return super().list_templates()
