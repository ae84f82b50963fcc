"""An app, seen through the in-process client."""

from __future__ import annotations

import asyncio
import threading

import pytest

from atila import Atila, HTTPError, SetupError
from atila.testing import TestClient
from atila.testing.waits import PATIENCE


@pytest.fixture
def app() -> Atila:
    # Whatever layers are installed beside, core is tested alone.
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


def test_text_bytes_and_nothing(app: Atila, client: TestClient) -> None:
    app.route("/text")(lambda was: "häl")
    app.route("/bytes")(lambda was: b"\x00\xff")
    app.route("/none")(lambda was: None)
    text, raw, none = client.get("/text"), client.get("/bytes"), client.get("/none")
    assert (text.content, text.headers) == (
        "häl".encode(),
        {"content-type": "text/html; charset=utf-8"},
    )
    assert (raw.content, raw.headers["content-type"]) == (b"\x00\xff", "application/octet-stream")
    assert (none.status_code, none.content, none.headers) == (204, b"", {})


def test_status_and_headers(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was):
        was.response.set_status("201 Created")
        was.response.add_header("X-A", "1")
        was.response.add_header("x-a", "2")
        was.response.set_header("Content-Type", "text/plain")
        was.response["X-B"] = "3"
        was.response.del_header("x-b")
        return "made"

    answer = client.get("/")
    assert answer.status_code == 201
    assert answer.header_list == [("x-a", "1"), ("x-a", "2"), ("content-type", "text/plain")]


def test_a_response_made_by_hand(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was):
        return was.response("202 Accepted", iter(["a", b"b"]), headers=[("Content-Type", "x/y")])

    answer = client.get("/")
    assert (answer.status_code, answer.headers, answer.text) == (202, {"content-type": "x/y"}, "ab")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\0b"])
def test_a_header_cannot_bring_others_with_it(app: Atila, client: TestClient, value: str) -> None:
    @app.route("/")
    def index(was):
        was.response.set_header("X-A", value)
        return ""

    answer = client.get("/")
    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers


def test_head_has_the_length_and_no_body(app: Atila, client: TestClient) -> None:
    app.route("/")(lambda was: "hello")
    answer = client.head("/")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "5", b"")


def test_options_tells_the_methods(app: Atila, client: TestClient) -> None:
    app.route("/a/<int:id>", methods=["get", "PUT"])(lambda was, id=0: "")
    for path in ("/a/1", "/a"):
        answer = client.options(path)
        assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, PUT")


def test_an_own_options_handler_goes_before_the_automatic_one(
    app: Atila, client: TestClient
) -> None:
    app.route("/a", methods=["GET"])(lambda was: "get")
    app.route("/a", methods=["OPTIONS"])(lambda was: "mine")
    assert client.options("/a").text == "mine"


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [("GET", "/none", 404), ("PUT", "/a", 405), ("TRACE", "/a", 405), ("GET", "/a/x", 404)],
)
def test_no_route(app: Atila, client: TestClient, method: str, url: str, status: int) -> None:
    app.route("/a", methods=["GET"])(lambda was: "")
    app.route("/a/<int:id>")(lambda was, id: "")
    answer = client.request(method, url)
    assert answer.status_code == status
    assert answer.json()["code"] == status
    assert answer.headers.get("allow") == ("GET, HEAD, OPTIONS" if status == 405 else None)


def test_a_missing_slash_at_the_end_is_added(app: Atila, client: TestClient) -> None:
    app.route("/a/")(lambda was: "")
    answer = client.get("/a?b=c")
    assert (answer.status_code, answer.headers["location"]) == (308, "./a/?b=c")
    assert client.get("//a").status_code == 404


def test_parameters_are_bound_to_the_signature(app: Atila, client: TestClient) -> None:
    @app.route("/u/<int:id>", methods=["GET", "POST"])
    def user(was, id, q="none", tag=None):
        assert was.request.args["id"] == id
        return f"{id!r} {q!r} {tag!r}"

    assert client.get("/u/7").text == "7 'none' None"
    assert client.get("/u/7?q=a+b&tag=%C3%BC&tag=2").text == "7 'a b' ['ü', '2']"
    assert client.post("/u/7?q=query", {"q": "form"}).text == "7 'form' None"
    assert client.post("/u/7", json={"id": 8, "tag": {"a": 1}}).text == "8 'none' {'a': 1}"


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("/u", {}, "parameter 'name' is required"),
        ("/u?name=a&x=1", {}, "unknown parameter 'x'; known are name, age"),
        ("/u?name=%ff", {}, "percent-encoded UTF-8"),
        ("/u?" + "a=1&" * 2000, {}, "more than 1000 fields"),
        ("/u", {"data": b"{", "headers": {"content-type": "application/json"}}, "not valid JSON"),
        (
            "/u",
            {"data": b"[" * 100_000, "headers": {"content-type": "application/json"}},
            "not valid JSON",
        ),
        (
            "/u",
            {"data": b"\xff", "headers": {"content-type": "application/x-www-form-urlencoded"}},
            "not UTF-8",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    app: Atila, client: TestClient, url: str, options: dict, words: str
) -> None:
    app.route("/u")(lambda was, name, age=0: "")
    answer = client.post(url, **options)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_any_parameters(app: Atila, client: TestClient) -> None:
    app.route("/any")(lambda was, name, **DATA: f"{name} {DATA}")
    app.route("/self")(lambda was: str(was.request.args))
    assert client.get("/any?name=a&b=1").text == "a {'b': '1'}"
    assert client.get("/self?b=1").text == "{'b': '1'}"


def test_a_body_too_large_or_of_a_wrong_type(app: Atila, client: TestClient) -> None:
    app.config.MAX_UPLOAD_SIZE = 10
    app.route("/a", content_types=["text/xml"])(lambda was: was.request.get_body())
    xml = {"content-type": "Text/XML; charset=utf-8"}
    assert client.post("/a", b"<a/>", headers=xml).content == b"<a/>"
    assert client.post("/a", b"<a>12345678</a>", headers=xml).status_code == 413
    assert client.post("/a", b"<a/>", headers={"content-type": "text/html"}).status_code == 415


def test_hooks_in_their_order(app: Atila, client: TestClient) -> None:
    calls: list[str] = []
    over = threading.Semaphore(0)
    app.before_request(lambda was: calls.append("before"))
    app.failed_request(lambda was, exc_info: calls.append(exc_info[0].__name__))
    app.teardown_request(lambda was: (calls.append("teardown"), over.release()))

    @app.finish_request
    def finish(was, response):
        was.response.add_header("X-Custom", "1")
        return response + "!"

    @app.route("/")
    def index(was):
        calls.append("handler")
        return "a"

    @app.route("/async")
    async def later(was):
        await asyncio.sleep(0)
        calls.append("handler")
        return "b"

    @app.route("/bad")
    def bad(was):
        raise LookupError

    for url, text in (("/", "a!"), ("/async", "b!")):
        calls.clear()
        answer = client.get(url)
        assert (answer.text, answer.headers["x-custom"]) == (text, "1")
        assert over.acquire(timeout=PATIENCE)
        assert calls == ["before", "handler", "teardown"]
    calls.clear()
    assert client.get("/bad").status_code == 500
    assert over.acquire(timeout=PATIENCE)
    assert calls == ["before", "LookupError", "teardown"]


def test_a_hook_before_can_answer_or_refuse(app: Atila, client: TestClient) -> None:
    @app.before_request
    def check(was):
        if was.request.get_header("X-Stop") == "answer":
            return "stopped"
        if was.request.get_header("x-stop") == "refuse":
            raise was.Error("403 Forbidden", "not you", 40301)

    app.route("/")(lambda was: "went on")
    assert client.get("/").text == "went on"
    assert client.get("/", headers={"x-stop": "answer"}).text == "stopped"
    refused = client.get("/", headers={"x-stop": "refuse"})
    assert refused.status_code == 403
    assert {**refused.json(), "request_id": ""} == {
        "code": 403,
        "message": "Forbidden",
        "detail": "not you",
        "errno": 40301,
        "request_id": "",
    }


def test_an_error_page_fits_the_client_and_is_escaped(app: Atila, client: TestClient) -> None:
    @app.route("/")
    def index(was, text):
        raise HTTPError(400, text)

    page = client.get("/?text=<script>", headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert client.get("/?text=<script>").json()["detail"] == "<script>"


def test_an_unexpected_error_is_logged_under_the_id_that_the_client_gets(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.route("/")
    def index(was):
        raise RuntimeError("secret detail")

    answer = client.get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] in caplog.text
    assert "RuntimeError: secret detail" in caplog.text
    mine = client.get("/", headers={"X-Request-Id": "mine-1"}).json()["request_id"]
    hostile = client.get("/", headers={"X-Request-Id": "a\nb"}).json()["request_id"]
    assert mine == "mine-1"
    assert "\n" not in hostile


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), KeyboardInterrupt()])
def test_no_handler_can_end_the_server(app: Atila, client: TestClient, error) -> None:
    def fail(was):
        raise error

    async def fail_later(was):
        await asyncio.sleep(0)
        raise error

    async def generate(was):
        yield "a"

    @app.route("/pieces")
    def pieces(was):
        return map(fail, [was])

    app.route("/")(fail)
    app.route("/fine")(generate)
    assert client.get("/").status_code == 500
    app.route("/later")(fail_later)
    assert client.get("/later").status_code == 500
    assert client.get("/pieces").status_code in (200, 500)
    assert client.get("/fine").text == "a"


def test_what_is_under_way_is_cancelled_with_its_request(app: Atila) -> None:
    from atila.testing.exchange import TestExchange

    left, cancelled = asyncio.Event(), threading.Event()

    class Leaving(TestExchange):
        def departure(self) -> asyncio.Future[object]:
            return asyncio.get_running_loop().create_task(left.wait())

    @app.route("/")
    async def wait(was):
        was.on_cancel(cancelled.set)
        left.set()
        await asyncio.Event().wait()

    exchange = Leaving("GET", "/", [], b"", None)
    app.site.start(app.site.open(exchange))
    assert cancelled.wait(PATIENCE)
    assert exchange.answers.get(timeout=PATIENCE).status_code == 499


def test_own_error_pages(app: Atila, client: TestClient) -> None:
    app.error_handler(404)(lambda was, error: f"no {error.url}")
    app.default_error_handler(lambda was, error: f"{error.code} {error.detail}")
    app.route("/bad", methods=["GET"])(lambda was: 1 / 0)
    page = {"accept": "text/html"}
    answer = client.get("/x", headers=page)
    assert (answer.text, answer.status_code) == ("no /x", 404)
    assert client.get("/bad", headers=page).text == "500 the server could not process this request"
    assert client.post("/bad", headers=page).text == "405 "


def test_errors_by_key_as_by_attribute(app: Atila, client: TestClient) -> None:
    found: list[dict[str, object]] = []

    @app.default_error_handler
    def failed(was, error):
        found.append({**error})
        assert dict(error) == found[-1]
        assert [error[name] for name in error] == [getattr(error, name) for name in error.keys()]  # noqa: SIM118
        assert ("code" in error, "mode" in error, 0 in error) == (True, False, False)
        assert (error.get("errno"), error.get("mode"), error.get("mode", 7)) == (9, None, 7)
        with pytest.raises(KeyError, match="an error has no 'mode'; it has code, message, detail"):
            error["mode"]
        return f"{error['code']} {error['message']}: {error['detail']}"

    @app.route("/raises")
    def raises(was):
        raise HTTPError("418 Teapot", "short", 9)

    page = {"accept": "text/html"}
    assert client.get("/raises?x=1", headers=page).text == "418 Teapot: short"
    assert found[0].pop("time")
    assert found == [
        {"code": 418, "message": "Teapot", "detail": "short", "errno": 9, "url": "/raises"}
    ]


def test_a_stream_that_yields_what_it_should_wait_for(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Later:
        def __await__(self): ...

    @app.route("/generator")
    def generator(was):
        yield Later()

    @app.route("/number")
    def number(was):
        yield 7

    assert client.get("/generator").status_code == client.get("/number").status_code == 500
    assert "not Later: a handler that yields what it waits for is a coroutine" in caplog.text
    assert "must be str or bytes, not int\n" in caplog.text


@pytest.mark.parametrize("accept", ["application/json", "*/*", None])
def test_own_error_pages_are_for_browsers(app: Atila, client: TestClient, accept) -> None:
    @app.error_handler(404)
    def not_found(was, error):
        was.response["Content-Type"] = "text/html"
        return was.response("410 Gone", "page")

    @app.error_handler(405)
    async def not_allowed(was, error):
        return "page"

    @app.error_handler(500)
    def failed(was, error):
        was.response["Content-Type"] = "text/plain"
        return "no page"

    app.route("/bad", methods=["GET"])(lambda was: 1 / 0)
    headers = {} if accept is None else {"accept": accept}
    answer = client.get("/x", headers=headers)
    assert answer.json()["code"] == 404
    assert answer.headers["content-type"] == "application/json"
    assert client.post("/bad", headers=headers).json()["code"] == 405
    assert client.get("/bad", headers=headers).text == "no page"


def test_an_error_page_that_fails_leaves_a_plain_one(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.error_handler(404)(lambda was, error: 1 / 0)
    assert client.get("/x").json()["code"] == 404
    assert "ZeroDivisionError" in caplog.text


def test_streams_of_all_kinds(app: Atila, client: TestClient, tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes(b"file")

    @app.route("/generator")
    def generator(was):
        yield "a"
        yield b"b"

    @app.route("/agen")
    async def agen(was):
        yield "c"
        await asyncio.sleep(0)
        yield b"d"

    app.route("/iterator")(lambda was: iter(["e", "f"]))
    app.route("/open")(lambda was: (tmp_path / "a.txt").open("rb"))
    app.route("/file")(lambda was: was.File(tmp_path / "a.txt"))
    app.route("/none")(lambda was: iter(()))
    got = {url: client.get(url) for url in ("/generator", "/agen", "/iterator", "/open", "/file")}
    assert [answer.text for answer in got.values()] == ["ab", "cd", "ef", "file", "file"]
    assert got["/file"].headers["content-type"] == "text/plain; charset=utf-8"
    assert got["/file"].headers["content-length"] == "4"
    assert (client.get("/none").status_code, client.get("/none").content) == (200, b"")


def test_a_stream_that_fails_later_is_incomplete_and_earlier_is_an_error(
    app: Atila, client: TestClient
) -> None:
    closed = threading.Event()

    @app.route("/later")
    def later(was):
        try:
            yield "a"
            raise LookupError
        finally:
            closed.set()

    @app.route("/earlier")
    def earlier(was):
        raise was.Error(409)
        yield "a"

    answer = client.get("/later")
    assert (answer.status_code, answer.text, answer.complete) == (200, "a", False)
    assert closed.wait(PATIENCE)
    assert client.get("/earlier").status_code == 409


def test_a_streamed_body_is_read_by_the_handler(app: Atila, client: TestClient) -> None:
    @app.route("/", methods=["POST"], input_stream=True)
    async def upload(was):
        sizes = []
        while piece := await was.Input(4):
            sizes.append(len(piece))
        return str(sizes)

    assert client.post("/", b"1234567890").text == "[4, 4, 2]"


def test_what_is_no_answer_fails_with_advice(
    app: Atila, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.route("/")(lambda was: object())
    assert client.get("/").status_code == 500
    assert "a handler returned object" in caplog.text


def test_an_app_is_mounted_once(app: Atila) -> None:
    from atila import Mount, Site

    Site([Mount("/", app)])
    with pytest.raises(SetupError, match="mounted already"):
        Site([Mount("/", app)])


def test_several_apps_at_their_mount_points() -> None:
    from atila import Mount, Site

    none = dict.fromkeys(("auth", "render", "tasks", "ws"))
    one, two, three = (Atila(name, layers=none) for name in ("one", "two", "three"))
    for each in (one, two, three):
        each.route("/")(lambda was, a=each: a.import_name)
        each.route("")(lambda was, a=each: f"bare {a.import_name}") if each is not one else None
    Site([Mount("/", one), Mount("/shop", two), Mount("/shop/cart", three)])
    client = one.test_client()
    texts = {
        "/": "one", "/shop": "bare two", "/shop/": "two",
        "/shop/cart": "bare three", "/shop/cart/": "three",
    }  # fmt: skip
    assert {url: client.get(url).text for url in texts} == texts
    assert client.get("/shopping").status_code == 404


@pytest.mark.parametrize("points", [("/a", "/a/"), ("/", "")])
def test_two_apps_at_one_point_are_told(points: tuple[str, str]) -> None:
    from atila import Mount, Site

    with pytest.raises(SetupError, match="two apps are mounted on"):
        Site([Mount(point, Atila(point)) for point in points])


@pytest.mark.parametrize(
    ("handler", "rule", "words"),
    [
        (lambda: "", "/", "must take the request's context first"),
        (lambda was, *args: "", "/", "parameters are given by name"),
        (lambda was: "", "/<id>", r"has <id>, which <lambda> does not take"),
        (lambda was: "", "x", "must begin with a slash"),
    ],
)
def test_a_bad_handler_is_told_at_mount_with_its_place(
    app: Atila, handler, rule: str, words: str
) -> None:
    app.route(rule)(handler)
    with pytest.raises(SetupError, match=words) as caught:
        app.test_client().get("/")
    assert "test_app.py:" in str(caught.value)


def test_an_unknown_option_is_told_at_once(app: Atila) -> None:
    with pytest.raises(SetupError, match=r"test_app.py:\d+: there is no option 'colour'"):
        app.route("/", colour="red")(lambda was: "")


def test_params_are_those_of_the_rule_as_the_handler_gets_them(
    app: Atila, client: TestClient
) -> None:
    @app.route("/users/<id>", methods=["GET", "POST"])
    def users(was, id=None, **others):
        assert was.request.PARAMS.get("id") == id
        return " ".join(sorted(was.request.PARAMS))

    assert client.get("/users").text == ""
    assert client.get("/users/7?a=1").text == "id"
    assert client.get("/users?id=7").text == "id"
    assert client.post("/users/7", {"id": "8", "b": "1"}).text == "id"
    # What the path could not give is refused.
    assert client.post("/users/7", json={"id": [8]}).status_code == 400


def test_an_error_of_a_property_is_no_missing_layer() -> None:
    class Broken(Atila):
        @property
        def site(self):
            return self.sight.first

        @property
        def sight(self):
            return None

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'first'"):
        Broken(__name__).site


def test_a_client_that_was_never_used_mounts_nothing() -> None:
    app = Atila(__name__)
    mounted = []
    app.on("mounted")(lambda was: mounted.append(1))
    with app.test_client():
        pass
    assert mounted == []
    with app.test_client() as client:
        client.get("/")
    assert mounted == [1]
