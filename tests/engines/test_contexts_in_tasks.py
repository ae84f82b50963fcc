"""Requests that stay on the task loop from begin to end have context variables of their own, too:
on granian in the very task that it has for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.servers import Server, serving

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "contexts_in_tasks.py"
NOBODY = "nobody"

TOLD = {
    "/async-set/{0}": "nobody {0}",
    "/set/{0}": "nobody {0}",
    "/waits/{0}?note={1}": "nobody {0} {0} {0}",
    "/provided?name={0}&note={1}": "{0} {0}",
    "/stream/{0}": "{0} {0}! ",
    "/fails/{0}": "{0}",
    "/fails-at-once/{0}": "{0}",
}
"""By page, what it tells of the tenant that its handler, or a provider, has set."""


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    """A server of apps/contexts_in_tasks.py."""
    with serving(engine, SCRIPT) as server:
        yield server


@pytest.mark.parametrize("path", TOLD)
def test_a_request_sees_its_own(client: httpx.Client, name: str, path: str) -> None:
    for tenant in ("alice", "bob"):
        # Over one connection.
        assert client.get(path.format(tenant, name)).text == TOLD[path].format(tenant)
        assert client.get("/async-set/carol").text == f"{NOBODY} carol"
        assert client.get("/set/carol").text == f"{NOBODY} carol"


@pytest.mark.parametrize("size", [0, 100, 300_000])
def test_a_request_with_a_body_sees_its_own(client: httpx.Client, size: int) -> None:
    for tenant in ("alice", "bob"):
        answer = client.post(f"/body/{tenant}", data={"text": "x" * size} if size else None)
        assert answer.text == f"{NOBODY} {tenant} {size}"


@pytest.mark.parametrize("path", TOLD)
def test_many_at_once(server: Server, name: str, path: str) -> None:
    def ask(number: int) -> tuple[str, str]:
        tenant = f"t{number}"
        answer = httpx.get(server.url(path.format(tenant, name)))
        return answer.text, TOLD[path].format(tenant)

    with ThreadPoolExecutor(8) as pool:
        for told, right in pool.map(ask, range(24)):
            assert told == right


def test_tasks_of_handlers_begin_as_ever(client: httpx.Client) -> None:
    for _ in range(2):
        assert client.get("/tasks").text == "False True True"


def test_the_task_of_a_request_can_be_timed_out(client: httpx.Client) -> None:
    for _ in range(2):
        assert client.get("/in-time/0.0").text == "too late"
        assert client.get("/in-time/0.01").text == "too late"


@pytest.mark.parametrize(
    ("path", "noted"),
    # The provider has reset its variable before it writes; the work sees the handler's.
    [("/provided?name=alice&note={0}", NOBODY), ("/waits/alice?note={0}", "alice")],
)
def test_what_follows_the_answer(
    client: httpx.Client, server: Server, name: str, path: str, noted: str
) -> None:
    assert client.get(path.format(name)).status_code == 200
    wait_until(lambda: server.board.text(name), "note on the board")
    assert server.board.text(name) == f"{noted}."
