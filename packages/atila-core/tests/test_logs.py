"""Logs: where messages go, and the access log."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from atila import Atila, Mount, SetupError, Site
from atila.http.exchange import Exchange
from atila.http.observation import Observed
from atila.monitoring import logs
from atila.testing.waits import wait_until
from atila.values.secret_names import is_secret, is_secret_in_query, is_secret_input

access = logging.getLogger("atila.access")


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


@pytest.fixture
def written() -> Iterator[list[str]]:
    """The lines of the access log."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Keeping()
    access.addHandler(handler)
    yield lines
    access.removeHandler(handler)


def wait_for(lines: list[str], count: int) -> list[str]:
    """So many lines; they are written when the client has been answered."""
    wait_until(lambda: len(lines) >= count, f"{count} lines are written")
    assert len(lines) == count
    return lines


def with_log(app: Atila, form: str) -> Atila:
    app.config.ACCESS_LOG = form
    return app


COMBINED = re.compile(
    r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET (\S+) HTTP/1\.1"'
    r' (\d+) (\d+) "([^"]*)" "([^"]*)" (\d+\.\d{3}) (\S+)'
)


def test_without_it_nothing_is_in_the_way(app: Atila) -> None:
    assert app.site.exchange_class(Exchange) is Exchange
    assert app.site.open == app.site._open
    observed = with_log(Atila(__name__), "json").site
    assert issubclass(observed.exchange_class(Exchange), Observed)


def test_combined(app: Atila, written: list[str]) -> None:
    app.route("/p/<name>")(lambda was, name, q: "hello")
    headers = {
        "Referer": "http://a/b?token=t&c=d",
        "User-Agent": 'x" \r\n\x1b"y',
        "X-Request-Id": "id-1",
    }
    client = with_log(app, "combined").test_client()
    assert client.get("/p/h%C3%A4l%0D%0A?q=1&pass%77ord=2", headers=headers).status_code == 400
    assert client.get("/p/x?q=1", headers=headers).status_code == 200
    refused, plain = (COMBINED.fullmatch(line) for line in wait_for(written, 2))
    assert refused is not None
    assert plain is not None, written
    assert refused[1] == "/p/h%C3%A4l%0D%0A?q=1&pass%77ord=***"
    assert plain.groups()[:5] == (
        "/p/x?q=1",
        "200",
        "5",
        "http://a/b?token=***&c=d",
        r"x\x22 \x0d\x0a\x1b\x22y",
    )
    assert plain[7] == "id-1"


def test_json(app: Atila, written: list[str]) -> None:
    app.route("/")(lambda was: iter(["one", "two"]))
    client = with_log(app, "json").test_client()
    client.get("/")
    client.head("/")
    streamed, head = map(json.loads, wait_for(written, 2))
    assert (streamed["status"], streamed["bytes"], streamed["target"]) == (200, 6, "/")
    assert (head["method"], head["bytes"]) == ("HEAD", 0)
    assert streamed["ms"] > 0
    assert streamed["id"] != head["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", streamed["time"])


def test_all_of_one_request_have_one_id(
    app: Atila, written: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    ids = []
    caplog.set_level(logging.INFO, "atila")

    @app.route("/")
    def index(was):
        ids.append(was.request_id)
        was.log("called index")
        raise RuntimeError

    answer = with_log(app, "json").test_client().get("/")
    ids += [answer.json()["request_id"], answer.headers["x-request-id"]]
    ids += [json.loads(line)["id"] for line in wait_for(written, 1)]
    ids += [
        getattr(record, "request_id", "")
        for record in caplog.records
        if record.getMessage() == "called index"
    ]
    assert len(ids) == 5
    assert len(set(ids)) == 1


def test_refused_for_a_full_queue(app: Atila, written: list[str]) -> None:
    app.route("/")(lambda was: "")
    site = Site([Mount("/", with_log(app, "json"))])
    site.pool.submit = lambda *args: False  # type: ignore[method-assign, assignment]
    site.pool.resubmit = site.pool.submit
    answer = app.test_client().get("/")
    assert answer.status_code == 503
    (line,) = map(json.loads, wait_for(written, 1))
    assert (line["status"], line["id"]) == (503, answer.headers["x-request-id"])


def test_answers_that_are_no_errors_carry_no_id(app: Atila) -> None:
    app.route("/a/")(lambda was: "")
    client = app.test_client()
    for path in ("/a/", "/a"):
        assert "x-request-id" not in client.get(path).headers
    assert "x-request-id" in client.get("/b").headers


def test_a_format_that_is_none(app: Atila) -> None:
    with pytest.raises(SetupError, match="'jsonn'"):
        with_log(app, "jsonn").site


@pytest.mark.parametrize(
    ("query", "masked"),
    [
        ("", ""),
        ("a=1&b", "a=1&b"),
        ("token=", "token="),
        ("Token=a=b&page=2", "Token=***&page=2"),
        ("api_key=1&apikey=2&api-key=3&key=4", "api_key=***&apikey=***&api-key=***&key=***"),
        ("new%5Fpassword=1", "new%5Fpassword=***"),
        ("user[password]=1", "user[password]=***"),
        ("code=1&zipcode=2&keyword=3", "code=***&zipcode=2&keyword=3"),
        ("author=1&oauth=2&sid=3&otp=5&pin=6", "author=1&oauth=***&sid=***&otp=***&pin=***"),
        ("access_token=1&X-Amz-Signature=2", "access_token=***&X-Amz-Signature=***"),
    ],
)
def test_secrets(query: str, masked: str) -> None:
    assert logs.mask(query) == masked


def test_each_list_of_secret_names_has_those_of_the_shorter_one() -> None:
    names = ["password", "old_passphrase", "apikey", "api-key", "jwt", "otp", "cvv", "X-Secret"]
    more = ["pass", "session_id", "key", "csrf", "cookie", "Authorization"]
    most = ["code", "userkey", "oauth", "totp", "sms_totp"]
    plain = ["compassion", "keyword", "author", "zipcode", "spin", "page"]
    for name in names + more + most + plain:
        assert is_secret_input(name) == (name in names), name
        assert is_secret(name) == (name in names + more), name
        assert is_secret_in_query(name) == (name not in plain), name


def test_messages_come_out_if_nobody_configured_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    logger, root = logging.getLogger("atila"), logging.getLogger()
    before = logger.handlers[:], logger.level
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(root, "handlers", [])
    out = io.StringIO()
    monkeypatch.setattr(logs.sys, "stderr", out)
    try:
        logger.setLevel(logging.NOTSET)
        logs.ensure()
        logs.ensure()
        logger.getChild("app").info("said once", extra={"request_id": "id-1"})
        logger.getChild("app").debug("not said")
        root.handlers.append(logging.NullHandler())
        logger.getChild("app").info("said by others")
    finally:
        logger.setLevel(before[1])
    (line,) = out.getvalue().splitlines()
    assert line.endswith("INFO atila.app [id-1] said once")
