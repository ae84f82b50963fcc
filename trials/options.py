"""Options that all trials have."""

from __future__ import annotations

import argparse
from pathlib import Path

from trials import ROOT
from trials.stage import ENGINES


def parser(name: str, doc: str | None, minutes: float) -> argparse.ArgumentParser:
    """A command line with `--engine`, `--report`, `--note`; and `--minutes`, unless they are 0."""
    made = argparse.ArgumentParser(prog=f"hatch run {name}", description=(doc or "").split("\n")[0])
    made.add_argument("--engine", choices=ENGINES, action="append", help="one of them; repeatable")
    if minutes:
        made.add_argument(
            "--minutes", type=float, default=minutes, help=f"each, by default {minutes:g}"
        )
    made.add_argument("--report", type=Path, help="a folder for the report, such as docs/reports")
    made.add_argument("--note", default="", help="a sentence for the report: what ran beside it")
    return made


def save(folder: Path | None, name: str, text: str, pictures: dict[str, str]) -> None:
    """Print a report, and write it with its pictures if there is a folder for it."""
    print(text)
    if folder is None:
        return
    folder = folder if folder.is_absolute() else ROOT / folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    for picture, drawn in pictures.items():
        (folder / picture).write_text(drawn)
