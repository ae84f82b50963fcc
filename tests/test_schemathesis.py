"""Whether handlers keep to their OpenAPI documents, as schemathesis tries it on the examples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from atila.openapi import document as openapi
from atila.testing import TestClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TRIES = {"tracker": 4, "demo": 2, "myapp": 2}
"""How many requests of each mode for each operation."""
GUARDED = {("POST", "/guestbook"), ("POST", "/login"), ("POST", "/logout")}
"""Forms whose token against forgery only a page that was shown before can know."""
ENDLESS = {("GET", "/live"), ("GET", "/chat/events")}
"""Event streams."""
CHECKED = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
}


@pytest.fixture(params=TRIES)
def example(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, TestClient]]:
    """The site of an example, with data of its own."""
    name = request.param
    monkeypatch.setenv("TRACKER_DATA", str(tmp_path))
    monkeypatch.setenv("ATILA_DEMO_DATA", str(tmp_path))
    monkeypatch.chdir(EXAMPLES / name)
    # The example's own tests may have it imported, and mounted, in this process.
    others = taken_out(EXAMPLES / name)
    with TestClient.of(EXAMPLES / name / "serve.py") as client:
        yield name, client
    taken_out(EXAMPLES / name)
    sys.modules.update(others)


def taken_out(folder: Path) -> dict[str, ModuleType]:
    """The modules of a folder, which are imported no more."""
    found = {
        name: module
        for name, module in sys.modules.items()
        if str(folder) in str(getattr(module, "__file__", ""))
    }
    for name in found:
        del sys.modules[name]
    return found


def test_schemathesis_finds_nothing(example: tuple[str, TestClient]) -> None:
    name, client = example
    if name == "demo":
        from demo import store

        store.prepare()
    made = openapi.of_site(client.app.site, {"title": name, "version": "1"})
    headers = {}
    if name == "tracker":
        # Its pages are not in its own document, and take a token that only they know.
        made["paths"] = {k: each for k, each in made["paths"].items() if k.startswith("/api/")}
        account = {"name": "ada", "password": "correct horse"}
        token = client.post("/api/accounts", json=account).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_dict(made)
    schema.app = client.app
    checks = [check for check in CHECKS.get_all() if check.__name__ in CHECKED]
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) in GUARDED | ENDLESS:
            continue
        takes = [*operation.definition.raw.get("parameters", ())]
        takes += [*operation.definition.raw.get("requestBody", ())]
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not takes:
                continue  # Nothing can be wrong.
            tried += 1
            # Of a text in a path no value is wrong.
            none_is_wrong = (
                suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext()
            )
            with none_is_wrong:
                _try(operation.as_strategy(generation_mode=mode), TRIES[name], checks, headers)
    left_out = GUARDED | ENDLESS if name == "demo" else set()
    assert tried >= sum(len(each) for each in made["paths"].values()) - len(left_out)


def _try(strategy: Any, times: int, checks: list[Any], headers: dict[str, str]) -> None:
    @settings(
        max_examples=times,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def compare(case: Case) -> None:
        case.call_and_validate(checks=checks, headers=headers)

    compare()
