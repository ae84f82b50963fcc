"""What is asked of every contestant. A new case is one more entry here and a page in each app."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.apps.database import stock
from benchmarks.apps.payload import (
    GREETING,
    ITEMS,
    ROWS,
    ROWS_1K,
    ROWS_100K,
    TITLE,
    posts_line,
)
from benchmarks.contestants import BASES, CONTESTANTS


@dataclass(frozen=True, slots=True)
class Case:
    """One request; ``is_right`` says whether a body is the expected answer.

    With a ``body`` it is a POST of that JSON, else a GET.

    ``among`` are the contestants that have the page, if it is empty all that need no server beside
    them; ``bases`` those with whom the others are compared.
    """

    name: str
    title: str
    path: str
    is_right: Callable[[bytes], bool]
    among: frozenset[str] = frozenset()
    bases: tuple[str, ...] = BASES
    body: bytes = b""

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the body, without its length."""
        return {"content-type": "application/json"} if self.body else {}

    def is_for(self, contestant: str) -> bool:
        """Whether a contestant takes part."""
        return contestant in (self.among or _WITHOUT_SERVER)


_WITHOUT_SERVER = frozenset(one.name for one in CONTESTANTS if not one.needs)
_DATABASE = frozenset(one.name for one in CONTESTANTS if one.needs == "postgresql")


def _is_json(page: dict[str, Any]) -> Callable[[bytes], bool]:
    def is_right(body: bytes) -> bool:
        try:
            return bool(json.loads(body) == page)
        except ValueError:
            return False

    return is_right


def _is_items(body: bytes) -> bool:
    try:
        return bool(json.loads(body) == {"message": GREETING, "items": ITEMS})
    except ValueError:
        return False


def _is_rows(rows: list[dict[str, Any]]) -> Callable[[bytes], bool]:
    def is_right(body: bytes) -> bool:
        try:
            return bool(json.loads(body) == {"title": TITLE, "rows": rows})
        except ValueError:
            return False

    return is_right


def _is_page(body: bytes) -> bool:
    """All rows are there, and escaped."""
    text = body.decode()
    cells = [f"<td>{row['id']}</td><td>part &lt;{row['id']}&gt; &amp; screws</td>" for row in ROWS]
    return f"<h1>{TITLE}</h1>" in text and all(cell in text for cell in cells)


_OURS = frozenset({"atila-granian", "atila-granian-wsgi", "atila-skitai"})
_API = _OURS | {"atila-granian-async", "fastapi-def", "fastapi-async"}
_TYPED = _OURS | {
    "atila-granian-async",
    "atila-granian-inline",
    "django-bolt",
    "fastapi-async",
    "fastapi-def",
    "fastapi-granian",
    "litestar-granian",
    "litestar-uvicorn",
    "raw-rsgi",
    "raw-rsgi-duty",
    "raw-rsgi-thread",
    "raw-wsgi",
    "raw-wsgi-duty",
    "robyn",
}
_PAGE = _OURS | {"flask-gunicorn", "django-gunicorn"}

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
    Case(
        "typed",
        "a typed body of 1 KB, checked and answered",
        "/typed",
        _is_rows(ROWS_1K),
        _TYPED,
        ("fastapi-async", "litestar-granian", "django-bolt", "raw-rsgi"),
        json.dumps({"title": TITLE, "rows": ROWS_1K}, separators=(",", ":")).encode(),
    ),
    Case(
        "api-1k",
        "a JSON answer of 1 KB",
        "/api/1k",
        _is_rows(ROWS_1K),
        _API,
        ("fastapi-def", "fastapi-async"),
    ),
    Case(
        "api-100k",
        "a JSON answer of 100 KB",
        "/api/100k",
        _is_rows(ROWS_100K),
        _API,
        ("fastapi-def", "fastapi-async"),
    ),
    Case(
        "page",
        "a page with 100 rows, rendered of one template",
        "/page",
        _is_page,
        _PAGE,
        ("flask-gunicorn", "django-gunicorn"),
    ),
    Case(
        "db-row",
        "one row of PostgreSQL by its primary key",
        f"/row/{stock.WANTED}",
        _is_json(stock.row_page()),
        _DATABASE,
        ("fastapi-db", "sanic-db", "django-db", "raw-rsgi-db"),
    ),
    Case(
        "db-two",
        "two statements to PostgreSQL at once, merged",
        "/two",
        _is_json(stock.two_page()),
        _DATABASE,
        ("fastapi-db", "sanic-db", "django-db", "raw-rsgi-db"),
    ),
)
