"""Whether handlers keep to their OpenAPI documents, as schemathesis tries it on the examples."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from atila.openapi import document as openapi
from atila.testing import TestClient
from atila_auth.protection.csrf import COOKIE, FIELD, HEADER

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TRIES = {"tracker": 4, "demo": 2, "myapp": 2}
"""How many requests of each mode for each operation."""
LONG = int(os.environ.get("SCHEMATHESIS_TRIES", "0"))
"""How many there are in a long run, which are others each time; 0 for the short one."""
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

FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
OF_MEDIA_TYPES = {"content_type_conformance"}


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


@pytest.mark.thorough
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
    guarded = 0
    checks = [check for check in CHECKS.get_all() if check.__name__ in CHECKED]
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) in ENDLESS:
            continue
        proof = {}
        if FIELD in str(operation.definition.raw.get("requestBody")):
            # Only who was shown a page can know the token.
            guarded += 1
            shown = re.search(rf'name="{FIELD}" value="([^"]+)"', client.get("/login").text)
            assert shown is not None
            proof = {FIELD: shown[1]}
            headers["cookie"] = f"{COOKIE}={client.cookies[COOKIE]}"
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
                strategy = operation.as_strategy(generation_mode=mode)
                given_proof = proof if mode is GenerationMode.POSITIVE else {}
                # Forms are answered with pages, of which the document says nothing.
                some = [c for c in checks if not (proof and c.__name__ in OF_MEDIA_TYPES)]
                _try(strategy, LONG or TRIES[name], some, headers, given_proof)
    left_out = ENDLESS if name == "demo" else set()
    assert guarded == (3 if name == "demo" else 0)
    assert tried >= sum(len(each) for each in made["paths"].values()) - len(left_out)


def _try(
    strategy: Any, times: int, checks: list[Any], headers: dict[str, str], proof: dict[str, str]
) -> None:
    @settings(
        max_examples=times,
        deadline=None,
        derandomize=not LONG,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def compare(case: Case) -> None:
        case.query = {name: _written(value) for name, value in case.query.items()}
        if case.media_type in FORMS and isinstance(case.body, dict):
            # No form can write these, so nothing is sent that is wrong.
            assume(not any(value in (None, [], {}) for value in case.body.values()))
        if proof:
            case.body.update(proof)
            case.headers.pop(HEADER, None)
        case.call_and_validate(checks=checks, headers=headers)

    compare()


def _written(value: Any) -> Any:
    """A number as clients write it, who write 5 for 5.0: JSON Schema has one number of the two."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
