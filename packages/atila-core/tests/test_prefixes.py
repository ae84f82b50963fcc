"""The prefix of a proxy or an outer application, in process."""

from __future__ import annotations

import pytest

from atila import Atila
from atila.http import prefixes

TRUSTED = ["127.0.0.1", "10.0.0.0/8"]


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    app.config.TRUSTED_PROXIES = TRUSTED

    @app.route("/where")
    def where(was):
        was.cookie.set("a", "1")
        return {"path": was.request.path, "url": was.urlfor(where), "at": was.absolute()}

    app.route("/")(lambda was: "root")
    return app


@pytest.mark.parametrize(
    ("told", "prefix"),
    [
        (None, ""),
        ("", ""),
        ("/", ""),
        ("/shop", "/shop"),
        ("/shop/", "/shop"),
        ("/a/b", "/a/b"),
        (" /shop ", "/shop"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/a%3Fb", "/a%3Fb"),
        # The client's own words do not count: only what the proxy added to them.
        ("/evil, /shop", "/shop"),
        ("/shop,", ""),
        ("shop", ""),
        ("//evil.example", ""),
        ("/%2Fevil.example", ""),
        ("/a/..", ""),
        ("/./a", ""),
        ("/a//b", ""),
        ("/\\evil.example", ""),
        ("/a%00b", ""),
        ("/a%0D%0Ab", ""),
        ("https://evil.example/", ""),
    ],
)
def test_the_header(app: Atila, told: str | None, prefix: str) -> None:
    headers = {} if told is None else {"X-Forwarded-Prefix": told}
    with app.test_client() as client:
        answer = client.get("/where", headers=headers)
    assert answer.json()["url"] == f"{prefix}/where"
    assert answer.json()["at"] == f"http://testserver{prefix}/where"
    assert f"Path={prefix or '/'};" in answer.headers["set-cookie"]


@pytest.mark.parametrize("trusted", [[], ["10.0.0.1"]])
def test_from_others_it_is_not_believed(app: Atila, trusted: list[str]) -> None:
    app.config.TRUSTED_PROXIES = trusted
    told = {"X-Forwarded-Prefix": "/shop", "X-Forwarded-Host": "evil.example"}
    with app.test_client() as client:
        assert client.get("/where", headers=told).json() == {
            "path": "/where",
            "url": "/where",
            "at": "http://testserver/where",
        }
        assert client.get("/shop/where", headers=told).status_code == 404


@pytest.mark.parametrize(
    ("told", "addresses", "url"),
    [
        ("/a, /b", "9.9.9.9", "/b/where"),
        ("/a, /b", "9.9.9.9, 10.0.0.1", "/a/b/where"),
        ("/evil, /a, /b", "9.9.9.9, 10.0.0.1", "/a/b/where"),
        ("/a", "9.9.9.9, 10.0.0.1", "/a/where"),
        ("/a, /b", "10.0.0.2, 9.9.9.9, 10.0.0.1", "/a/b/where"),
    ],
)
def test_each_believed_proxy_adds_one(app: Atila, told: str, addresses: str, url: str) -> None:
    headers = {"X-Forwarded-Prefix": told, "X-Forwarded-For": addresses}
    with app.test_client() as client:
        assert client.get("/where", headers=headers).json()["url"] == url


@pytest.mark.parametrize(
    ("told", "host"),
    [
        ("example.com", "example.com"),
        ("example.com:8443", "example.com:8443"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("evil.example, example.com", "example.com"),
        ("a b", "testserver"),
        ("example.com/path", "testserver"),
        ("user@example.com", "testserver"),
        ("", "testserver"),
        ("example.com:http", "testserver"),
    ],
)
def test_the_host(app: Atila, told: str, host: str) -> None:
    with app.test_client() as client:
        answer = client.get("/where", headers={"X-Forwarded-Host": told})
    assert answer.json()["at"] == f"http://{host}/where"


def test_the_believed_host_chooses_the_app() -> None:
    from atila.serving.site import Mount, Site
    from atila.testing import TestClient

    bare = dict.fromkeys(("auth", "render", "tasks", "ws"))
    apps = []
    for name in ("one", "two"):
        app = Atila(name, layers=bare)
        app.config.TRUSTED_PROXIES = TRUSTED
        app.route("/")(lambda was: was.app.import_name)
        apps.append(app)
    Site([Mount("/", apps[0], host="one.example"), Mount("/", apps[1])])
    with TestClient(apps[0]) as client:
        told = {"X-Forwarded-Host": "one.example"}
        assert client.get("/", headers=told).text == "one"
        assert client.get("/").text == "two"


@pytest.mark.parametrize("host", ["a b", "evil.example/x", "a@b"])
def test_no_absolute_url_without_a_host(app: Atila, host: str) -> None:
    with app.test_client() as client:
        assert client.get("/where", headers={"Host": host}).status_code == 400


def test_a_path_that_begins_with_the_prefix_loses_it_once(app: Atila) -> None:
    told = {"X-Forwarded-Prefix": "/shop"}
    with app.test_client() as client:
        assert client.get("/shop/where", headers=told).json()["path"] == "/shop/where"
        assert client.get("/where", headers=told).json()["path"] == "/shop/where"
        assert client.get("/shop/shop/where", headers=told).status_code == 404
        assert client.get("/shopping", headers=told).status_code == 404


def test_the_prefix_alone_leads_to_its_root(app: Atila) -> None:
    told = {"X-Forwarded-Prefix": "/shop"}
    with app.test_client() as client:
        answer = client.get("/shop?a=1", headers=told)
        assert (answer.status_code, answer.headers["location"]) == (308, "./shop/?a=1")
        assert client.get("/shop/", headers=told).text == "root"


def test_files_on_another_host_have_no_prefix(app: Atila) -> None:
    app.config.STATIC_URL = "https://cdn.example/s"
    app.config.MEDIA_URL = "//cdn.example/m"
    app.route("/files")(lambda was: f"{was.static('a.css')} {was.media('b c.png')}")
    with app.test_client() as client:
        answer = client.get("/files", headers={"X-Forwarded-Prefix": "/shop"})
    assert answer.text == "https://cdn.example/s/a.css //cdn.example/m/b%20c.png"


@pytest.mark.parametrize(
    ("outer", "inner", "both"),
    [
        ("/a", "", "/a"),
        ("", "/b", "/b"),
        ("/a", "/b", "/a/b"),
        ("/a", "/a", "/a"),
        ("/a", "/a/b", "/a/b"),
        ("/a", "/ab", "/a/ab"),
    ],
)
def test_joined(outer: str, inner: str, both: str) -> None:
    assert prefixes.joined(outer, inner) == both


def test_its_own_url_as_an_argument(app: Atila, tmp_path) -> None:
    (tmp_path / "a.css").write_text("body {}")
    app.config.STATIC_ROOT = tmp_path
    for name in ("Static", "Mounted"):
        app.route(f"/{name}")(lambda was, name=name: getattr(was, name)(was.static("a.css")))
    with app.test_client() as client:
        for name in ("Static", "Mounted"):
            told = {"X-Forwarded-Prefix": "/shop"}
            assert client.get(f"/{name}", headers=told).text == "body {}"
