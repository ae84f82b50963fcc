"""The help of the command line, and what shells complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from atila.launch.cli import main

COMMANDS = sorted(main.commands)


def shown(*arguments: str, color: bool = False, **environment: str) -> str:
    result = CliRunner().invoke(main, arguments, color=color, env={"COLUMNS": "80", **environment})
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_eighty_columns_and_is_whole(name: str) -> None:
    output = shown(*name.split(), "--help")
    assert max(map(len, output.split("\n"))) <= 80
    words = " ".join(output.split())
    command = main.commands[name] if name else main
    context = click.Context(command, info_name=name)
    for option in command.get_params(context):
        if isinstance(option, click.Option):
            assert option.help is not None
            assert " ".join(option.help.split()) in words
            assert option.opts[0] in words


def test_every_command_is_listed_with_its_first_sentence() -> None:
    words = " ".join(shown("--help").split())
    for name, command in main.commands.items():
        assert f"{name} {command.get_short_help_str()}" in words
    assert "serve Serve TARGET: a launch script (serve.py), or an app in a module" in words


def test_help_is_coloured_on_a_terminal_alone() -> None:
    coloured = shown("serve", "--help", color=True)
    assert click.style("--engine [granian|skitai]", fg="cyan") in coloured
    assert click.unstyle(coloured) == shown("serve", "--help")
    assert shown("serve", "--help", color=True, NO_COLOR="1") == click.unstyle(coloured)


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ([], "s", [("plain", "serve"), ("plain", "systemd")]),
        (["serve"], "--eng", [("plain", "--engine")]),
        (["serve", "--engine"], "g", [("plain", "granian")]),
        (["serve"], "ser", [("file", "ser")]),
        (["check"], "", [("file", "")]),
    ],
)
def test_what_shells_complete(
    words: list[str], incomplete: str, expected: list[tuple[str, str]]
) -> None:
    complete = BashComplete(main, {}, "atila", "_ATILA_COMPLETE")
    found = complete.get_completions(words, incomplete)
    assert [(item.type, item.value) for item in found] == expected


def test_the_script_for_a_shell() -> None:
    program = Path(sys.executable).with_name("atila")
    done = subprocess.run(
        [program],
        env={**os.environ, "_ATILA_COMPLETE": "zsh_source"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "compdef _atila_completion atila" in done.stdout
