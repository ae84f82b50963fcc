"""The gateway of examples/gateway: whole answers, partial ones, and those of the cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.servers import Server, serving

from atila.testing.waits import PATIENCE, wait_until

engines = ("skitai", "granian")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "gateway"
numbers = itertools.count(1)
"""Products, none of which was asked for before."""


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Server]:
    with serving("granian", FOLDER / "upstreams.py") as server:
        yield server


@pytest.fixture(scope="module")
def server(engine: str, upstreams: Server) -> Iterator[Server]:
    variables = {"GATEWAY_UPSTREAMS": f"127.0.0.1:{upstreams.port}", "GATEWAY_SECONDS": "2"}
    with serving(
        engine, FOLDER / "serve.py", ready="/products/90", environment=variables
    ) as server:
        yield server


@pytest.fixture(autouse=True)
def well(upstreams: Server) -> Iterator[None]:
    yield
    behave(upstreams)


def behave(upstreams: Server, **behaviour: dict[str, Any]) -> None:
    answer = httpx.post(upstreams.url("/behave"), json=behaviour, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text


def ask(server: Server, number: int) -> httpx.Response:
    return httpx.get(server.url(f"/products/{number}"), timeout=PATIENCE)


def test_three_answers_are_one(server: Server) -> None:
    number = next(numbers)
    assert ask(server, number).json() == {
        "product": {"name": f"Product {number}", "price": f"{number}.90"},
        "stock": {"pieces": number * 3},
        "reviews": [{"stars": 4, "text": f"Of {number} I want another."}],
        "missing": [],
        "stale": [],
    }


@pytest.mark.parametrize("wrong", [{"delay": 30}, {"status": 500}, {"status": 404}])
def test_what_fails_is_left_out_and_named(
    server: Server, upstreams: Server, wrong: dict[str, Any]
) -> None:
    behave(upstreams, reviews=wrong)
    answer = ask(server, next(numbers))
    assert answer.status_code == 200
    assert (answer.json()["reviews"], answer.json()["missing"]) == (None, ["reviews"])
    assert answer.json()["stock"] is not None


UPSTREAMS = ["product", "stock", "reviews"]


def test_the_cache_stands_in(server: Server, upstreams: Server) -> None:
    number = next(numbers)
    before = ask(server, number).json()
    behave(upstreams, products={"status": 503}, stock={"status": 500}, reviews={"status": 500})
    # Fresh: nobody is asked.
    assert ask(server, number).json() == before
    answers: list[dict[str, Any]] = []

    def is_stale() -> bool:
        answers.append(ask(server, number).json())
        return len(answers[-1]["stale"]) == len(UPSTREAMS)

    wait_until(is_stale, "the cache is no longer fresh")
    assert answers[-1] == {**before, "stale": UPSTREAMS}


def test_without_the_product_there_is_no_answer(server: Server, upstreams: Server) -> None:
    assert ask(server, 100).status_code == 404
    behave(upstreams, products={"status": 500})
    assert ask(server, next(numbers)).status_code == 502
