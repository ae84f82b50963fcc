"""Providers: values that handlers take by name (`@app.provide`)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from atila import Atila, HTTPError, SetupError, Was
from atila.errors import source_of
from atila.serving import start_steps
from atila.testing import wait_until

log: list[Any] = []
colour: ContextVar[str] = ContextVar("colour", default="none")


@pytest.fixture
def app() -> Atila:
    log.clear()
    app = Atila(__name__, layers={})

    @app.provide
    def db(was: Was) -> Iterator[str]:
        log.append("db opened")
        token = colour.set("of db")
        try:
            yield "db"
        except ValueError as error:
            log.append(f"rolled back: {error}")
            raise
        finally:
            colour.reset(token)
            log.append("db closed")

    @app.provide
    async def session(db: str) -> AsyncIterator[str]:
        log.append("session opened")
        token = colour.set("of session")
        try:
            yield f"session of {db}"
        finally:
            colour.reset(token)
            log.append("session closed")

    @app.provide
    def user(was: Was, session: str) -> str:
        if was.exchange.header("x-user") is None:
            raise HTTPError(401, "sign in")
        return "ann"

    @app.provide
    async def quick() -> AsyncIterator[int]:
        log.append(threading.get_ident())
        yield 7
        log.append("quick closed")

    return app


MADE = ["db opened", "session opened"]
ENDED = ["session closed", "db closed"]


def ended(*others: Any) -> None:
    """What was provided is cleaned up after the answer, soon."""
    wait_until(lambda: log == [*MADE, *others, *ENDED], f"the clean-up: {log}")


def test_styles(app: Atila) -> None:
    @app.route("/def")
    def plain(was: Was, n: int, db: str, session: str) -> dict[str, Any]:
        return {"n": n, "session": session, "db": db, "colour": colour.get()}

    @app.route("/async")
    async def later(was: Was, session: str, n: int = 1) -> dict[str, Any]:
        return {"n": n, "session": session}

    @app.route("/pieces")
    def pieces(was: Was, session: str) -> Iterator[str]:
        yield session
        log.append("sent")
        yield "!"

    @app.route("/apieces")
    async def apieces(was: Was, session: str) -> AsyncIterator[str]:
        yield session
        log.append("sent")
        yield "!"

    with app.test_client() as client:
        found = {"n": 2, "session": "session of db", "db": "db", "colour": "of session"}
        assert client.get("/def?n=2").json() == found
        ended()
        log.clear()
        assert client.get("/async").json() == {"n": 1, "session": "session of db"}
        ended()
        for path in ("/pieces", "/apieces"):
            log.clear()
            assert client.get(path).text == "session of db!"
            ended("sent")


def test_async_ones_stay_on_the_loop(app: Atila) -> None:
    @app.route("/")
    async def index(was: Was, quick: int) -> str:
        log.append(threading.get_ident())
        return str(quick)

    with app.test_client() as client:
        assert client.get("/").text == "7"
        wait_until(lambda: log[-1:] == ["quick closed"], "the clean-up")
        assert not app.endpoint_of(app.routes[0]).blocking
        assert log[0] == log[1] == app.site.loop.thread_id


def test_each_once_and_before_hooks_too(app: Atila) -> None:
    @app.before_request
    def signed_in(was: Was, user: str) -> None:
        log.append(f"before {user}")

    @app.finish_request
    async def finished(was: Was, response: Any, user: str) -> None:
        log.append(f"finish {user}")

    @app.teardown_request
    def torn_down(was: Was, db: str) -> None:
        log.append(f"teardown {db}")

    @app.error_handler(401)
    def refused(was: Was, error: HTTPError, db: str) -> dict[str, str]:
        return {"no": db}

    @app.route("/")
    def index(was: Was, user: str) -> str:
        return user

    with app.test_client() as client:
        assert client.get("/", headers={"x-user": "1"}).text == "ann"
        ended("before ann", "finish ann", "teardown db")
        log.clear()
        answer = client.get("/")
        assert (answer.status_code, answer.json()) == (401, {"no": "db"})
        ended("teardown db")


@pytest.mark.parametrize("path", ["/def", "/async", "/pieces"])
def test_errors_reach_the_clean_up(app: Atila, path: str) -> None:
    @app.route("/def")
    def plain(was: Was, session: str) -> str:
        raise ValueError("bad")

    @app.route("/async")
    async def later(was: Was, session: str) -> str:
        raise ValueError("bad")

    @app.route("/pieces")
    def pieces(was: Was, session: str) -> Iterator[str]:
        raise ValueError("bad")
        yield ""

    with app.test_client() as client:
        assert client.get(path).status_code == 500
        last = ["session closed", "rolled back: bad", "db closed"]
        wait_until(lambda: log == [*MADE, *last], f"the clean-up: {log}")


def test_a_failing_clean_up_is_logged(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    @app.provide
    def broken(db: str) -> Iterator[int]:
        yield 1
        raise ValueError("not closed")

    @app.provide
    def twice() -> Iterator[int]:
        yield 1
        yield 2

    @app.route("/broken")
    def fails(was: Was, broken: int) -> str:
        return "fine"

    @app.route("/twice")
    def yields(was: Was, twice: int) -> str:
        return "fine"

    with app.test_client() as client:
        assert client.get("/broken").text == "fine"
        last = ["db opened", "rolled back: not closed", "db closed"]
        wait_until(lambda: log == last, "the clean-up")
        assert client.get("/twice").text == "fine"
    assert "the clean-up of broken" in caplog.text
    assert "has yielded twice" in caplog.text


def test_never_from_a_client(app: Atila) -> None:
    @app.route("/")
    def index(was: Was, db: str, n: int = 1) -> str:
        return db

    @app.route("/any")
    def anything(was: Was, db: str, **more: Any) -> dict[str, Any]:
        return more

    with app.test_client() as client:
        assert client.get("/?db=mine").status_code == 400
        assert client.get("/any?db=mine").status_code == 400
        assert client.get("/any?other=1").json() == {"other": "1"}


@dataclass
class Order:
    db: str


def test_mistakes(app: Atila) -> None:
    def mistake(define: Callable[[Atila], object]) -> str:
        other = Atila(__name__, layers={})
        other.provide(name="engine", scope="app")(lambda: 1)
        other.provide(name="db")(lambda engine: 2)
        with pytest.raises(SetupError) as caught:  # noqa: PT012 - whichever of the two
            define(other)
            other.test_client().get("/")
        assert __file__ in str(caught.value)
        return caught.value.problem

    assert (
        mistake(lambda app: app.provide(name="a")(lambda enginee: 1))
    ) == "the provider 'a' takes 'enginee', which nothing provides; did you mean 'engine'?"

    def circle(app: Atila) -> None:
        app.provide(name="a")(lambda b: 1)
        app.provide(name="b")(lambda a: 1)

    assert "a → b → a" in mistake(circle)
    assert 'scope="app"' in mistake(lambda app: app.provide(scope="app", name="c")(lambda db: 1))
    assert "already" in mistake(lambda app: app.provide(name="db")(lambda: 1))
    assert "must be" in mistake(lambda app: app.provide(scope="site")(lambda: 1))  # type: ignore[call-overload]

    def hook(app: Atila) -> None:
        @app.before_request
        def check(was: Was, dbb: int) -> None: ...

    assert mistake(hook) == "check takes 'dbb', which nothing provides; did you mean 'db'?"

    def in_rule(app: Atila) -> None:
        @app.route("/<db>")
        def index(was: Was, db: str) -> str:
            return db

    assert "has <db>" in mistake(in_rule)

    def in_model(app: Atila) -> None:
        @app.route("/")
        def index(was: Was, order: Order, db: str) -> str:
            return db

    assert "has a field of that name" in mistake(in_model)
    assert "nothing provides 'dbs'; did you mean 'db'?" in mistake(
        lambda app: app.override(dbs=1).__enter__()
    )


@pytest.mark.parametrize(
    "declare",
    [
        lambda app: app.on("before_mount"),
        lambda app: app.on("startup"),
        lambda app: app.on("sold"),
        lambda app: app.mounted,
        lambda app: app.before_request,
        lambda app: app.finish_request,
        lambda app: app.maintain(),
        lambda app: app.readiness_check,
        lambda app: app.error_handler(404),
        lambda app: app.route("/"),
    ],
)
@pytest.mark.parametrize("is_above", [True, False])
def test_in_the_place_of_the_context(declare: Callable[[Atila], Any], is_above: bool) -> None:
    """A mistake, wherever a function gets the context first: it would get that, silently."""
    app, calls = Atila(__name__, layers={}), []

    def tell(engine: int, *rest: Any) -> None:
        calls.append(engine)

    def provide() -> None:
        app.provide(name="engine", scope="app")(lambda: 1)

    with pytest.raises(SetupError) as caught:  # noqa: PT012 - whichever of the two
        if is_above:
            provide()
        declare(app)(tell)
        if not is_above:
            provide()
        app.test_client().get("/")
    assert "tell(engine) gets the context first, not 'engine'" in caught.value.problem
    assert caught.value.problem.endswith("write def tell(was, engine)")
    assert __file__ in str(caught.value)
    assert not calls


def test_overrides(app: Atila) -> None:
    @app.route("/")
    async def index(was: Was, session: str, quick: int) -> str:
        return f"{session} {quick}"

    def fake() -> Iterator[str]:
        log.append("fake opened")
        yield "fake"
        log.append("fake closed")

    with app.test_client() as client:
        with app.override(db=fake, quick=8):
            assert client.get("/").text == "session of fake 8"
            wait_until(lambda: log[-1:] == ["fake closed"], "the clean-up")
        assert "db opened" not in log
        assert client.get("/").text == "session of db 7"


def test_as_long_as_the_app(app: Atila) -> None:
    @app.provide(scope="app")
    async def pool(was: Was) -> AsyncIterator[str]:
        log.append("pool opened")
        yield "pool"
        log.append("pool closed")

    @app.provide(scope="app")
    def engine(pool: str) -> Iterator[str]:
        log.append("engine opened")
        yield f"engine of {pool}"
        log.append("engine closed")

    @app.on("startup")
    def started(was: Was, engine: str) -> None:
        log.append(f"startup {engine}")

    @app.on("shutdown")
    async def stopped(was: Was) -> None:
        log.append("shutdown")

    @app.route("/")
    def index(was: Was, engine: str) -> str:
        return engine

    with app.test_client() as client:
        assert [client.get("/").text for _ in range(2)] == ["engine of pool"] * 2
        opened = ["pool opened", "engine opened", "startup engine of pool"]
        assert log == opened
    assert log == [*opened, "shutdown", "engine closed", "pool closed"]
    log.clear()
    with app.override(engine="fake"), app.test_client() as client:
        assert client.get("/").text == "fake"


def test_a_startup_that_fails(app: Atila) -> None:
    @app.provide(scope="app")
    def engine() -> Iterator[str]:
        yield "engine"
        log.append("engine closed")

    @app.on("startup")
    def started(was: Was) -> None:
        raise ValueError("no database")

    app.route("/")(lambda was: "hello")
    with app.test_client() as client, pytest.raises(ValueError, match="no database") as caught:
        client.get("/")
    assert log == ["engine closed"]
    place = source_of(started)
    assert f"a function of @app.on('startup') ({place}), without" in caught.value.__notes__[0]


def test_a_provider_that_fails(app: Atila) -> None:
    @app.provide(scope="app")
    def pool() -> Iterator[str]:
        yield "pool"
        log.append("pool closed")

    @app.provide(scope="app")
    def cache(engine: str) -> str:
        return engine

    @app.provide(scope="app")
    def engine(pool: str) -> str:
        raise ConnectionError("no database")

    app.route("/")(lambda was: "hello")
    with app.test_client() as client, pytest.raises(ConnectionError) as caught:
        client.get("/")
    assert log == ["pool closed"]
    # The one that failed, not the one that needs it.
    assert caught.value.__notes__ == [
        f"Raised by the provider 'engine' ({source_of(engine)}), without which the app does not"
        " serve. Mend the error above; or, if the app can serve without, catch it there."
    ]


def test_a_provider_that_takes_long(
    app: Atila, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(start_steps, "SLOW_SECONDS", 0.01)

    @app.provide(scope="app")
    def engine() -> str:
        wait_until(lambda: "has run" in caplog.text, "the warning")
        return "engine"

    app.route("/")(lambda was, engine: engine)
    with app.test_client() as client:
        assert client.get("/").text == "engine"
    assert f"the provider 'engine' ({source_of(engine)}) has run for 0.01 s" in caplog.text
    assert caplog.text.count("has run") == 1


def test_a_clean_up_that_fails(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    @app.provide(scope="app")
    def pool() -> Iterator[str]:
        yield "pool"
        log.append("pool closed")

    @app.provide(scope="app")
    def engine(pool: str) -> Iterator[str]:
        yield "engine"
        raise ValueError("still in use")

    app.route("/")(lambda was, engine: engine)
    with app.test_client() as client:
        assert client.get("/").text == "engine"
    assert log == ["pool closed"]
    assert f"the clean-up of engine ({source_of(engine)}) failed" in caplog.text
    assert "still in use" in caplog.text


def test_events_and_pipes(app: Atila) -> None:
    @app.on("sold")
    def sold(was: Was, amount: int, session: str) -> None:
        log.append(f"{amount} {session}")

    @app.route("/sell")
    def sell(was: Was) -> str:
        app.emit("sold", 3)
        return ""

    @app.route("/inner")
    async def inner(was: Was, session: str) -> str:
        return session

    @app.route("/outer")
    async def outer(was: Was) -> Any:
        return await was.pipe(inner)

    with app.test_client() as client:
        client.get("/sell")
        ended("3 session of db")
        log.clear()
        assert client.get("/outer").text == "session of db"
        ended()


def test_documents_leave_them_out(app: Atila) -> None:
    @app.route("/", methods=["GET"])
    def index(was: Was, db: str, n: int = 1) -> str:
        return was.urlfor(index, n=2)

    app.config.OPENAPI_PATH = "/docs"
    with app.test_client() as client:
        document = client.get("/docs.json").json()
        assert [p["name"] for p in document["paths"]["/"]["get"]["parameters"]] == ["n"]
        assert client.get("/").text == "/?n=2"


def test_a_route_without_has_no_step(app: Atila) -> None:
    @app.route("/")
    def index(was: Was) -> str:
        return ""

    with app.test_client() as client:
        client.get("/")
        assert app.endpoint_of(app.routes[0]).handler is index
    assert log == []


class _Base:
    pass


class _Derived(_Base):
    pass


@pytest.mark.parametrize(
    ("made", "wanted", "fits"),
    [
        (int, str, False),
        (str, int, False),
        (_Base, dict, False),
        (dict[str, int], list[str], False),
        (int, str | None, False),
        (int, float, True),
        (int, int | None, True),
        (_Derived, _Base, True),
        (_Base, _Derived, True),
        (dict[str, int], Mapping[str, int], True),
        (Any, int, True),
        (int, Any, True),
        (None, str, False),
        (str | None, str, True),
        (Annotated[int, "x"], int, True),
    ],
)
@pytest.mark.parametrize("style", ["value", "generator", "async", "async generator"])
def test_what_is_provided_is_of_the_type_that_is_taken(
    app: Atila, made: Any, wanted: Any, fits: bool, style: str
) -> None:
    def value() -> Any:
        return None

    def generator() -> Any:
        yield None

    async def later() -> Any:
        return None

    async def generator_later() -> Any:
        yield None

    kinds = {"value": value, "async": later}
    maker: Any = kinds.get(style)
    if maker is not None:
        maker.__annotations__["return"] = made
    else:
        maker = generator if style == "generator" else generator_later
        outer = Iterator if style == "generator" else AsyncIterator
        maker.__annotations__["return"] = outer[made]

    def handler(was: Was, given: Any) -> str:
        return repr(given)

    handler.__annotations__["given"] = wanted
    app.provide(name="given")(maker)
    app.route("/")(handler)
    if fits:
        assert app.test_client().get("/").text == "None"
    else:
        with pytest.raises(
            SetupError, match=r"the handler takes 'given' as .*test_providers\.py:\d+"
        ):
            app.test_client().get("/")


def test_providers_of_wrong_types_for_each_other(app: Atila) -> None:
    @app.provide
    def name() -> str:
        return "x"

    @app.provide
    def other(name: int) -> int:
        return name

    with pytest.raises(SetupError, match="the provider 'other' takes 'name' as int"):
        app.test_client().get("/")
