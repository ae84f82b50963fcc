"""Failures of the project's own code: one traceback, without the framework's part of it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from atila.errors import SetupError

_FRAMEWORK = str(Path(__file__).parents[1])
_STANDARD = os.path.dirname(os.__file__)


class ProjectFailed(Exception):
    """The code of the project raised an error while it was read, maybe in another process.

    Args:
        text: its traceback, as the user shall see it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def of(error: Exception) -> ProjectFailed | SetupError:
    """The text of an error on the command line."""
    return error if isinstance(error, SetupError) else ProjectFailed(as_text(error))


def shown(error: BaseException) -> str:
    """The text of an error that keeps a server from starting."""
    return f"atila: {error}\n" if isinstance(error, SetupError) else as_text(error)


def as_text(error: BaseException) -> str:
    """The traceback of an error, from where the code of the project begins."""
    found = traceback.TracebackException.from_exception(error)
    for each in _chain(found):
        # What the framework and the interpreter did to get there.
        mine = [n for n, frame in enumerate(each.stack) if not _is_ours(frame.filename)]
        first = mine[0] if mine else 0
        kept = [f for f in list(each.stack)[first:] if not f.filename.startswith("<frozen ")]
        is_syntax = issubclass(each.exc_type or Exception, SyntaxError)
        # The place of a SyntaxError is in its text, if nobody imported it.
        each.stack = traceback.StackSummary.from_list(kept if mine or not is_syntax else [])
    return "".join(found.format())


def _chain(found: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _is_ours(filename: str) -> bool:
    """Whether a file is of the framework, or of Python itself."""
    is_standard = filename.startswith(_STANDARD) and "-packages" not in filename
    return is_standard or filename.startswith((_FRAMEWORK, "<"))
