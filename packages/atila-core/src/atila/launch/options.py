"""Options of `atila serve` that other distributions add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import click

from atila.launch.script import Settings

GROUP = "atila.serve_options"
"""The entry point group in which a distribution names its `ServeOption`s."""


@dataclass(frozen=True, slots=True)
class ServeOption:
    """An option of `atila serve`.

    Attributes:
        name: "--grpc-port".
        values: the type of its value; a range for a whole number within it.
        help: what `atila serve --help` shows.
        apply: apply(value, settings), called before the server starts its workers, where the option
            is given; what the workers are to know goes into environment variables. Raises a
            SetupError if the option cannot be obeyed.
    """

    name: str
    values: type | range
    help: str
    apply: Callable[[Any, Settings], object]

    @property
    def key(self) -> str:
        """What click calls it: "grpc_port"."""
        return self.name.removeprefix("--").replace("-", "_")

    def parameter(self) -> click.Option:
        """The option as click has it."""
        kind: Any = self.values
        if isinstance(self.values, range):
            kind = click.IntRange(self.values.start, self.values.stop - 1)
        return click.Option([self.name], type=kind, help=self.help)


def contributed() -> Iterator[ServeOption]:
    """The options of all distributions that are installed, in the order of their names."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        option = entry.load()
        if isinstance(option, ServeOption):
            yield option
