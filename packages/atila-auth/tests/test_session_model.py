"""Sessions against a model: whatever happens in whatever order, they hold and end as it does."""

import threading
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atila.http.response import head
from atila.runtime.shared import LocalShared
from atila.runtime.shared_embedded import EmbeddedShared
from atila.testing.client_request import prepared
from atila_auth.sessions import late_changes as records

TIMEOUT = 1200
names = st.sampled_from("abc")
values = st.integers(-(2**63), 2**63) | st.text(max_size=9) | st.lists(st.none(), max_size=3)
seconds = st.integers(1, 3 * TIMEOUT)
steps = st.one_of(
    st.tuples(st.just("set"), names, values),
    st.tuples(st.just("remove"), names, st.none()),
    st.tuples(st.just("get"), names, st.none()),
    st.tuples(st.just("touch"), st.none(), st.none()),
    st.tuples(st.just("set_expiry"), seconds, st.none()),
    st.tuples(st.just("expire"), st.none(), st.none()),
    st.tuples(st.just("rotate"), st.none(), st.none()),
    st.tuples(st.just("wait"), seconds, st.none()),
    st.tuples(st.just("late set"), names, values),
    st.tuples(st.just("late remove"), names, st.none()),
    st.tuples(st.just("replay"), st.none(), st.none()),
)


class Model:
    """What a session should be."""

    def __init__(self):
        self.now = 1_800_000_000.0
        self.values = {}
        self.ends = None

    def settle(self):
        if self.ends is not None and self.ends <= self.now:
            self.values, self.ends = {}, None

    def change(self):
        # A session that does not exist begins; the end of one that does is never moved nearer.
        self.ends = max(self.ends or 0, self.now + TIMEOUT)

    def step(self, kind, what, value):
        if kind == "wait":
            self.now += what
        elif kind == "expire":
            self.values, self.ends = {}, None
        elif kind == "set":
            self.values[what] = value
            self.change()
        elif kind == "remove" and what in self.values:
            del self.values[what]
            self.change()
        elif self.ends is None:
            return
        elif kind == "touch":
            self.change()
        elif kind == "set_expiry":
            self.ends = self.now + what
        elif kind == "late set":
            self.values[what] = value
        elif kind == "late remove":
            self.values.pop(what, None)


class Client:
    """A browser that keeps one cookie, and never forgets one by itself."""

    def __init__(self, app):
        self.app = app
        self.cookie = ""
        self.old = []

    def request(self, kind="get", what=None, value=None):
        exchange = prepared("GET", "/", headers={"Cookie": self.cookie}).exchange()
        was = self.app.site.open(exchange)
        is_late = kind.startswith("late")
        session = was.session
        before = dict(session)
        if is_late:
            was.headers_sent = True
        match kind.removeprefix("late "):
            case "set":
                session[what] = value
            case "remove":
                session.remove(what)
            case "get":
                session.get(what)
            case "set_expiry":
                session.set_expiry(what)
            case "touch" | "expire" | "rotate":
                getattr(session, kind)()
        if not is_late:
            self.take(head(was, None), kind)
        return before

    def take(self, headers, kind):
        for name, line in headers:
            if name == "set-cookie":
                if kind in ("expire", "rotate"):
                    self.old.append(self.cookie)
                self.cookie = "" if "Max-Age=0" in line else line.partition(";")[0]

    def replayed(self):
        """What is seen by who has a copy of a cookie of a session that was ended or rotated."""
        mine, found = self.cookie, []
        for old in self.old:
            self.cookie = old
            found.append(self.request())
        self.cookie = mine
        return found


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(steps, max_size=25))
def test_against_a_model(secure_app, happening):
    model, client = Model(), Client(secure_app)
    clock = SimpleNamespace(time=lambda: model.now)
    if not secure_app.routes:
        secure_app.route("/")(lambda was: "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atila_auth.sessions.state.time", clock)
        for step in happening:
            kind = step[0]
            if kind == "replay":
                assert not any(client.replayed())
            elif kind != "wait":
                assert client.request(*step) == model.values
            model.step(*step)
            model.settle()
            assert client.request() == model.values


@pytest.mark.parametrize("kind", ["local", "embedded"])
def test_changes_at_once_lose_nothing(kind, tmp_path):
    shared = LocalShared() if kind == "local" else EmbeddedShared(tmp_path / "run")

    def work(number):
        for each in range(40):
            records.change(shared, "id", f"{number} {each}", [each], 60)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = records.find(shared, "id")
    assert record.last == 160
    assert len(record.changes) == 160
    assert sorted(number for number, _ in record.changes.values()) == list(range(1, 161))
    # Ended is ended, whatever comes later.
    records.end(shared, "id", 60)
    records.change(shared, "id", "late", [1], 60)
    assert records.find(shared, "id").is_over
    shared.close()
