"""The help of the command line: whole sentences, in colours on terminals that have them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem


class Formatter(click.HelpFormatter):
    """Headings and terms in colours. click leaves them out where the output is no terminal; the
    environment variable NO_COLOR leaves them out everywhere (https://no-color.org).
    """

    def write_heading(self, heading: str) -> None:
        """Write a heading: "Options"."""
        super().write_heading(_styled(heading, bold=True))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the first line: "Usage: atila serve [OPTIONS] TARGET"."""
        super().write_usage(_styled(prog, fg="cyan"), args, prefix)

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write terms, such as options, and beside each its explanation."""
        coloured = [(_styled(term, fg="cyan"), text) for term, text in rows]
        super().write_dl(coloured, col_max, col_spacing)


def _styled(text: str, **style: Any) -> str:
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


class Context(click.Context):
    """A call of a command, with help as above."""

    formatter_class = Formatter


class Command(click.Command):
    """A command whose line in the list of commands is its first sentence, however long."""

    context_class = Context

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence of the help; it is wrapped, where click would cut it off."""
        first = " ".join((self.help or "").split("\n\n")[0].split())
        return first.partition(". ")[0].rstrip(".") + "."


class Group(click.Group):
    """A command with others below it."""

    context_class = Context
    command_class = Command


def complete_target(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The completions of a TARGET in a shell: files, among which a launch script is."""
    return [CompletionItem(incomplete, type="file")]
