"""What trusted proxies tell of the client, and what nobody is believed."""

import logging

import pytest

from atila import Atila, SetupError
from atila.http.exchange import Exchange
from atila.http.proxies import Proxies
from atila.testing.waits import wait_until

LOCAL = ("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("trusted", "peer", "header", "client", "depth"),
    [
        (["127.0.0.1"], "127.0.0.1", "9.9.9.9", "9.9.9.9", 1),
        (["127.0.0.1"], "127.0.0.1", None, "127.0.0.1", 0),
        (["127.0.0.1"], "127.0.0.1", "", "127.0.0.1", 0),
        # What a client itself wrote is to the left of what a proxy saw.
        (["127.0.0.1"], "127.0.0.1", "1.1.1.1, 9.9.9.9", "9.9.9.9", 1),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "1.1.1.1, 9.9.9.9, 10.1.2.3", "9.9.9.9", 2),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9", 2),
        (["10.0.0.0/8"], "127.0.0.1", "9.9.9.9", "127.0.0.1", 0),
        (["127.0.0.1"], "127.0.0.1", "unknown", "127.0.0.1", 0),
        (["127.0.0.1"], "127.0.0.1", "<script>, 9.9.9.9", "9.9.9.9", 1),
        (["127.0.0.1"], "127.0.0.1", "9.9.9.9:4711", "9.9.9.9", 1),
        (["127.0.0.1"], "127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", 1),
        (["127.0.0.1"], "127.0.0.1", "2001:DB8::1", "2001:db8::1", 1),
        (["127.0.0.1"], "127.0.0.1", "9.9.9.9:99:1", "127.0.0.1", 0),
        (["127.0.0.1"], "::ffff:127.0.0.1", "9.9.9.9", "9.9.9.9", 1),
        (["::1", "fe80::/10"], "fe80::1%eth0", "9.9.9.9", "9.9.9.9", 1),
        (["unix"], "", "9.9.9.9", "9.9.9.9", 1),
        (["127.0.0.1"], "", "9.9.9.9", "", 0),
        (["0.0.0.0/0"], "127.0.0.1", "1.1.1.1, 2.2.2.2", "1.1.1.1", 2),
    ],
)
def test_the_client(trusted, peer, header, client, depth) -> None:
    found = Proxies(trusted).client((peer, 0), header)
    assert (found[0][0], found[1]) == (client, depth)


def test_a_port_is_kept() -> None:
    assert Proxies(["127.0.0.1"]).client(LOCAL, "9.9.9.9:4711")[0] == ("9.9.9.9", 4711)
    assert Proxies(["127.0.0.1"]).client(LOCAL, "[::2]:4711")[0] == ("::2", 4711)


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "localhost", "1.2.3", ""])
def test_names_that_are_no_address(wrong) -> None:
    with pytest.raises(SetupError, match="TRUSTED_PROXIES"):
        Proxies([wrong])


def test_a_text_is_no_list() -> None:
    with pytest.raises(SetupError, match=r"must be a list: \['127.0.0.1'\]"):
        Proxies("127.0.0.1")


def ask(trusted, **headers):
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    app.config.TRUSTED_PROXIES = trusted

    @app.route("/")
    def index(was):
        return f"{was.request.get_remote_addr()} {was.request.scheme} {was.exchange.peer[0]}"

    with app.test_client() as client:
        return client.get("/", headers={k.replace("_", "-"): v for k, v in headers.items()}).text


@pytest.mark.parametrize(
    ("trusted", "addresses", "protocols", "expected"),
    [
        ([], "9.9.9.9", "https", "127.0.0.1 http 127.0.0.1"),
        (["10.0.0.1"], "9.9.9.9", "https", "127.0.0.1 http 127.0.0.1"),
        (["127.0.0.1"], "9.9.9.9", "https", "9.9.9.9 https 127.0.0.1"),
        (["127.0.0.1"], "9.9.9.9", "HTTPS", "9.9.9.9 https 127.0.0.1"),
        (["127.0.0.1"], "9.9.9.9", "gopher", "9.9.9.9 http 127.0.0.1"),
        # The client's own words do not count: only what the proxy added to them.
        (["127.0.0.1"], "9.9.9.9", "https, http", "9.9.9.9 http 127.0.0.1"),
        (
            ["127.0.0.1", "10.0.0.0/8"],
            "9.9.9.9, 10.0.0.1",
            "https, http",
            "9.9.9.9 https 127.0.0.1",
        ),
    ],
)
def test_what_a_handler_sees(trusted, addresses, protocols, expected) -> None:
    seen = ask(trusted, X_Forwarded_For=addresses, X_Forwarded_Proto=protocols)
    assert seen == expected


def test_the_access_log_has_the_client_and_its_path(caplog) -> None:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    app.config.TRUSTED_PROXIES = ["127.0.0.1"]
    app.config.ACCESS_LOG = "combined"
    app.route("/")(lambda was: "x")
    logger = logging.getLogger("atila.access")
    logger.addHandler(caplog.handler)
    told = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Prefix": "/shop"}
    try:
        with caplog.at_level("INFO", "atila.access"), app.test_client() as client:
            client.get("/", headers=told)
            wait_until(lambda: caplog.messages, "the line is written")
    finally:
        logger.removeHandler(caplog.handler)
    assert caplog.messages[0].startswith("9.9.9.9 - - [")
    assert '"GET /shop/ HTTP/1.1"' in caplog.messages[0]


def test_nothing_of_it_runs_without() -> None:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))
    app.route("/")(lambda was: type(was.exchange).__name__)
    with app.test_client() as client:
        assert "Forwarded" not in client.get("/").text
        assert app.site.exchange_class(Exchange) is Exchange
