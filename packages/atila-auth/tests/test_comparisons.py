"""Secrets are compared in constant time only: read from the sources of this package."""

import ast
from pathlib import Path

import pytest

import atila_auth

SOURCES = sorted(Path(atila_auth.__file__).parent.rglob("*.py"))
SECRETS = {
    *("password", "secret", "signature", "signed", "mac", "hmac", "digest", "response", "hash"),
    *("hashed", "expected", "a1", "nonce", "opaque", "sign", "token", "otp", "code", "securekey"),
}
"""The last words of names that are taken for secrets."""


def comparisons(source):
    """The comparisons by ==, != and in of a source, but with a constant or a length."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        if all(
            isinstance(op, ast.Is | ast.IsNot | ast.Lt | ast.LtE | ast.Gt | ast.GtE)
            for op in node.ops
        ):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) or is_size(side) for side in sides):
            continue
        yield node


def is_size(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def named(node):
    """The names that an operand stands for."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return [name]
        case ast.Call(func=func):
            return named(func)
        case ast.Subscript(value=value, slice=key):
            return [*named(value), *named(key)]
    return [name for part in ast.iter_child_nodes(node) for name in named(part)]


def suspicious(source):
    return [
        ast.unparse(node)
        for node in comparisons(source)
        if any(
            name.lower().rstrip("s").rpartition("_")[2] in SECRETS
            for side in (node.left, *node.comparators)
            for name in named(side)
        )
    ]


def test_the_sources_are_there():
    assert {"digest_response.py", "basic.py", "passwords.py", "nonces.py"} <= {
        p.name for p in SOURCES
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_secret_is_compared_by_operators(path):
    assert suspicious(path.read_text()) == []


def test_what_it_would_find():
    for text in (
        "password == given",
        "self.secret != other",
        "x = given['response'] == expected",
        "token in tokens",
        "assert hmac.digest(key, text, 'sha256') == mac",
        "raw[-16:] == sign(nonce)",
    ):
        assert suspicious(text), text
    for text in ("password == ''", "len(token) > 5", "secret is None", "name == other"):
        assert not suspicious(text), text


def test_who_compares_does_so_by_hmac():
    found = {path.name for path in SOURCES if "hmac.compare_digest(" in path.read_text()}
    assert {"digest_response.py", "nonces.py", "passwords.py"} <= found
