"""The cookies that the test client keeps."""

import pytest

from atila import Atila


@pytest.fixture
def client():
    app = Atila(__name__)

    @app.route("/set")
    def set_one(was, name, value, path="/", max_age=3600):
        was.cookie.set(name, value, max_age, path=path)
        return "set"

    @app.route("/<path:rest>")
    def show(was, rest, page=1):
        return was.request.get_header("Cookie") or "none"

    @app.route("/remove")
    def remove(was, name):
        was.cookie.remove(name)
        return "removed"

    with app.test_client() as client:
        yield client


def put(client, name, value, **more):
    assert client.get("/set", params={"name": name, "value": value, **more}).text == "set"


def test_what_the_app_sets_is_sent_back(client):
    assert client.get("/x").text == "none"
    put(client, "theme", "dark")
    assert client.get("/x").text == "theme=dark"
    assert dict(client.cookies) == {"theme": "dark"}
    put(client, "theme", "light")
    assert client.post("/x").text == "theme=light"


def test_a_path_is_kept(client):
    put(client, "cart", "3", path="/shop")
    assert client.get("/x").text == "none"
    assert client.get("/shop/list?page=1").text == "cart=3"
    assert client.cookies["cart"] == "3"


def test_what_expires_is_dropped(client):
    put(client, "a", "1")
    put(client, "b", "2")
    client.get("/remove?name=a")
    assert client.get("/x").text == "b=2"


def test_the_test_sets_and_deletes(client):
    client.cookies["token"] = "abc"
    assert client.get("/deep/er").text == "token=abc"
    client.cookies["token"] = "def"
    assert client.get("/x").text == "token=def"
    del client.cookies["token"]
    assert (client.get("/x").text, len(client.cookies)) == ("none", 0)
    with pytest.raises(KeyError, match="token"):
        del client.cookies["token"]
    with pytest.raises(KeyError, match="token"):
        client.cookies["token"]


def test_a_header_of_the_requests_own_comes_first(client):
    put(client, "a", "1")
    assert client.get("/x", headers={"COOKIE": "b=2"}).text == "b=2"
    assert client.get("/x", headers={"Cookie": ""}).text == "none"


def test_two_clients_are_two_browsers(client):
    put(client, "a", "1")
    other = client.app.test_client()
    assert other.get("/x").text == "none"


def test_a_value_that_needs_quotes(client):
    put(client, "text", 'a, b; "c" ü')
    sent = client.get("/x").text

    @client.app.route("/read", methods=["GET"])
    def read(was):
        return was.cookie.get("text")

    assert sent.startswith("text=")
    assert client.get("/read").text == 'a, b; "c" ü'
