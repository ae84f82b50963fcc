"""Two hosts, each with a home and processes of its own, and one Redis: what ended, was used up or
changed on one of them is so on the other.
"""

from __future__ import annotations

from pathlib import Path

import httpx
from support.servers import serving

from atila.testing.waits import PATIENCE
from atila_tasks.testing import RedisServer

SCRIPT = Path(__file__).with_name("apps") / "host.py"

engines = ("skitai", "granian")


def test_what_one_host_refuses_the_other_refuses(engine: str, tmp_path: Path) -> None:
    with RedisServer(tmp_path) as redis:
        given = {"environment": {"ATILA_REDIS": f"redis://127.0.0.1:{redis.port}/0"}}
        with serving(engine, SCRIPT, **given) as here, serving(engine, SCRIPT, **given) as there:
            assert here.folder != there.folder
            sessions(here.url(""), there.url(""))
            tokens(here.url(""), there.url(""))
            limits(here.url(""), there.url(""))
            changes(here.url(""), there.url(""))


def asked(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=PATIENCE)


def sessions(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two, asked(there) as thief:
        one.get("/login")
        cookies = dict(one.cookies)
        two.cookies.update(cookies)
        thief.cookies.update(cookies)
        assert two.get("/who").text == "hans"
        assert one.get("/logout").text == "out"
        assert two.get("/who").text == "nobody"
        # A copy of the cookie from before is no better.
        assert thief.get("/who").text == "nobody"


def tokens(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two:
        token = one.get("/token").text
        assert two.post("/take", data={"token": token}).text == "hans True"
        assert one.post("/take", data={"token": token}).text == "None False"
        assert two.post("/take", data={"token": token}).text == "None False"


def limits(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two:
        statuses = [client.get("/limited").status_code for client in (one, two) * 3]
        assert statuses == [200, 200, 200, 200, 429, 429]


def changes(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two:
        before = two.get("/orders").text
        one.post("/changed")
        after = one.get("/orders").text
        assert after != before
        assert two.get("/orders").text == after
