"""The command line: `atila serve`, `routes`, `check`, `new`, and the deployment commands."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import dotenv

from atila import entries, layers
from atila.app import environment
from atila.errors import SetupError
from atila.launch import failures, ports, reloading, script, tls
from atila.launch.failures import ProjectFailed
from atila.launch.help import Command, Group, complete_target
from atila.monitoring import logs
from atila.runtime import event_loops
from atila.serving import static

OPTIONS = "atila.serve_options"
"""The group of entry points that name options of layers for `atila serve`."""
TARGET = click.argument("target", shell_complete=complete_target)
FILE = click.Path(path_type=Path)
OUTPUT = click.option("--output", type=FILE, help="A file; else it is shown.")


@contextmanager
def _mistakes_printed() -> Iterator[None]:
    """Print a mistake of the developer as a message, and an error of the project's code as its
    traceback alone.
    """
    try:
        yield
    except SetupError as error:
        click.echo(f"atila: {error}", err=True)
        sys.exit(error.exit_status)
    except ProjectFailed as error:
        click.echo(error.text, err=True, nl=False)
        sys.exit(1)


@contextmanager
def _project() -> Iterator[None]:
    """Print errors of the project's code by `_mistakes_printed`."""
    try:
        yield
    except Exception as error:
        raise failures.of(error) from None


@click.group(cls=Group)
@click.version_option(package_name="atila-core")
def main() -> None:
    """Atila, a web framework of plain functions."""


def _load_environment(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Take the variables of a file before the other options are read."""
    if path is not None and not context.resilient_parsing:
        dotenv.load_dotenv(path)


class _Serve(Command):
    """`atila serve`, with the options that installed layers add to it.

    Each is a `click.Option` without a value for the command: its callback does the work.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *own, help_option = super().get_params(ctx)
        return [*own, *(entry.load() for entry, _ in entries.installed(OPTIONS)), help_option]


@main.command(cls=_Serve)
@TARGET
@click.option(
    "--engine",
    type=click.Choice(["granian", "skitai"]),
    help="The server; granian if it is installed, else skitai.",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_load_environment,
    help="A file of environment variables, NAME=value; those that are set stay.",
)
@click.option("--host", help="Address to listen on; 127.0.0.1 if not given.")
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port; 5000 if not given.")
@click.option("--uds", type=FILE, help="A Unix socket to listen on instead; with granian alone.")
@click.option("--certfile", type=FILE, help="Speak TLS, with this certificate (PEM).")
@click.option("--keyfile", type=FILE, help="Its private key (PEM), if that is another file.")
@click.option(
    "--keyfile-password",
    envvar=tls.KEYFILE_PASSWORD,
    help=f"The password of the key; better in the environment variable {tls.KEYFILE_PASSWORD}.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; 1 if not given.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    envvar=environment.variable("THREADS"),
    show_envvar=True,
    help="The most worker threads in a process.",
)
@click.option("--reload", is_flag=True, help="Start anew when a file of the app changes.")
@click.option("--devel", is_flag=True, help="Development mode: --reload, and errors in full.")
@click.option(
    "--interface",
    type=click.Choice(["rsgi", "wsgi"]),
    default="rsgi",
    help="How granian calls the app; wsgi is faster for sites of short `def` handlers alone, and"
    " has no WebSockets.",
)
@click.option(
    "--loop",
    type=click.Choice(event_loops.NAMES),
    help="The event loop of each process; auto if not given: uvloop with granian where it is"
    " installed, else asyncio's own.",
)
@click.option(
    "--access-log",
    type=click.Choice(["combined", "json"]),
    is_flag=False,
    flag_value="combined",
    help="Write a line for each request; combined if no format is given.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "text"]),
    help="How all other messages are written.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error", "critical"]),
    help="The least level of messages that are written; info if not given.",
)
@click.option("--disable-static", is_flag=True, help="Leave static files to another server.")
def serve(
    target: str,
    engine: str | None,
    disable_static: bool,
    devel: bool,
    log_format: str | None,
    log_level: str | None,
    loop: str | None,
    **options: Any,
) -> None:
    """Serve TARGET: a launch script (serve.py), or an app in a module (package.module:app).

    Options not given are those of skitai.run(...) in the launch script.
    """
    if engine is None:
        engine = "granian" if importlib.util.find_spec("granian") is not None else "skitai"
    reloading.ask(development=devel, reload=options["reload"])
    # By the environment: workers are processes of their own.
    for name, value in (
        (event_loops.LOOP, loop),
        (logs.LOG_FORMAT, log_format),
        (logs.LOG_LEVEL, log_level),
    ):
        if value:
            os.environ[name] = value
    with _mistakes_printed():
        event_loops.asked()
        if engine == "granian":
            from atila.launch.granian import prepare
            from atila.launch.granian import serve as serve_with

            # Else each process that is forked here would import them by itself.
            layers.preload()
            settings = script.settle(target, options, engine, prepare)
        else:
            from atila.skitai.serve import serve as serve_with

            settings = script.settle(target, options, engine)
        if disable_static:
            os.environ[static.DISABLE] = "1"
        if settings.uds is None:
            ports.check(settings.host, settings.port)
        os.environ[script.HOST] = settings.host
        # Emptied too: it may come of the server that started this one.
        os.environ[script.ACCESS_LOG] = settings.access_log or ""
        click.echo(
            f"Serving {target} with {engine}: {settings.url} (Ctrl-C ends it)",
            err=True,
        )
        with ports.all_claimed(settings.others):
            serve_with(settings)


@main.command()
@TARGET
def routes(target: str) -> None:
    """Show the routes of TARGET: methods, path, name, and the handler's place."""
    from atila.launch import routes_table

    with _mistakes_printed(), _project():
        click.echo(routes_table.routes(target))


@main.command()
@TARGET
@click.option(
    "--engine",
    type=click.Choice(["granian", "skitai", "others"]),
    help="The server that is meant; what it cannot do is a mistake then.",
)
def check(target: str, engine: str | None) -> None:
    """Mount all parts of TARGET and print every mistake in it."""
    from atila.launch import routes_table

    checked = routes_table.check(target, engine or "")
    found = checked.problems
    for note in checked.notes:
        click.echo(f"note: {note}", err=True)
    for problem in found:
        click.echo(str(problem), err=True)
    if found:
        click.echo(f"{len(found)} problem{'s'[: len(found) > 1]} in {target}", err=True)
        sys.exit(1)
    click.echo(f"{target}: {checked.routes} routes, no problems")


@main.command()
@TARGET
@OUTPUT
def openapi(target: str, output: Path | None) -> None:
    """Show the routes of TARGET as a document of OpenAPI 3.1, in JSON."""
    from atila.launch import routes_table
    from atila.openapi.page import to_json

    with _mistakes_printed(), _project():
        _put(to_json(routes_table.openapi(target)).decode() + "\n", output)


@main.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; ./NAME if not given.")
@click.option("--api", is_flag=True, help="An API: typed handlers, models and a database.")
def new(name: str, folder: Path | None, api: bool) -> None:
    """Begin a project: the package NAME, its templates, static files, tests and serve.py."""
    from atila.launch import scaffold

    folder = folder or Path(name)
    with _mistakes_printed():
        for path in scaffold.create(name, folder, api=api):
            click.echo(f"  {path}")
    click.echo(f"Start it: cd {folder} && python serve.py --devel")


@main.command()
@TARGET
@click.option("--name", default="", help="Of the service; that of skitai.run if not given.")
@click.option("--user", default="", help="The user that runs it; you if not given.")
@OUTPUT
@click.argument("options", nargs=-1)
def systemd(
    target: str, name: str, user: str, output: Path | None, options: tuple[str, ...]
) -> None:
    """Show a systemd unit that serves TARGET. OPTIONS, after --, are those of `atila serve`."""
    from atila.launch import deploy

    with _mistakes_printed(), _project():
        _put(deploy.systemd_unit(deploy.prepare(target), name, user, *options), output)


@main.command("nginx-conf")
@TARGET
@click.argument("domain")
@OUTPUT
def nginx_conf(target: str, domain: str, output: Path | None) -> None:
    """Show a configuration of Nginx that puts it in front of TARGET, as DOMAIN."""
    from atila.launch import deploy

    with _mistakes_printed(), _project():
        _put(deploy.nginx_conf(deploy.prepare(target), domain), output)


@main.command("collect-static")
@TARGET
@click.option("--folder", type=click.Path(path_type=Path), help="Where; else dep/nginx/…")
def collect_static(target: str, folder: Path | None) -> None:
    """Copy the static files of TARGET into one folder, for Nginx."""
    from atila.launch import deploy

    with _mistakes_printed(), _project():
        folder, count = deploy.collect_static(deploy.prepare(target), folder)
        click.echo(f"{count} static files collected in {folder}")


def _put(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
        click.echo(f"written: {output}", err=True)
