"""`follow_redirects=` of the test client."""

import pytest

from atila import Atila
from atila.testing import RedirectError


@pytest.fixture
def app():
    app = Atila(__name__)

    @app.route("/go/<int:code>", methods=["GET", "POST", "PUT", "HEAD"])
    def go(was, code, to="/end?a=1", **fields):
        was.response.set_status(f"{code} Moved")
        was.response.set_header("Location", to)
        return "moved"

    @app.route("/end", methods=["GET", "POST", "PUT", "HEAD"])
    def end(was, **fields):
        return {
            "method": was.request.method,
            "query": was.request.uri,
            "body": bytes(was.request.body).decode(),
            "type": was.request.get_header("Content-Type"),
            "tag": was.request.get_header("X-Tag"),
            "cookie": was.request.get_header("Cookie"),
        }

    @app.route("/deep/start")
    def start(was):
        return was.redirect("../end?b=2#part")

    @app.route("/count")
    def count(was, left: int):
        return was.redirect(f"/count?left={left - 1}") if left else "there"

    @app.route("/login")
    def login(was):
        was.cookie.set("user", "hans")
        return was.redirect("/end")

    @app.route("/nowhere")
    def nowhere(was):
        was.response.set_status("302 Found")
        return "no location"

    @app.route("/bound")
    def bound(was, to):
        return was.redirect(to)

    return app


@pytest.fixture
def client(app):
    with app.test_client() as client:
        yield client


def test_not_unless_asked(client, app):
    answer = client.get("/go/302")
    assert (answer.status_code, answer.text, answer.history) == (302, "moved", [])
    assert answer.is_redirect
    following = app.test_client(follow_redirects=True)
    assert following.get("/go/302").status_code == 200
    assert following.get("/go/302", follow_redirects=False).status_code == 302
    assert client.get("/go/302", follow_redirects=True).status_code == 200


@pytest.mark.parametrize(
    ("code", "method", "becomes"),
    [
        (301, "GET", "GET"),
        (302, "GET", "GET"),
        (303, "GET", "GET"),
        (307, "GET", "GET"),
        (308, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (307, "PUT", "PUT"),
    ],
)
def test_method_and_body(client, code, method, becomes):
    body = None if method == "GET" else {"name": "Hans"}
    options = {"data": body, "headers": {"X-Tag": "t"}, "follow_redirects": True}
    answer = client.request(method, f"/go/{code}", **options)
    found = answer.json()
    assert (found["method"], found["query"], found["tag"]) == (becomes, "/end?a=1", "t")
    kept = method == becomes != "GET"
    assert found["body"] == ("name=Hans" if kept else "")
    assert found["type"] == ("application/x-www-form-urlencoded" if kept else None)
    assert answer.url == "/end?a=1"
    assert [(one.status_code, one.url) for one in answer.history] == [(code, f"/go/{code}")]


def test_head_stays_head(client):
    answer = client.head("/go/303", follow_redirects=True)
    assert (answer.status_code, answer.content, answer.url) == (200, b"", "/end?a=1")


def test_files_are_sent_again(client):
    found = client.post("/go/307", files={"f": b"content"}, follow_redirects=True).json()
    assert "content" in found["body"]
    assert found["type"].startswith("multipart/form-data; boundary=")


def test_relative_targets_and_fragments(client):
    answer = client.get("/deep/start", follow_redirects=True)
    assert (answer.status_code, answer.url) == (200, "/end?b=2")


@pytest.mark.parametrize(
    "to", ["http://testserver/end", "http://testserver:80/end", "//testserver/end"]
)
def test_absolute_targets_of_this_server(client, to):
    answer = client.get("/go/302", params={"to": to}, follow_redirects=True)
    assert (answer.status_code, answer.url) == (200, "/end")


def test_absolute_targets_of_the_asked_host(client):
    to, host = "http://shop.example/end", {"Host": "shop.example"}
    options = {"params": {"to": to}, "follow_redirects": True}
    assert client.get("/go/302", headers=host, **options).url == "/end"
    with pytest.raises(RedirectError, match=r"another server, http://shop\.example/end"):
        client.get("/go/302", **options)


@pytest.mark.parametrize(
    "to", ["https://testserver/end", "ftp://testserver/x", "mailto:a@b.example"]
)
def test_other_schemes_lead_elsewhere(client, to):
    with pytest.raises(RedirectError, match="another server"):
        client.get("/go/302", params={"to": to}, follow_redirects=True)
    assert client.get("/go/302", params={"to": to}).headers["location"] == to


def test_cookies_on_the_way(client):
    assert client.get("/login", follow_redirects=True).json()["cookie"] == "user=hans"
    own = client.get("/login", headers={"Cookie": "own=1"}, follow_redirects=True)
    assert own.json()["cookie"] == "own=1"


def test_chains_have_an_end(client):
    answer = client.get("/count?left=20", follow_redirects=True)
    assert (answer.text, len(answer.history)) == ("there", 20)
    assert [one.history for one in answer.history[:1]] == [[]]
    with pytest.raises(RedirectError, match=r"20 redirects were not enough: /count\?left=1$"):
        client.get("/count?left=21", follow_redirects=True)


def test_a_redirect_without_a_place_is_the_answer(client):
    answer = client.get("/nowhere", follow_redirects=True)
    assert (answer.status_code, answer.text, answer.is_redirect) == (302, "no location", False)


def test_a_streamed_body_is_sent_once_only(client):
    with pytest.raises(RedirectError, match="a body twice that is made only once"):
        client.post("/go/307", iter([b"x"]), follow_redirects=True)
    # As GET it has none.
    assert client.post("/go/303", iter([b"x"]), follow_redirects=True).status_code == 200
