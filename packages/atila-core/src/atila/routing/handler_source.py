"""Reads the source of handlers: which names of the context they use."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable, Collection
from types import CodeType
from typing import Any


def names_used(handler: Callable[..., Any], names: Collection[str]) -> list[str]:
    """The names of its context that a handler uses, according to its source.

    Args:
        handler: the handler; of a wrapped one, the function inside.
        names: the names to look for: "render", "request.session".

    Returns:
        Those that it uses, in the order of the source; none without its source.
    """
    inside = inspect.unwrap(handler)
    code = getattr(inside, "__code__", None)
    # Few handlers have such a name, and only these are read.
    last = {name.rpartition(".")[2] for name in names}
    if not isinstance(code, CodeType) or not code.co_argcount or last.isdisjoint(_names_of(code)):
        return []
    # As inspect.getsource has it, which looks at the files of all modules before: 10 ms of a start.
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, getattr(inside, "__globals__", None))
    try:
        block = inspect.getblock(lines[code.co_firstlineno - 1 :])
        tree = ast.parse(textwrap.dedent("".join(block)))
    except SyntaxError:
        # It is a lambda in the middle of a statement.
        return []
    found = (_path(node, code.co_varnames[0]) for node in ast.walk(tree))
    return list(dict.fromkeys(name for name in found if name in names))


def _names_of(code: CodeType) -> set[str]:
    """The names in a function and those within it."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return {*code.co_names}.union(*map(_names_of, inner))


def _path(node: ast.AST, context: str) -> str:
    """ "request.session" of `was.request.session`; "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    is_context = isinstance(node, ast.Name) and node.id == context
    return ".".join(reversed(parts)) if is_context else ""
