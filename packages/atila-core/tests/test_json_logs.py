"""Structured logs: one object of JSON a line, whatever is logged."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila import Atila, SetupError
from atila.json_logs import JSONFormatter
from atila.monitoring import logs

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))

Written = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written() -> Any:
    """What was logged below "atila.x06", each line as its value."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JSONFormatter())
    logger = logging.getLogger("atila")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)


log = logging.getLogger("atila.x06")


def test_fields(written: Written) -> None:
    log.info("bought %d\nbooks", 3, extra={"order": 7, "who": {"name": "Jürgen"}, "level": "gold"})
    (line,) = written()
    time = datetime.fromisoformat(line.pop("time"))
    assert time.utcoffset() == timedelta(0)
    assert abs(time.timestamp() - datetime.now().timestamp()) < 60
    assert line == {
        "level": "INFO",
        "logger": "atila.x06",
        "message": "bought 3\nbooks",
        "order": 7,
        "who": {"name": "Jürgen"},
        "level_": "gold",
    }


def test_exceptions_and_stacks(written: Written) -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        log.exception("failed")
    log.info("here", stack_info=True)
    failed, here = written()
    assert failed["exception"].startswith("Traceback (most recent call last):\n")
    assert failed["exception"].endswith("ValueError: wrong")
    assert "test_json_logs.py" in here["stack"]
    assert "exception" not in here


def test_request_ids(written: Written) -> None:
    app = Atila(__name__, layers=NO_LAYERS)

    @app.route("/thread")
    def thread(was):
        log.info("by logging")
        was.log("by the context")
        raise RuntimeError("unexpected")

    @app.route("/loop")
    async def loop(was):
        await asyncio.sleep(0)
        log.info("on the loop")
        return ""

    client = app.test_client()
    client.get("/thread", headers={"X-Request-Id": "one"})
    client.get("/loop", headers={"X-Request-Id": "two"})
    log.info("outside")
    told = {line["message"]: line.get("request_id") for line in written()}
    assert told.pop("request one failed") == "one"
    assert told == {
        "by logging": "one",
        "by the context": "one",
        "on the loop": "two",
        "outside": None,
    }
    assert "RuntimeError: unexpected" in json.dumps(written())


class Silent:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**70, 2**70),
        ("\ud800", "\ud800"),
        ({"\ud800": {2**70: 1}}, {"\ud800": {str(2**70): 1}}),
        ({1: [Path("/a")]}, {"1": ["/a"]}),
        (float("nan"), None),
        ([2**70, float("inf")], [2**70, None]),
        (Silent(), "<Silent>"),
        ([Silent(), 2**70], ["<Silent>", 2**70]),
    ],
)
def test_what_json_has_no_word_for(written: Written, value: object, shown: object) -> None:
    log.info("it", extra={"value": value})
    (line,) = written()
    assert line["value"] == shown
    assert line["message"] == "it"


def test_what_contains_itself(written: Written) -> None:
    value: list[Any] = [1]
    value.append(value)
    log.info("it", extra={"value": value})
    (line,) = written()
    assert line["value"][0] == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(message=st.text(), value=VALUES)
def test_each_record_is_one_line(message: str, value: object) -> None:
    record = logging.makeLogRecord({"msg": message, "value": value, "levelname": "INFO"})
    line = JSONFormatter().format(record)
    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line)["message"] == message


def test_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    # Leftovers of other tests complain where the log goes when they are collected: not meanwhile.
    gc.collect()
    gc.disable()
    logger, root = logging.getLogger("atila"), logging.getLogger()
    level = logger.level
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.delenv(logs.LOG_FORMAT, raising=False)
    out = io.StringIO()
    monkeypatch.setattr(logs.sys, "stderr", out)
    app = Atila(__name__, layers=NO_LAYERS)
    app.config.LOG_FORMAT = "json"
    app.route("/")(lambda was: was.log("said", "warn"))
    try:
        app.test_client().get("/", headers={"X-Request-Id": "one"})
        (line,) = map(json.loads, out.getvalue().splitlines())
    finally:
        gc.enable()
        logger.setLevel(level)
    del line["time"]
    assert line == {
        "level": "WARNING",
        "logger": "atila.app",
        "message": "said",
        "request_id": "one",
    }


def test_text_has_the_request_too(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.makeLogRecord({"msg": "said", "name": "a", "levelname": "INFO"})
    monkeypatch.delenv(logs.LOG_FORMAT, raising=False)
    assert logs.formatter().format(record).endswith("INFO a [-] said")
    # What another handler writes of the same record is not led astray by that.
    assert "request_id" not in json.loads(JSONFormatter().format(record))


@pytest.mark.parametrize("trial", [False, True])
def test_a_format_that_is_none(trial: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from atila import Mount, Site

    monkeypatch.delenv(logs.LOG_FORMAT, raising=False)
    app = Atila(__name__, layers=NO_LAYERS)
    app.config.LOG_FORMAT = "jsonn"
    with pytest.raises(SetupError, match="'jsonn'"):
        Site([Mount("/", app)], trial=trial)


@pytest.mark.parametrize(
    ("environment", "prefix"), [({"ATILA_LOG_FORMAT": "json"}, "{"), ({}, "20")]
)
def test_the_environment_variable(environment: dict[str, str], prefix: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
        from atila import Atila
        app = Atila(__name__)
        app.config.LOG_FORMAT = "text"
        app.route("/")(lambda was: was.log("said"))
        app.test_client().get("/")
        """)
    )
    done = subprocess.run(
        [sys.executable, program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith(prefix)
    assert "said" in done.stderr


def test_logging_of_others_is_let_be(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
        import logging, logging.config
        logging.config.dictConfig({
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": "atila.json_logs.JSONFormatter"}},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["out"], "level": "INFO"},
        })
        from atila import Atila
        app = Atila(__name__)
        app.config.LOG_FORMAT = "text"
        app.route("/")(lambda was: was.log("said"))
        app.test_client().get("/")
        """)
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"] == "said"
