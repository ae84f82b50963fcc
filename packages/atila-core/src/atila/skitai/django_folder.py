"""Django beside our apps on Skitai, whose settings need no BASE_DIR: other servers ask for none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import wrapt


def install(wsgi_apps: Any) -> None:
    """Change the module `skitai.wastuff.wsgi_apps`, once it has been imported.

    Relies on its `Module`: `start_app` reads `settings.BASE_DIR` if the class of `get_callable()`
    is Django's; `directory` is the application's.
    """
    wrapt.wrap_function_wrapper(wsgi_apps.Module, "start_app", _start_app)


def _start_app(
    start_app: Callable[..., Any], module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if type(module.get_callable()).__module__.startswith("django."):
        settings: Any = sys.modules["django.conf"].settings
        if not hasattr(settings, "BASE_DIR"):
            # Skitai looks there for changes in development.
            settings.BASE_DIR = module.directory
    return start_app(*args, **kwargs)
