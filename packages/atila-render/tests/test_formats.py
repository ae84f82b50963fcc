"""JSON, XML or a page, by the Accept header; refusals; errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from atila import PROTOCOL, Atila, HTTPError, Layer, Steps, Was
from atila.testing import TestClient

Write = Callable[[str, str], Path]

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def client(app: Atila, write: Write) -> TestClient:
    write("page.html", "<h1>{{ context.name }}</h1>")
    write("feed.xml.j2", "<feed>{{ name }}</feed>")
    write("errors/default.j2", "<h1>{{ error.code }} {{ error.message }}</h1>{{ error.detail }}")
    app.route("/api")(lambda was: was.API(name="Hans"))
    app.route("/dict")(lambda was: {"name": "Hans"})
    app.route("/either")(lambda was: was.render_or_API("page.html", name="Hans"))
    app.route("/either/dict")(lambda was: was.render_or_API("page.html", {"name": "Hans"}))
    app.route("/feed")(lambda was: was.render_or_API("feed.xml.j2", name="Hans"))
    app.route("/fault")(lambda was: was.Fault("409 Conflict", "taken", 7))

    @app.route("/error")
    def error(was: Was) -> Any:
        raise was.Error("410 Gone", "it was <sold>", 7)

    @app.route("/own")
    def own(was: Was, kind: str) -> Any:
        was.response["Content-Type"] = kind
        return was.API(name="Hans")

    return app.test_client()


def ask(client: TestClient, path: str, accept: str | None, method: str = "GET") -> Any:
    headers = {} if accept is None else {"accept": accept}
    return client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", ["/api", "/dict"])
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        (BROWSER, "application/json"),
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        ("application/json;q=0.5, text/xml;q=0.6", "text/xml"),
        ("\xff\xfe;;;,,,", "application/json"),
    ],
)
def test_format(client: TestClient, path: str, accept: str | None, kind: str) -> None:
    answer = ask(client, path, accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["vary"] == "Accept"
    if kind == "application/json":
        assert answer.json() == {"name": "Hans"}
    else:
        assert fromstring(answer.content).find("name").text == "Hans"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api", "image/png"),
        ("/api", "text/html"),
        ("/api", "application/json;q=0"),
        ("/api", "image/png, " * 5000),
        ("/either", "image/png"),
        ("/feed", "text/html"),
    ],
)
def test_not_acceptable(client: TestClient, path: str, accept: str) -> None:
    for method in ("GET", "HEAD"):
        answer = ask(client, path, accept, method)
        assert answer.status_code == 406
        assert answer.headers["vary"] == "Accept"
    answer = ask(client, path, accept)
    if "html" in accept:
        assert "this is to be had as" in answer.text
    else:
        assert "this is to be had as" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api", "/either"])
def test_what_is_done_is_not_denied(client: TestClient, path: str) -> None:
    assert ask(client, path, "image/png", "POST").status_code == 200


def test_errors_are_told_in_any_case(client: TestClient) -> None:
    answer = ask(client, "/fault", "image/png")
    assert (answer.status_code, answer.json()["detail"]) == (409, "taken")
    answer = ask(client, "/error", "image/png")
    assert (answer.status_code, answer.json()["detail"]) == (410, "it was <sold>")


@pytest.mark.parametrize("path", ["/fault", "/error"])
def test_errors_as_xml(client: TestClient, path: str) -> None:
    answer = ask(client, path, "application/xml")
    assert answer.headers["content-type"] == "application/xml"
    assert fromstring(answer.content).find("errno").text == "7"
    assert fromstring(answer.content).find("code").text == str(answer.status_code)


def test_what_the_handler_has_set_counts(client: TestClient) -> None:
    answer = ask(client, "/own?kind=application/problem%2Bjson", "image/png")
    assert answer.json() == {"name": "Hans"}
    assert answer.headers["content-type"] == "application/problem+json"
    assert "vary" not in answer.headers
    for kind in ("text/xml; charset=utf-8", "application/atom%2Bxml", "Application/XML"):
        answer = ask(client, f"/own?kind={kind}", "application/json")
        assert fromstring(answer.content).find("name").text == "Hans"


@pytest.mark.parametrize("path", ["/either", "/either/dict"])
def test_render_or_api(client: TestClient, path: str) -> None:
    for accept in (None, "*/*", BROWSER, "text/html", "text/html, application/json"):
        answer = ask(client, path, accept)
        assert answer.text == "<h1>Hans</h1>"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["vary"] == "Accept"
    for accept in ("application/json", "application/json, text/plain, */*"):
        answer = ask(client, path, accept)
        assert answer.json() == {"name": "Hans"}
        assert answer.headers["vary"] == "Accept"
    assert b"<name>Hans</name>" in ask(client, path, "text/xml").content


def test_the_type_of_the_template_is_offered(client: TestClient) -> None:
    assert ask(client, "/feed", "application/xml").text == "<feed>Hans</feed>"
    assert ask(client, "/feed", None).text == "<feed>Hans</feed>"
    assert ask(client, "/feed", "application/json").json() == {"name": "Hans"}
    assert b"<response " in ask(client, "/feed", "text/xml").content


@pytest.mark.parametrize(
    ("path", "code", "detail"),
    [("/nowhere", 404, ""), ("/error", 410, "it was &lt;sold&gt;")],
)
def test_error_template(app: Atila, client: TestClient, path: str, code: int, detail: str) -> None:
    @app.default_error_handler
    def default_error_handler(was: Was, error: HTTPError) -> Any:
        return was.render("errors/default.j2", error=error)

    page = ask(client, path, BROWSER)
    assert page.status_code == code
    assert page.text.startswith(f"<h1>{code} ")
    assert page.text.endswith(detail)
    for accept in ("application/json", "*/*", None):
        answer = ask(client, path, accept)
        assert (answer.status_code, answer.json()["code"]) == (code, code)
        assert "content-type" in answer.headers
    assert b"<code>" in ask(client, path, "text/xml").content


@pytest.mark.parametrize("template", ["{{ 1 / 0 }}", "{% if %}", "{{ error.nothing.more }}"])
def test_error_template_that_fails(
    app: Atila, write: Write, client: TestClient, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    write("errors/default.j2", f"<p>\n{template}")

    @app.default_error_handler
    def default_error_handler(was: Was, error: HTTPError) -> Any:
        return was.render("errors/default.j2", error=error)

    answer = ask(client, "/error", BROWSER)
    assert answer.status_code == 410
    assert "<h1>410 Gone</h1><p>it was &lt;sold&gt;</p>" in answer.text
    assert 'default.j2", line 2' in caplog.text
    assert ask(client, "/error", "application/json").json()["code"] == 410


@pytest.mark.parametrize("accept", [BROWSER, "application/json"])
def test_error_template_that_fails_in_development(
    app: Atila, write: Write, client: TestClient, accept: str
) -> None:
    write("errors/default.j2", "<p>\n{{ error.nothing.more }}<script>")
    app.debug = True

    @app.default_error_handler
    def default_error_handler(was: Was, error: HTTPError) -> Any:
        return was.render("errors/default.j2", error=error)

    answer = ask(client, "/error", accept)
    assert answer.status_code == 410
    assert "default.j2" in answer.text
    assert "UndefinedError" in answer.text
    assert "<script>" not in answer.text or accept != BROWSER


def test_error_as_page_or_data(app: Atila, client: TestClient) -> None:
    @app.error_handler(410)
    def gone(was: Was, error: HTTPError) -> Any:
        return was.render_or_API("errors/default.j2", error=error)

    assert ask(client, "/error", BROWSER).text.startswith("<h1>410 Gone</h1>")
    answer = ask(client, "/error", "application/json")
    assert answer.status_code == 410
    assert answer.json()["error"]["detail"] == "it was <sold>"
    assert ask(client, "/error", "image/png").status_code == 410


def test_value_that_cannot_be_written(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.route("/bad")(lambda was: was.API("201 Created", rows=[{"secret": object()}]))
    for accept in ("application/json", "text/xml"):
        caplog.clear()
        answer = ask(client, "/bad", accept)
        assert answer.status_code == 500
        assert b"secret" not in answer.content
        assert "the value['rows'][0]['secret'] cannot be written" in caplog.text


def test_error_whose_text_cannot_be_written(app: Atila, client: TestClient) -> None:
    @app.route("/surrogate")
    def surrogate(was: Was) -> Any:
        raise was.Error(400, "no \ud800")

    answer = ask(client, "/surrogate", "text/xml")
    assert (answer.status_code, answer.json()["detail"]) == (400, "no ?")


@dataclass
class Person:
    name: str


@pytest.mark.parametrize("with_render", [True, False])
@pytest.mark.parametrize("value", [{"name": "Hans"}, [1, 2], Person("Hans")], ids=repr)
def test_an_answer_is_the_same_whether_or_not_there_is_a_response(
    value: Any, *, with_render: bool
) -> None:
    """Where a handler has made no `was.response`, headers that all requests share are sent."""
    more = Layer(
        name="more",
        protocol=PROTOCOL,
        compile=lambda route, app: (
            Steps(headers=lambda was: [("x-more", "1")]) if "more" in route.rule else None
        ),
    )
    app = Atila(__name__, layers={"more": more, **({} if with_render else {"render": None})})
    made: list[bool] = []

    @app.teardown_request
    def teardown(was: Was) -> None:
        made.append(was._response is not None)

    app.route("/short")(lambda was: value)
    app.route("/long")(lambda was: (was.response, value)[1])
    app.route("/more")(lambda was: value)
    app.route("/status")(lambda was: (value, 201))
    client = app.test_client()

    def answer(method: str, path: str) -> tuple[int, Any, bytes]:
        given = ask(client, path, BROWSER, method)
        return given.status_code, sorted(given.headers.items()), given.content

    # Twice, since what is shared may have been changed.
    for _ in range(2):
        made.clear()
        short = answer("GET", "/short")
        assert short == answer("GET", "/long")
        assert made == [False, True]
        assert short[0] == 200
        status, headers, body = answer("GET", "/more")
        assert (status, body) == (200, short[2])
        assert headers == sorted([*short[1], ("x-more", "1")])
        assert answer("GET", "/status") == (201, *short[1:])
        length = ("content-length", str(len(short[2])))
        head = answer("HEAD", "/short")
        assert (head[0], head[2]) == (200, b"")
        assert head[1] == sorted({*short[1], length})


def test_a_value_that_cannot_be_written_is_an_error_of_the_server(app: Atila) -> None:
    app.route("/")(lambda was: {"name": object()})
    answer = app.test_client().get("/", headers={"accept": "*/*"})
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert "vary" in answer.headers
