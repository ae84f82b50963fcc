"""Pages, answers for programs and error pages, over a real connection on every engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from support.servers import USUAL, Server

from atila.testing.waits import PATIENCE

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "rendering" / "serve.py"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @staticmethod
    def document_of(text: str) -> str | None:
        """Where the page for trying finds its document."""
        page = Page()
        page.feed(text)
        return next(each["data-document"] for _, each in page.tags if "data-document" in each)

    def handle_data(self, data: str) -> None:
        self.text += data


def accept(media: str) -> dict[str, str]:
    return {"Accept": media}


# Templates


def test_names_in_templates(client: httpx.Client) -> None:
    page = client.get("/choice", headers={"Cookie": "username=hans"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "hans choices item N/A." in page.text
    assert "href=/checkout/2>Proceed" in page.text.replace('"', "")
    assert "<i>202 minify Apples</i>" in page.text
    assert "choices item 7." in client.get("/choice?choice=7").text
    assert client.get("/profiles/123?detail=no").text == "<li>123 is 123</li>"


def test_customized(client: httpx.Client) -> None:
    page = client.get("/customized").text
    assert page.strip() == "<p>&lt;token> olleH [0, 1] translated</p>"


def test_folders_of_extending_and_overriding(client: httpx.Client) -> None:
    assert client.get("/under").text == "<b>under</b> of the app"
    assert client.get("/over").text == "<i>over</i> of the app"
    assert client.get("/overlay").text == "<b>overlay</b> of the app by the one that overrides"


def test_minified(client: httpx.Client) -> None:
    assert client.get("/table", params={"count": 1}).text == (
        "<table><tr><td>0</td><td>&lt;0></td></tr></table>"
    )


@pytest.mark.parametrize(
    "attack", ["<script>alert(1)</script>", '"><img onerror=x>', "' onload='x", "&lt;script>"]
)
def test_values_are_escaped(client: httpx.Client, attack: str) -> None:
    page = Page()
    page.feed(client.get("/escaped", params={"text": attack}).text)
    page.close()
    ((tag, attributes),) = page.tags
    assert (tag, attributes["title"], page.text) == ("p", attack, attack)
    assert attributes["class"].split() == attack.split()
    assert set(attributes) == {"title", "class"}


def test_a_large_page(client: httpx.Client) -> None:
    page = client.get("/table", params={"count": 20_000}).text
    assert page.count("<tr>") == 20_000
    assert page.endswith("<td>&lt;19999></td></tr></table>")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere", "broken/nowhere.html"),
        ("parent", "gone.html"),
        ("syntax", 'broken/syntax.html", line 2'),
        ("value", 'broken/value.html", line 3'),
        ("recursion", "RecursionError"),
        ("surrogate", "surrogates not allowed"),
    ],
)
def test_what_fails_in_a_template(
    server: Server, client: httpx.Client, name: str, told: str
) -> None:
    answer = client.get(f"/broken/{name}", headers=accept("application/json"))
    assert answer.status_code == 500
    assert answer.json()["detail"] == "the server could not process this request"
    assert "templates" not in answer.text
    identity = answer.headers["x-request-id"]
    log = server.log()
    assert told in log[log.index(identity) :]
    assert client.get("/profiles/1").status_code == 200


# Tasks in templates


@pytest.mark.parametrize("path", ["/tasks", "/tasks/async", "/tasks/coroutine"])
def test_tasks_in_templates(server: Server, client: httpx.Client, name: str, path: str) -> None:
    with ThreadPoolExecutor(1) as others:
        page = others.submit(client.get, path, params={"gate": name})
        server.board.wait_count(f"{name}-waits")
        # The template waits for its task now, and nobody else for the template.
        assert server.get("/loop").body == b"the loop is free"
        assert not page.done()
        server.board.open(name)
        text = page.result(PATIENCE).text
    assert f"<b>{name}</b>" in text
    assert "<i>one</i>" in text


# Answers for programs


def test_api(client: httpx.Client) -> None:
    answer = client.get("/api")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    assert answer.json() == {"name": "Hans Roh"}
    answer = client.get("/api/keywords")
    assert (answer.status_code, answer.json()) == (201, {"name": "Hans Roh"})


def test_types(client: httpx.Client) -> None:
    assert client.get("/api/types").json() == {
        "at": "2024-02-29T10:00:00+09:00",
        "price": "0.10",
        "id": "00000000-0000-0000-0000-000000000001",
        "point": {"x": 1, "y": "2.0"},
        "row": {"a": 1, "b": {"c": None}},
        "color": "red",
        "set": [1],
    }
    root = fromstring(client.get("/api/types", headers=accept("text/xml")).content)
    assert root.find("price").text == "0.10"
    assert root.find("at").text == "2024-02-29T10:00:00+09:00"
    assert root.find("point/y").text == "2.0"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/xml", "application/xml"),
        ("application/json;q=0.4, text/xml;q=0.5", "text/xml"),
        ("application/json;q=0, */*", "application/xml"),
        (BROWSER["Accept"], "application/json"),
        ("application/*", "application/json"),
        (";;q=,=,/", "application/json"),
        ("x" * 4000, "application/json"),
        ("a/b," * 900 + "text/xml", None),
        ("image/png", None),
        ("application/json;q=nothing", None),
    ],
)
def test_negotiation(client: httpx.Client, header: str, kind: str | None) -> None:
    answer = client.get("/api", headers=accept(header))
    assert answer.headers["vary"] == "Accept"
    if kind is None:
        assert answer.status_code == 406
        assert answer.json()["detail"] == (
            "this is to be had as application/json, application/xml, text/xml"
        )
        assert client.head("/api", headers=accept(header)).status_code == 406
        # What a request may have changed is not denied.
        assert client.post("/api", headers=accept(header)).json() == {"name": "Hans Roh"}
        return
    assert answer.headers["content-type"] == kind
    if kind == "application/json":
        assert answer.json() == {"name": "Hans Roh"}
    else:
        assert fromstring(answer.content).find("name").text == "Hans Roh"


@pytest.mark.parametrize("media", ["application/json", "application/xml"])
def test_many_rows(client: httpx.Client, media: str) -> None:
    answer = client.get("/api/rows", params={"count": 100_000}, headers=accept(media))
    assert answer.status_code == 200
    if media == "application/json":
        rows = answer.json()["rows"]
        assert (len(rows), rows[-1]) == (100_000, {"id": 99_999, "name": "row 99999"})
    else:
        rows = fromstring(answer.content).find("rows")
        assert (len(rows), rows[-1].find("name").text) == (100_000, "row 99999")


@pytest.mark.parametrize("media", ["application/json", "text/xml"])
def test_an_integer_of_any_length_is_exact(client: httpx.Client, media: str) -> None:
    answer = client.get("/api/unwritable/number", headers=accept(media))
    assert (answer.status_code, answer.headers["content-type"]) == (201, media)
    assert str(2**70) in answer.text


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("type", "the value['rows'][1] cannot be written as JSON: it is of the type object"),
        ("surrogate", "the value['text'] cannot be written as JSON: it has a lone surrogate"),
        ("endless", "the value['list'][0] refers to itself"),
    ],
)
@pytest.mark.parametrize("media", ["application/json", "text/xml"])
def test_what_cannot_be_written(
    server: Server, client: httpx.Client, kind: str, told: str, media: str
) -> None:
    answer = client.get(f"/api/unwritable/{kind}", headers=accept(media))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == media
    assert b"the server could not process this request" in answer.content
    log = server.log()
    assert told in log[log.index(answer.headers["x-request-id"]) :]
    assert client.get("/api").status_code == 200


def test_render_or_api(client: httpx.Client) -> None:
    for header in (BROWSER["Accept"], "*/*", "text/html;q=0.9, application/json;q=0.8"):
        page = client.get("/either", headers=accept(header))
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert (page.text, page.headers["vary"]) == ("<li>7 is</li>", "Accept")
    answer = client.get("/either", headers=accept("application/json, text/plain, */*"))
    assert answer.json() == {"id": 7, "detail": "no"}
    answer = client.get("/either", headers=accept("application/xml"))
    assert fromstring(answer.content).find("detail").text == "no"
    assert client.get("/either", headers=accept("image/png")).status_code == 406


def test_data_of_tasks_goes_the_same_ways(client: httpx.Client) -> None:
    assert client.get("/either/tasks", headers=BROWSER).text == "<li>7 is</li>"
    answer = client.get("/either/tasks", headers=accept("application/json"))
    assert answer.json() == {"id": 7, "detail": "no"}
    root = fromstring(client.get("/either/tasks", headers=accept("text/xml")).content)
    assert root.find("id").text == "7"


def test_fault(client: httpx.Client) -> None:
    answer = client.get("/fault")
    assert (answer.status_code, answer.json()["errno"]) == (409, 40901)
    root = fromstring(client.get("/fault", headers=accept("application/xml")).content)
    assert root.find("detail").text == "taken"


# Errors


def test_error_templates(client: httpx.Client) -> None:
    page = client.get("/gone?x=1", headers=BROWSER)
    assert page.status_code == 410
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    text = unescape(page.text)
    assert "<h1>410 Gone</h1><p>it was <sold></p><hr><div>URL: /gone</div><div>Time: 20" in text
    page = client.get("/no/%3Cb%3E/such", headers=BROWSER)
    assert (page.status_code, page.text) == (404, "<h1>There is no /no/&lt;b>/such</h1>")
    assert "<h1>405 " in client.put("/profiles/1", headers=BROWSER).text


@pytest.mark.parametrize("header", ["application/json", "*/*"])
def test_error_templates_are_for_browsers(client: httpx.Client, header: str) -> None:
    answer = client.get("/gone", headers=accept(header))
    assert answer.status_code == 410
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    assert answer.json()["detail"] == "it was <sold>"
    assert client.get("/nowhere", headers=accept(header)).json()["code"] == 404
    root = fromstring(client.get("/gone", headers=accept("text/xml")).content)
    assert (root.find("errno").text, root.find("detail").text) == ("41001", "it was <sold>")


def test_errors_by_key(client: httpx.Client) -> None:
    answer = client.get("/by-key", headers=BROWSER)
    assert (answer.status_code, answer.headers["x-code"]) == (423, "423")
    assert "423 Locked" in answer.text
    assert "by another" in answer.text


def test_error_template_that_fails(server: Server, client: httpx.Client) -> None:
    answer = client.get("/teapot", headers=BROWSER)
    assert answer.status_code == 418
    assert "short and stout" in answer.text
    log = server.log()
    assert 'errors/broken.j2", line 2' in log[log.index(answer.headers["x-request-id"]) :]


# OpenAPI


def test_openapi(client: httpx.Client) -> None:
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["info"] == {"title": "Rendering", "version": "1.0"}
    order = document["paths"]["/orders/{number}"]["post"]
    assert (order["summary"], order["description"]) == ("Order something.", "The count is limited.")
    body = order["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["count"] == {"type": "integer", "minimum": 1, "maximum": 9}
    assert client.post("/orders/7", json={"count": 9, "mail": "me@example.com"}).json() == {
        "number": 7,
        "count": 9,
        "mail": "me@example.com",
    }
    refused = client.post("/orders/7", json={"count": 10})
    validator = Draft202012Validator(document["components"]["schemas"]["Error"])
    assert (refused.status_code, validator.is_valid(refused.json())) == (400, True)


def test_page_to_try_it(client: httpx.Client) -> None:
    page = client.get("/openapi")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'"
    )
    assert "//" not in page.text
    script = client.get("/openapi/swagger-ui-bundle.js")
    assert script.headers["content-type"] == "text/javascript"
    unchanged = {"If-None-Match": script.headers["etag"]}
    assert client.get("/openapi/swagger-ui-bundle.js", headers=unchanged).status_code == 304
    assert client.get(f"/{Page.document_of(page.text)}").json()["openapi"] == "3.1.0"
    assert client.post("/openapi", headers=accept("*/*")).status_code == 405
