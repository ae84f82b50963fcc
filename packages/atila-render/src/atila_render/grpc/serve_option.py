"""The option `--grpc-port` of `atila serve`, which an entry point names."""

from __future__ import annotations

import importlib.util
import os

import click

from atila_render.grpc.finder import ADVICE, VARIABLE


def _ask(context: click.Context, option: click.Parameter, port: int | None) -> None:
    if port is None:
        return
    if importlib.util.find_spec("grpc") is None:
        raise click.UsageError(ADVICE)
    # By the environment: workers are processes of their own.
    os.environ[VARIABLE] = str(port)


GRPC_PORT = click.Option(
    ["--grpc-port"],
    type=click.IntRange(1, 65535),
    expose_value=False,
    callback=_ask,
    help="A port of its own for gRPC, which granian cannot serve itself.",
)
