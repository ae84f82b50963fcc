"""The code of functions as it runs, coloured, so that what the page shows cannot be outdated."""

import inspect
import io
import keyword
import token
import tokenize

from markupsafe import Markup

KINDS = {token.STRING: "string", token.COMMENT: "comment"}
KINDS |= {
    getattr(token, name): "string"
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(token, name)
}


def source(*objects):
    """As HTML."""
    return Markup("\n\n\n").join(map(coloured, map(inspect.getsource, objects)))


def coloured(code):
    lines = code.rstrip().splitlines(keepends=True)
    made, row, column = Markup(""), 1, 0

    def upto(last_row, last_column):
        nonlocal row, column
        text = ""
        while row < last_row:
            text += lines[row - 1][column:]
            row, column = row + 1, 0
        if row <= len(lines):
            text += lines[row - 1][column:last_column]
            column = last_column
        return text

    for each in tokenize.generate_tokens(io.StringIO("".join(lines)).readline):
        kind = KINDS.get(each.type)
        if each.type == token.NAME and keyword.iskeyword(each.string):
            kind = "keyword"
        if each.string == "@" and not each.line[: each.start[1]].strip():
            kind = "decorator"
        if kind:
            made += upto(*each.start)
            made += Markup('<span class="{}">{}</span>').format(kind, upto(*each.end))
    return made + upto(len(lines), len(lines[-1]))
