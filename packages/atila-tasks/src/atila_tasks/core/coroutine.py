"""The route option `coroutine=True`: handlers that yield the tasks they wait for."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING

from atila import Steps
from atila.runtime.coroutines import generator_handler
from atila_tasks.databases.sql.commits import settling

if TYPE_CHECKING:
    from atila import Atila
    from atila.routing.router import Route


def compile_route(route: Route, app: Atila) -> Steps | None:
    """The steps of a route: its handler run as a coroutine, if the option says so."""
    if not route.options.get("coroutine") or iscoroutinefunction(route.handler):
        return None
    return Steps(wrap=lambda handler: settling(generator_handler(handler)))
