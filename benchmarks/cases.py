"""What is asked of every contestant. A new case is one more entry here and a page in each app."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.apps.payload import GREETING, ITEMS, posts_line


@dataclass(frozen=True, slots=True)
class Case:
    """One GET request; ``is_right`` says whether a body is the expected answer."""

    name: str
    title: str
    path: str
    is_right: Callable[[bytes], bool]


def _is_items(body: bytes) -> bool:
    try:
        return bool(json.loads(body) == {"message": GREETING, "items": ITEMS})
    except ValueError:
        return False


CASES = (
    Case(
        "plain",
        "a short text",
        "/plain",
        lambda body: body == GREETING.encode(),
    ),
    Case(
        "params",
        "a typed path parameter and two query parameters",
        "/users/42/posts?limit=10&q=abc",
        lambda body: body == posts_line(42, 10, "abc").encode(),
    ),
    Case(
        "json",
        "a small JSON object",
        "/json",
        _is_items,
    ),
)
