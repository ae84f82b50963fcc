"""All regular expressions of ours take time in proportion to the text, whatever a client writes."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined] # the parser of the module re
from re import _parser as parser  # type: ignore[attr-defined] # as above
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FUNCTIONS = {
    "compile",
    "match",
    "fullmatch",
    "search",
    "sub",
    "subn",
    "split",
    "findall",
    "finditer",
}
ANYWHERE = {"search", "sub", "subn", "split", "findall", "finditer"}
"""What tries each place of a text as the beginning."""
LENGTHS = (*range(8, 40, 2), 60, 90, 180, 360, 720, 1440, 2880, 5760, 11520)
LONG = 0.03
"""Seconds of processor time that a text of the last length may take; linear ones take a tenth."""
OF_DEVELOPERS = {
    "atila/validation/constraints.py": "`Annotated[str, Meta(pattern=…)]`, compiled at mount",
    "atila/validation/operators.py": "`@app.inspect(name__regex=…)`, compiled at mount",
}
"""Modules whose patterns the developer of an app writes: no client can give one, and how long it
takes is the developer's to choose, as of any code of a handler.
"""
KINDS = {
    codes.CATEGORY_DIGIT: "0",
    codes.CATEGORY_NOT_DIGIT: "a",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_WORD: "a",
    codes.CATEGORY_NOT_WORD: "-",
}


class Found:
    """A regular expression of the sources.

    Attributes:
        at: where it stands.
        pattern: itself, compiled.
        anywhere: whether it is looked for in the middle of texts.
    """

    def __init__(self, at: str, pattern: re.Pattern[Any], anywhere: bool) -> None:
        self.at, self.pattern, self.anywhere = at, pattern, anywhere


def sources() -> Iterator[tuple[Path, str]]:
    for package in sorted(ROOT.glob("packages/*/src")):
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            yield path, ".".join(parts).removesuffix(".__init__")


def collect() -> tuple[list[Found], list[str]]:
    """All of them, and where there are some that only a run would know."""
    found, unknown = [], []
    for path, name in sources():
        text = path.read_text()
        if not re.search(r"\bre\.", text):
            continue
        names = vars(importlib.import_module(name))
        tree = ast.parse(text)
        called = {
            id(node.value): ast.unparse(node.targets[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
                continue
            if node.func.attr not in FUNCTIONS:
                continue
            at = f"{path.relative_to(ROOT)}:{node.lineno}"
            try:
                # Constants and f-strings of constants of the module.
                value = eval(compile(ast.Expression(node.args[0]), at, "eval"), dict(names))
                flags = [eval(ast.unparse(flag), dict(names)) for flag in flags_of(node)]
            except NameError:
                unknown.append(at)
                continue
            pattern = re.compile(value, *flags)
            # What has no name is used where it stands.
            name_of_it = re.escape(called.get(id(node), "re.compile"))
            used = re.search(rf"\b{name_of_it}(\(.*\))?\.({'|'.join(ANYWHERE)})\b", text)
            looks = node.func.attr in ANYWHERE or (node.func.attr == "compile" and bool(used))
            found.append(Found(at, pattern, looks))
    return found, unknown


def flags_of(node: ast.Call) -> list[ast.expr]:
    named = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
    assert isinstance(node.func, ast.Attribute)
    return named or (node.args[1:2] if node.func.attr == "compile" else [])


def example(tree: Any) -> str:
    """A short text that a part of a regular expression matches, or nearly so."""
    made = ""
    for code, value in tree:
        if code is codes.LITERAL:
            made += chr(value)
        elif code is codes.NOT_LITERAL or code is codes.ANY:
            made += "a"
        elif code is codes.IN:
            made += next(iter(characters(value)), "a")
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            made += example(value[2]) * max(value[0], 1)
        elif code is codes.SUBPATTERN:
            made += example(value[3])
        elif code is codes.ATOMIC_GROUP:
            made += example(value)
        elif code is codes.BRANCH:
            made += example(value[1][0])
    return made


def characters(items: Any) -> Iterator[str]:
    if items[0][0] is codes.NEGATE:
        yield "a"
        return
    for code, value in items:
        if code is codes.LITERAL:
            yield chr(value)
        elif code is codes.RANGE:
            yield chr(value[0])
        elif code is codes.CATEGORY:
            yield KINDS[value]


def repeats(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """What may come before a repeated part, and an example of what is repeated."""
    for number, (code, value) in enumerate(tree):
        here = before + example(list(tree)[:number])
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            if value[1] is codes.MAXREPEAT or value[1] > 16:
                pieces = [example(value[2])]
                for inner, within in value[2]:
                    pieces += characters(within) if inner is codes.IN else []
                for piece in dict.fromkeys(pieces):
                    yield here, piece or "a"
            yield from repeats(value[2], here)
        elif code is codes.SUBPATTERN:
            yield from repeats(value[3], here)
        elif code is codes.ATOMIC_GROUP:
            yield from repeats(value, here)
        elif code is codes.BRANCH:
            for branch in value[1]:
                yield from repeats(branch, here)


def attacks(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str]]:
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    seen = list(dict.fromkeys(repeats(tree)))
    yield from seen
    for (before, one), (_, two) in itertools.islice(itertools.combinations(seen, 2), 20):
        yield before, one + two
    if pattern.pattern:
        for _, one in seen:
            yield "", one


def worst(found: Found) -> tuple[float, str]:
    """The longest time, in seconds, that any of the attacks takes, and which one it is."""
    longest, how = 0.0, ""
    run = found.pattern.search if found.anywhere else found.pattern.fullmatch
    for before, piece in dict.fromkeys(attacks(found.pattern)):
        for length in LENGTHS:
            text: Any = before + piece * (length // len(piece)) + "\0"
            if isinstance(found.pattern.pattern, bytes):
                text = text.encode("latin-1", "replace")
            took = measured(run, text)
            if took > LONG:
                took = min(took, measured(run, text))
            if took > longest:
                longest, how = took, f"{before!r} + {piece!r} * {length // len(piece)}"
            if took > LONG:
                return longest, how
    return longest, how


def measured(run: Any, text: Any) -> float:
    began = time.process_time()
    run(text)
    return time.process_time() - began


def test_time_grows_with_the_text() -> None:
    found, unknown = collect()
    assert len(found) > 50
    # Where a pattern is only known when it runs, it is what the developer of an app wrote.
    assert {at.rpartition(":")[0].rpartition("/src/")[2] for at in unknown} == set(OF_DEVELOPERS)
    slow = {}
    for each in found:
        took, how = worst(each)
        if took > LONG:
            slow[each.at] = f"{took:.2f} s for {each.pattern.pattern!r}: {how}"
    assert slow == {}


@pytest.mark.parametrize(
    ("pattern", "anywhere"),
    [
        (r"(a+)+b", False),
        (r"(a|a)*b", False),
        (r"(\w+\s?)*;", False),
        (r"x=([a-z]+)*;", False),
        (r"\s*,?\s*\s*;", False),
        (r"\s+$", True),
    ],
)
def test_what_it_would_find(pattern: str, anywhere: bool) -> None:
    took, _ = worst(Found("", re.compile(pattern), anywhere))
    assert took > LONG
