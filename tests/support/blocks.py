"""The blocks of code of a page of documentation; see `support.pages`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PIECE = re.compile(
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$"
    r"|^<!-- run\n(?P<hidden>.*?)^-->$"
    r"|^<!-- not run: (?P<reason>.*?) ?-->$",
    re.DOTALL | re.MULTILINE,
)
_NAMED = re.compile(r"(?:# |<!-- |\{# )([\w./-]+\.\w+)(?: -->| #\})?\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        line: of the page, on which the code begins.
        language: "python", "pycon", "html", …
        code: the text.
        skipped: why it is not run; "" if it is.
        hidden: readers do not see it.
    """

    line: int
    language: str
    code: str
    skipped: str = ""
    hidden: bool = False

    @property
    def file(self) -> str:
        """The file that it is; "" if it is none."""
        named = _NAMED.match(self.code)
        return named[1] if named else ""


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text()
    found, reason = [], ""
    for piece in _PIECE.finditer(text):
        if piece["reason"] is not None:
            reason = piece["reason"]
            continue
        code = piece["code"] if piece["hidden"] is None else piece["hidden"]
        line = text.count("\n", 0, piece.start()) + 2
        language = piece["language"]
        if piece["hidden"] is not None:
            language = "pycon" if code.startswith(">>>") else "python"
        found.append(Block(line, language, code, reason, piece["hidden"] is not None))
        reason = ""
    return found
