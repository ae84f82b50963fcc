import re

import pytest

import atila_auth
from atila import Atila

LAYERS = {"auth": atila_auth.layer, "tasks": None, "render": None, "ws": None}
"""This one alone, whatever else is installed."""
SECUREKEY = "ds8fdsflksdjf9879dsf;?<>Asda"


@pytest.fixture
def app():
    app = Atila(__name__, layers=LAYERS)
    yield app
    if app._site is not None:
        app.site.shutdown(5)


@pytest.fixture
def broken_app():
    """An app that cannot be mounted."""
    return Atila(__name__, layers=LAYERS)


class Browser:
    """A client of an app in this process that keeps cookies as a browser does."""

    def __init__(self, app):
        self.client = app.test_client()
        self.jar = {}
        self.answer = None

    def cookies(self, path):
        found = [(p, n, v) for (n, p), v in self.jar.items() if path.startswith(p.rstrip("/"))]
        return "; ".join(f"{n}={v}" for _, n, v in sorted(found, key=lambda c: -len(c[0])))

    def request(self, method, url, **options):
        headers = dict(options.pop("headers", None) or {})
        # Even without any: the client's own would be sent instead.
        headers.setdefault("Cookie", self.cookies(url.partition("?")[0]))
        self.answer = self.client.request(method, url, headers=headers, **options)
        for line in self.set_cookies:
            name, value = re.match(r"([^=]+)=([^;]*)", line).groups()
            path = re.search(r"; Path=([^;]*)", line)[1]
            if "Max-Age=0" in line:
                self.jar.pop((name, path), None)
            else:
                self.jar[name, path] = value
        return self.answer

    @property
    def set_cookies(self):
        return [value for name, value in self.answer.header_list if name == "set-cookie"]

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, data=None, **options):
        return self.request("POST", url, data=data, **options)


@pytest.fixture
def secure_app(app):
    """An app with a secret, as the specification gives it one."""
    app.securekey = SECUREKEY
    app.session_timeout = 1200
    return app


@pytest.fixture
def browser(secure_app):
    """A browser of `secure_app`; `browser.another()` is somebody else's."""
    browser = Browser(secure_app)
    browser.another = lambda: Browser(secure_app)
    return browser


class Clock:
    """A time that only tests change."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def time(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The time as this layer sees it."""
    clock = Clock()
    times = ("sessions.state", "sessions.message_box")
    for module in (*times, "tokens.one_time_password", "tokens.one_time_token"):
        monkeypatch.setattr(f"atila_auth.{module}.time", clock)
    return clock
