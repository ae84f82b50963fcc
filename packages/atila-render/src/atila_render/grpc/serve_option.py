"""The option `--grpc-port` of `atila serve`."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from atila import SetupError
from atila.launch.options import ServeOption
from atila_render.grpc.finder import PORT_VARIABLE

if TYPE_CHECKING:
    from atila.launch.script import Settings


def _apply(port: int, settings: Settings) -> None:
    if importlib.util.find_spec("grpc") is None:
        raise SetupError('gRPC is not installed. Mend: pip install "atila-render[grpc]"')
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    os.environ[PORT_VARIABLE] = f"{host}:{port}"


option = ServeOption(
    name="--grpc-port",
    values=range(1, 65536),
    help="A port of its own for gRPC, which granian cannot serve itself.",
    apply=_apply,
)
