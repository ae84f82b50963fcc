"""What every app answers, kept in one place so that all of them send the same bytes of data."""

from typing import Any

GREETING = "Hello, World"

ITEMS: list[dict[str, Any]] = [
    {"id": 1, "name": "anvil", "price": 129.5, "stock": 3},
    {"id": 2, "name": "bellows", "price": 48.0, "stock": 12},
    {"id": 3, "name": "crucible", "price": 17.25, "stock": 40},
]

TITLE = "Stock"


def _rows(count: int) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": f"part <{number}> & screws", "price": 1.25 * number, "stock": 7}
        for number in range(count)
    ]


ROWS = _rows(100)
"""What the page shows."""
ROWS_1K = _rows(16)
"""As JSON about 1 KB, and 100 KB."""
ROWS_100K = _rows(1500)


def posts_line(user_id: int, limit: int, query: str) -> str:
    """Echo the parameters, so that a parameter which was lost or mistyped shows."""
    return f"user={user_id:d} limit={limit:d} q={query}"
