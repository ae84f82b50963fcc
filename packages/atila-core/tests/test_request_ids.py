"""The identifiers of requests that come without one."""

from __future__ import annotations

import os
import random
import re
import sys

import pytest

from atila.http import request_ids


def test_an_id_is_32_hexadecimal_digits() -> None:
    ids = {request_ids.new() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_an_app_that_seeds_random_numbers_gets_no_id_twice() -> None:
    random.seed(1)
    first = request_ids.new()
    random.seed(1)
    assert request_ids.new() != first


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_process_has_ids_of_its_own() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, request_ids.new().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as theirs:
        assert theirs.read().decode() != request_ids.new()
