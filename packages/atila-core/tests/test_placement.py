"""`@app.route(…, blocking=False)`, and coroutines that begin where the request arrives."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from atila import Atila, SetupError
from atila.runtime.loop import TaskLoop
from atila.testing.waits import PATIENCE


@pytest.fixture
def app():
    app = Atila(__name__)

    @app.route("/thread")
    def in_thread(was):
        return str(threading.get_ident() == was.site.loop.thread_id)

    @app.route("/loop", blocking=False)
    def on_loop(was):
        return str(threading.get_ident() == was.site.loop.thread_id)

    return app


def test_it_runs_on_the_task_loop(app):
    with app.test_client() as client:
        assert client.get("/thread").text == "False"
        assert client.get("/loop").text == "True"


def test_with_a_hook_that_may_block_it_runs_in_a_thread(app):
    @app.before_request
    def hook(was):
        pass

    with app.test_client() as client:
        assert client.get("/loop").text == "False"


def test_with_a_provider_that_may_block_it_runs_in_a_thread(app):
    @app.provide
    def place(was):
        return "a provider"

    @app.route("/provided", blocking=False)
    def provided(was, place):
        return f"{threading.get_ident() == was.site.loop.thread_id} {place}"

    with app.test_client() as client:
        assert client.get("/provided").text == "False a provider"


def test_errors_are_answered(app):
    @app.route("/broken", blocking=False)
    def broken(was):
        raise ValueError

    with app.test_client() as client:
        assert client.get("/broken").status_code == 500
        assert client.get("/loop").status_code == 200


@pytest.mark.parametrize("asked", [True, False])
def test_async_def_needs_no_word(app, asked):
    @app.route("/async", blocking=asked)
    async def handler(was):
        return ""

    with pytest.raises(SetupError, match=r"handler is async def.*leave out blocking"):
        assert app.site


def test_a_slip(app):
    @app.route("/slip", blocking="no")
    def slip(was):
        return ""

    with pytest.raises(SetupError, match="blocking is True or False, not 'no'"):
        assert app.site


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_development_mode_warns_of_one_that_takes_long(app, caplog, seconds):
    app.debug = True

    @app.route("/slow", blocking=False)
    def slow(was):
        time.sleep(seconds)
        return "done"

    with app.test_client() as client, caplog.at_level(logging.WARNING, "atila.app"):
        assert client.get("/slow").text == "done"
    warned = [text for text in caplog.messages if "slow took" in text]
    assert len(warned) == bool(seconds)
    if seconds:
        assert "leave out blocking=False" in warned[0]
        assert "test_placement.py:" in warned[0]


def test_what_begins_on_the_loop_is_in_a_task_of_its_own_and_logged(caplog):
    seen = []

    async def work(*, fails):
        seen.append(asyncio.current_task())
        async with asyncio.timeout(10):
            if fails:
                raise ValueError("lost")
            await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    async def begin():
        loop = TaskLoop(asyncio.get_running_loop())
        loop.begin(work(fails=False))
        loop.begin(work(fails=True))
        assert asyncio.current_task() not in seen
        async with asyncio.timeout(PATIENCE):
            while loop.busy:  # noqa: ASYNC110 - it is for nobody to wait for
                await asyncio.sleep(0)

    asyncio.run(begin())
    assert len(set(seen)) == 2
    assert None not in seen
    assert "a coroutine on the task loop failed" in caplog.text
    assert "ValueError: lost" in caplog.text
