"""The command line: `atila serve`."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

import click

from atila import launch
from atila.errors import SetupError

DEFAULT_PORT = 5000


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
@click.option("--access-log", is_flag=True, help="Write a line for each request.")
def serve(target: str, engine: str | None, **options: Any) -> None:
    """Serve TARGET: a launch script (serve.py), or an app in a module (package.module:app).

    Options not given are those of skitai.run(...) in the launch script.
    """
    if engine is None:
        engine = "granian" if importlib.util.find_spec("granian") is not None else "skitai"
    try:
        if engine == "granian":
            _serve_granian(target, options)
        else:
            _serve_skitai(target, options)
    except SetupError as error:
        click.echo(f"atila: {error}", err=True)
        sys.exit(2)


def _serve_granian(target: str, options: dict[str, Any]) -> None:
    if importlib.util.find_spec("granian") is None:
        raise SetupError('granian is not installed. Mend: pip install "atila-core[granian]"')
    from atila.engines import granian

    asked = launch.examine(target)
    granian.serve(
        granian.Settings(
            target=os.path.abspath(target) if target.endswith(".py") else target,
            host=options["host"] or asked.get("address") or "127.0.0.1",
            port=options["port"] or int(asked.get("port") or DEFAULT_PORT),
            workers=options["workers"] or int(asked.get("workers") or 1),
            threads=options["threads"],
            reload=options["reload"],
            access_log=options["access_log"],
        )
    )


def _serve_skitai(target: str, options: dict[str, Any]) -> None:
    from atila.engines.skitai import serve as skitai

    skitai.serve(target, options)
