"""The garbage collector of workers, which is not to keep requests waiting."""

from __future__ import annotations

import sys

import httpx
import pytest

from atila.runtime.garbage import NEW_OBJECTS


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="it collects in small steps")
@pytest.mark.unable("gunicorn", "WSGI does not say when a worker is about to serve")
def test_it_comes_less_often_and_leaves_out_all_that_is_loaded(client: httpx.Client) -> None:
    new, *_, frozen = client.get("/collector").json()
    assert new == NEW_OBJECTS
    assert frozen > 10_000
