"""The command line: `atila serve`."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import click

from atila import launch
from atila.errors import SetupError

@click.group()
@click.version_option(package_name="atila-core")
def main() -> None:
    """Atila, a web framework of plain functions."""


@main.command()
@click.argument("target")
@click.option(
    "--engine",
    type=click.Choice(["granian", "skitai"]),
    help="The server; granian if it is installed, else skitai.",
)
@click.option("--host", help="Address to listen on; 127.0.0.1 if not given.")
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port; 5000 if not given.")
@click.option("--workers", type=click.IntRange(1), help="Processes; 1 if not given.")
@click.option("--threads", type=click.IntRange(1), help="The most worker threads in a process.")
@click.option("--reload", is_flag=True, help="Start anew when a file of the app changes.")
@click.option(
    "--interface",
    type=click.Choice(["rsgi", "wsgi"]),
    default="rsgi",
    help="How granian calls the app; wsgi is faster for sites of short `def` handlers alone, and"
    " has no WebSockets.",
)
@click.option("--access-log", is_flag=True, help="Write a line for each request.")
def serve(target: str, engine: str | None, **options: Any) -> None:
    """Serve TARGET: a launch script (serve.py), or an app in a module (package.module:app).

    Options not given are those of skitai.run(...) in the launch script.
    """
    if engine is None:
        engine = "granian" if importlib.util.find_spec("granian") is not None else "skitai"
    try:
        settings = launch.settle(target, options)
        if engine == "granian":
            from atila.engines.granian import serve as serve_with
        else:
            from atila.engines.skitai.serve import serve as serve_with
        click.echo(
            f"Serving {target} with {engine}: http://{settings.host}:{settings.port}"
            " (Ctrl-C ends it)",
            err=True,
        )
        serve_with(settings)
    except SetupError as error:
        click.echo(f"atila: {error}", err=True)
        sys.exit(2)
