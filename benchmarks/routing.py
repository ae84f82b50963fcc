"""How long it takes to find a route: ``python -m benchmarks.routing``.

With a router that is compiled once, 10 routes and 5,000 routes cost about the same.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

SIZES = (10, 5_000)
REPEATS = 7
LOOKUPS = 20_000
KINDS = 5


@dataclass(frozen=True, slots=True)
class Routing:
    """Nanoseconds of one lookup, the median of the repeats."""

    routes: int
    lookup_ns: float


@dataclass(frozen=True, slots=True)
class Route:
    """A rule, a handler that takes its parameters, and a path which it matches."""

    rule: str
    handler: Callable[..., Any]
    path: str


def measure(count: int) -> Routing:
    """Time lookups of ten blocks of neighbours, so that every kind of route has its share."""
    routes = [_route(number) for number in range(count)]
    match = lookup_of(routes)
    for route in routes:
        if match(route.path) is None:
            raise AssertionError(f"{route.path} is not found by its rule {route.rule}")
    starts = range(0, count, max(KINDS, count // 10))
    block = [route.path for start in starts for route in routes[start : start + KINDS]]
    paths = block * (LOOKUPS // len(block))
    seconds = [_time(match, paths) / len(paths) for _ in range(REPEATS)]
    return Routing(count, 1e9 * median(seconds))


def lookup_of(routes: Sequence[Route]) -> Callable[[str], object]:
    """The function that finds a path's route among these, or nothing."""
    from atila.routing.router import Router

    router = Router()
    for route in routes:
        router.add(route.rule, route.handler, ("GET", "HEAD"))
    return lambda path: router.match(path, "GET")


def _route(number: int) -> Route:
    """Two routes of five are static, the others take one or two parameters."""

    def static(was: Any) -> str:
        return ""

    def typed(was: Any, item_id: int) -> str:
        return ""

    def mixed(was: Any, name: str, part: int) -> str:
        return ""

    def rest(was: Any, name: str) -> str:
        return ""

    kinds = (
        Route(f"/pages/area{number}/about", static, f"/pages/area{number}/about"),
        Route(f"/api/things{number}/<int:item_id>", typed, f"/api/things{number}/42"),
        Route(f"/v{number}/info", static, f"/v{number}/info"),
        Route(f"/users{number}/<name>/parts/<int:part>", mixed, f"/users{number}/hans/parts/7"),
        Route(f"/files{number}/<name>/raw", rest, f"/files{number}/report/raw"),
    )
    route = kinds[number % KINDS]
    route.handler.__name__ = f"route_{number}"
    return route


def _time(match: Callable[[str], object], paths: Sequence[str]) -> float:
    started = time.perf_counter()
    for path in paths:
        match(path)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    found = [measure(count) for count in SIZES]
    if parser.parse_args().json:
        print(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        print(f"{one.routes:6,} routes: {one.lookup_ns:8.0f} ns a lookup")


if __name__ == "__main__":
    main()
