"""Lists the routes of a site for `atila routes`, `atila check` and the API reference."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from atila.errors import SetupError, collect_errors, setup_step
from atila.launch import run_options, script
from atila.openapi import document
from atila.openapi.operation import Document
from atila.serving.endpoint import path_of
from atila.serving.site import UNLIMITED, Site

HEADINGS = ("METHODS", "PATH", "NAME", "HANDLER")


@dataclass(frozen=True, slots=True)
class Line:
    """A route, as it is shown.

    Attributes:
        methods: "GET, POST"; "WS" for a WebSocket.
        path: the rule, with the mount point; ahead of it the host, if it is for one only.
        name: its name for `urlfor`.
        handler: the place of the handler: "shop/orders.py:12".
    """

    methods: str
    path: str
    name: str
    handler: str

    def __iter__(self) -> Iterator[str]:
        return iter((self.methods, self.path, self.name, self.handler))


def lines(site: Site) -> list[Line]:
    """The routes of a site, by path."""
    found = []
    for mount in site.mounts:
        host = "" if mount.host == "default" else mount.host
        for endpoint in mount.app.endpoints:
            route = endpoint.route
            methods = "WS" if endpoint.websocket else ", ".join(route.methods)
            found.append(Line(methods, host + path_of(endpoint), route.name, _near(route.source)))
    return sorted(found, key=lambda line: (line.path, line.methods))


def _near(source: str) -> str:
    """A "file:line", from here if it is below the working directory."""
    beside = os.path.relpath(source) if source else ""
    return source if beside.startswith("..") else beside


def table(rows: Iterable[Iterable[str]]) -> str:
    """Text in columns, under `HEADINGS`."""
    cells = [HEADINGS, *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_row(row, widths) for row in cells)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def routes(target: str) -> str:
    """The table of the routes of a launch script or app.

    Raises:
        SetupError: it has a mistake in it.
    """
    with script.trial(target) as site:
        return table(lines(site))


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of `check`.

    Attributes:
        problems: its mistakes.
        notes: settings that some engine does not honour, where no engine is named.
        routes: how many it has.
    """

    problems: list[SetupError]
    notes: list[SetupError]
    routes: int


def check(target: str, engine: str = "") -> Checked:
    """Mount all parts of a launch script or app.

    Args:
        target: see `script.read`.
        engine: the one that will serve it, see `run_options`; "" if that is open.
    """
    count = 0
    notes: list[SetupError] = []
    with collect_errors() as found, setup_step(), script.trial(target) as site:
        count = len(lines(site))
        found += _doubts(site)
        if engine:
            launch = script.current
            with setup_step():
                run_options.check_engine(launch.given(), engine, launch.run_at)
            found += _left_undone(site, engine)
        else:
            notes += _left_undone(site, "another server")
    return Checked(found, notes, count)


def _left_undone(site: Site, engine: str) -> Iterator[SetupError]:
    """Settings that an engine cannot honour."""
    if site.connections_per_address and engine != run_options.SKITAI:
        where = "this server" if engine == run_options.OTHERS else engine
        source = site.mounts[0].app.config.source("MAX_CONNECTIONS_PER_ADDRESS")
        yield SetupError(UNLIMITED % where, source)


def _doubts(site: Site) -> Iterator[SetupError]:
    """Warnings: routes that can be served, but are hardly meant."""
    for mount in site.mounts:
        for route, first in mount.app.resources.ambiguous():
            yield SetupError(
                f"{route.name!r} is the name of the handler at {_near(first.source)} too, which"
                " was.urlfor and was.pipe take for it; rename one",
                route.source,
            )


def openapi(target: str) -> Document:
    """The OpenAPI document of a launch script or app.

    Raises:
        SetupError: it has a mistake in it.
    """
    with script.trial(target) as site:
        return document.of_site(site, document.info_of(site.mounts[0].app))
