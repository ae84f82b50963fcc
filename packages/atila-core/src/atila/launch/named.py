"""Finds the application at "package.module:app": an app of ours, or one within middleware."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import TYPE_CHECKING, Any

from atila.errors import SetupError

if TYPE_CHECKING:
    from atila import Atila


def interface_of(app: Any) -> str:
    """The interface that an application speaks: "asgi", "wsgi", or "" if it is none.

    ASGI 3 calls app(scope, receive, send) and awaits it; PEP 3333 calls app(environ,
    start_response). A callable that fits both and is no coroutine function is of WSGI.
    """
    if not callable(app):
        return ""
    call = app if inspect.isroutine(app) else type(app).__call__
    if inspect.iscoroutinefunction(call):
        return "asgi"
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return ""
    for count, interface in ((2, "wsgi"), (3, "asgi")):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return interface
    return ""


def load_app(target: str) -> Atila:
    """The app at "package.module:app".

    Raises:
        SetupError: there is no such module, or no app in it, or one within middleware.
    """
    from atila.app.application import Atila

    app = load(target)
    if not isinstance(app, Atila):
        raise SetupError(
            f"{target} is no Atila app but {type(app).__name__}, an application of"
            f" {interface_of(app).upper()}, which this cannot serve or look into. Mend:"
            " atila serve --engine granian, or the server's own command; or name the app in it"
        )
    return app


def load(target: str) -> Any:
    """The app at "package.module:app"; or an application of ASGI or WSGI, with one in it.

    Raises:
        SetupError: there is no such module, or no application in it.
    """
    module_name, _, attribute = target.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise SetupError(
            f'there is no module {module_name!r}; a target is "serve.py" or "package.module:app"'
        ) from None
    app = getattr(module, attribute or "app", None)
    if not interface_of(app):
        raise SetupError(f"{module_name}:{attribute or 'app'} is no Atila app")
    return app
