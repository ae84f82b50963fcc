"""Layers: found, chosen, left out, in conflict; and what a layer adds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from atila import PROTOCOL, Atila, Layer, MissingLayer, Parts, SetupError, Steps, Was, made
from atila.known_layers import KNOWN, Known
from atila.layers import preload

NONE = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make distributions appear as installed: a module with a layer, and its metadata."""

    def make(distribution: str, layer: str, code: str = "", protocol: int = PROTOCOL) -> None:
        module = distribution.replace("-", "_")
        origin = f"class Names:\n    origin = {distribution!r}\n"
        source = code or f"{origin}layer = Layer({layer!r}, {protocol}, was=Names)"
        (tmp_path / f"{module}.py").write_text(f"from atila import Layer\n{source}\n")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[atila.layers]\n{layer} = {module}:layer\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    monkeypatch.syspath_prepend(tmp_path)
    return make


def origin(app: Atila) -> str:
    app.route("/")(lambda was: was.origin)
    return app.test_client().get("/").text


def test_an_installed_layer_is_found(install) -> None:
    install("colour-one", "colour")
    assert origin(Atila(__name__, layers=NONE)) == "colour-one"


def test_two_of_one_name_are_a_conflict_until_one_is_chosen(install) -> None:
    install("colour-one", "colour")
    install("colour-two", "colour")
    with pytest.raises(SetupError) as caught:
        Atila(__name__, layers=NONE)
    for words in ("colour-one", "colour-two", 'Atila(__name__, layers={"colour": "colour-two"})'):
        assert words in str(caught.value)
    assert origin(Atila(__name__, layers={**NONE, "colour": "colour-two"})) == "colour-two"


def test_only_layers_of_this_project_are_imported_in_advance(install, monkeypatch) -> None:
    for name in ("colour", "shape"):
        install(f"{name}-one", name)
    install("broken-one", "broken", "raise RuntimeError")
    for name in ("colour", "broken"):
        monkeypatch.setitem(KNOWN, name, Known(f"{name}-one"))
    preload()
    assert ("colour_one" in sys.modules, "shape_one" in sys.modules) == (True, False)


def test_a_layer_is_left_out(install) -> None:
    install("colour-one", "colour")
    app = Atila(__name__, layers={**NONE, "colour": None})
    assert app.layers == {}


def test_a_layer_is_given_as_a_value() -> None:
    class Names:
        origin = "value"

    layer = Layer("colour", PROTOCOL, was=Names)
    assert origin(Atila(__name__, layers={**NONE, "colour": layer})) == "value"
    assert repr(layer).startswith(f"Layer(name='colour', protocol={PROTOCOL}")


@pytest.mark.parametrize(
    ("layer", "code", "protocol", "words"),
    [
        ("colour", "", PROTOCOL + 1, "written for layer protocol 3, this atila-core speaks 2"),
        ("colour", "", PROTOCOL + 1, "pip install -U atila-core"),
        ("colour", "", PROTOCOL - 1, "written for layer protocol 1, this atila-core speaks 2"),
        ("colour", "", PROTOCOL - 1, "pip install -U colour-one"),
        ("colour", "layer = Layer('colour', 2, was={'a': 1})", 2, "was={'a': 1}; it must be a"),
        ("colour", "layer = 7", PROTOCOL, "is no atila.Layer but int"),
        ("colour", "layer = Layer('other', 2)", PROTOCOL, "calls itself 'other'"),
        ("colour", "import nowhere", PROTOCOL, "cannot be imported: No module named 'nowhere'"),
        ("colour", "import atila.gone", PROTOCOL, "Mend: pip install -U colour-one atila-core"),
        ("colour", "from atila.was import Gone", PROTOCOL, " (colour-one 1.0 beside atila-core "),
    ],
)
def test_a_bad_layer_is_told(install, layer: str, code: str, protocol: int, words: str) -> None:
    install("colour-one", layer, code, protocol)
    with pytest.raises(SetupError) as caught:
        Atila(__name__, layers=NONE)
    assert words in str(caught.value)
    assert "colour-one" in str(caught.value)


def test_a_choice_that_is_not_installed_is_told() -> None:
    with pytest.raises(
        SetupError, match=r"which is not installed or has no such layer.*pip install my-auth"
    ):
        Atila(__name__, layers={**NONE, "auth": "my-auth"})


def test_two_layers_that_add_one_name_are_told() -> None:
    layers = {n: Layer(n, PROTOCOL, was=type(n, (), {"same": 1})) for n in ("a", "b")}
    with pytest.raises(SetupError, match="'a' and 'b' both add 'same' to was"):
        Atila(__name__, layers={**NONE, **layers})


@pytest.mark.parametrize(
    ("part", "given"),
    [
        ("config", {"SAME": 1}),
        ("responders", {complex: str}),
        ("request", type("Names", (), {"same": 1})),
        ("app", type("Names", (), {"_same": 1})),
        ("mount", lambda app: Parts(calls={"text/call": lambda *_: None})),
    ],
)
def test_two_layers_that_add_the_same_are_told(part: str, given: Any) -> None:
    layers = {n: Layer(n, PROTOCOL, **{part: given}) for n in ("a", "b")}
    if isinstance(given, type):
        layers["b"] = Layer("b", PROTOCOL, **{part: type("Others", (given,), {})})
    with pytest.raises(SetupError, match="the layers 'a' and 'b' both add"):
        Atila(__name__, layers={**NONE, **layers}).site


@pytest.mark.parametrize(
    ("name", "layer"),
    [("render", "render"), ("API", "render"), ("Thread", "tasks"), ("session", "auth")],
)
def test_a_name_of_an_absent_layer_says_what_to_install(name: str, layer: str) -> None:
    app = Atila(__name__, layers=NONE)
    caught: list[MissingLayer] = []

    @app.route("/")
    def index(was):
        try:
            getattr(was, name)
        except MissingLayer as error:
            caught.append(error)
            raise

    assert app.test_client().get("/").status_code == 500
    text = str(caught[0])
    assert f"was.{name} belongs to the layer {layer!r} ({KNOWN[layer].distribution})" in text
    assert f'pip install "atila-core[{layer}]"' in text


def test_a_decorator_and_an_option_of_an_absent_layer_say_what_to_install() -> None:
    app = Atila(__name__, layers=NONE)
    with pytest.raises(MissingLayer, match=r'app.websocket .* pip install "atila-core\[ws\]"'):
        app.websocket
    with pytest.raises(SetupError, match=r"test_layers.py:\d+: option 'coroutine' belongs"):
        app.route("/", coroutine=True)(lambda was: "")
    with pytest.raises(AttributeError, match=r"there is no app\.nonsense"):
        app.nonsense
    assert not hasattr(app, "nonsense")


def test_what_a_layer_can_add() -> None:
    count: list[int] = []

    class OfWas:
        made = made(lambda was: count.append(1) or len(count))

        def loud(self, word: str) -> str:
            return f"{self.request.method} {word}!"

    class OfApp:
        opened = made(lambda app: [app])

        def volume(self, value: int) -> Any:
            return self, value

        @property
        def size(self) -> int:
            return self.__dict__.get("_size", 3)

        @size.setter
        def size(self, value: int) -> None:
            self.__dict__["_size"] = value

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    def compile_route(route, app):
        if "shout" not in route.options:
            return None
        return Steps(
            before=[lambda was: "early" if was.request.get_header("x-early") else None],
            after=[lambda was, value: value + "!"],
            headers=lambda was: [("x-layer", "here")],
            wrap=lambda handler: lambda was, **params: handler(was, **params).upper(),
        )

    layer = Layer(
        "shout",
        PROTOCOL,
        was=OfWas,
        app=OfApp,
        config={"SHOUT": 7},
        options=frozenset({"shout"}),
        compile=compile_route,
        responders={Point: lambda was, point: f"x={point.x}"},
    )
    app = Atila(__name__, layers={**NONE, "shout": layer})
    app.route("/loud", shout=True)(lambda was, word="": word or 1 / 0)
    app.route("/quiet")(lambda was, word: word)
    app.route("/point")(lambda was: Point(5))
    app.route("/made")(lambda was: f"{was.made} {was.made}")
    app.route("/method")(lambda was: was.loud("a"))
    client = app.test_client()

    loud = client.get("/loud?word=a")
    assert (loud.text, loud.headers["x-layer"]) == ("A!", "here")
    assert client.get("/loud?word=a", headers={"x-early": "1"}).text == "early!"
    failed = client.get("/loud")
    assert (failed.status_code, failed.headers["x-layer"]) == (500, "here")
    quiet = client.get("/quiet?word=a")
    assert (quiet.text, "x-layer" in quiet.headers) == ("a", False)
    assert client.get("/point").text == "x=5"
    # Once per request, at the first use.
    assert client.get("/made").text == "1 1"
    assert client.get("/made").text == "2 2"
    assert client.get("/method").text == "GET a!"
    assert app.volume(1) == (app, 1)
    assert app.opened is app.opened
    assert app.size == 3
    app.size = 4
    assert app.size == 4
    assert app.config.SHOUT == 7
    assert isinstance(app, OfApp)
    assert (type(app).__name__, repr(app)[:7]) == ("Atila", "<Atila ")


def test_a_route_that_no_layer_wants_has_no_steps() -> None:
    layer = Layer("idle", PROTOCOL, compile=lambda route, app: None)
    app = Atila(__name__, layers={**NONE, "idle": layer})
    app.route("/")(lambda was: "")
    endpoint = app.site.open(_exchange()).endpoint
    assert (endpoint._before, endpoint._after, endpoint.headers) == (None, None, ())


def _exchange():
    from atila.testing.exchange import TestExchange

    return TestExchange("GET", "/", [], b"", None)


def test_names_of_the_request() -> None:
    class Names:
        colour = made(lambda request: [request.args["c"]])

    layer = Layer("colour", PROTOCOL, request=Names)
    app = Atila(__name__, layers={**NONE, "colour": layer})

    @app.route("/")
    def index(was, c):
        assert was.request.colour is was.request.colour
        return was.request.colour[0]

    assert app.test_client().get("/?c=red").text == "red"


def test_a_name_of_the_request_that_no_layer_has(caplog: pytest.LogCaptureFixture) -> None:
    app = Atila(__name__, layers=NONE)
    app.route("/")(lambda was, name: str(getattr(was.request, name)))
    client = app.test_client()
    assert client.get("/?name=session").status_code == 500
    assert "was.request.session belongs to the layer 'auth' (atila-auth)" in caplog.text
    assert client.get("/?name=colour").status_code == 500
    assert "there is no was.request.colour" in caplog.text


def test_a_field_of_a_layer_is_no_parameter_of_a_handler() -> None:
    def compile_route(route, app):
        return Steps(fields=frozenset({"_token"})) if route.rule != "/strict" else None

    layer = Layer("colour", PROTOCOL, compile=compile_route)
    app = Atila(__name__, layers={**NONE, "colour": layer})
    app.route("/")(lambda was, a: f"{a} {was.request.args}")
    app.route("/own")(lambda was, a, _token: f"{a} {_token}")
    app.route("/strict")(lambda was, a: a)
    client = app.test_client()
    assert "unknown parameter '_token'" in client.get("/strict?a=1&_token=x").text
    assert client.get("/?a=1&_token=x").text == "1 {'a': '1', '_token': 'x'}"
    assert client.get("/own?a=1&_token=x").text == "1 x"
    assert "unknown parameter 'b'" in client.get("/?a=1&b=2&_token=x").text
    assert "parameter 'a' is required" in client.get("/?_token=x").text


def test_what_a_program_without_an_app_imports(install) -> None:
    install("colour-one", "colour", "layer = Layer('colour', 2, exports={'mix': lambda a: a + 1})")
    from atila.was import mix

    assert mix(1) == 2
    with pytest.raises(ImportError, match="cannot import name 'stir'"):
        from atila.was import stir  # noqa: F401


def test_an_import_of_an_absent_layer_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("atila.entries.installed", lambda group: ())
    with pytest.raises(ImportError, match=r'pip install "atila-core\[auth\]"'):
        from atila.was import generate_otp  # noqa: F401


def test_headers_that_are_known_only_at_the_head() -> None:
    app = Atila(__name__, layers=NONE)

    @app.route("/<kind>")
    def index(was, kind):
        seen = ["first"]
        was.response.on_headers(lambda: [("x-seen", " ".join(seen))])
        seen.append("last")
        if kind == "refused":
            raise was.Error(403)
        if kind == "failed":
            raise RuntimeError
        if kind == "nothing":
            return None
        return iter(["a"]) if kind == "stream" else "a"

    client = app.test_client()
    for kind in ("text", "nothing", "stream", "refused"):
        assert client.get(f"/{kind}").headers["x-seen"] == "first last"
    # What it was about to tell the client is given up with all else.
    assert "x-seen" not in client.get("/failed").headers


def test_headers_that_cannot_be_made_fail_the_request() -> None:
    app = Atila(__name__, layers=NONE)

    @app.route("/")
    def index(was):
        was.response.on_headers(lambda: 1 / 0)
        return "a"

    assert app.test_client().get("/").status_code == 500


def test_headers_of_refusals() -> None:
    seen = []

    def mount(app: Atila) -> Parts:
        seen.append([endpoint.route.rule for endpoint in app.endpoints])
        return Parts(headers=lambda was: [("x-refused", was.exchange.method)])

    layer = Layer("colour", PROTOCOL, mount=mount)
    app = Atila(__name__, layers={**NONE, "colour": layer})
    app.route("/", methods=["GET"])(lambda was: "a")
    client = app.test_client()
    for method, url, status in (("GET", "/none", 404), ("POST", "/", 405), ("PUT", "/", 405)):
        answer = client.request(method, url)
        assert (answer.status_code, answer.headers["x-refused"]) == (status, method)
    assert "x-refused" not in client.get("/").headers
    # Asked once, when all routes are compiled.
    assert seen == [["/"]]


def test_a_layer_without_headers_of_refusals_costs_nothing() -> None:
    layer = Layer("colour", PROTOCOL, mount=lambda app: None)
    app = Atila(__name__, layers={**NONE, "colour": layer})
    assert app.test_client().get("/none").status_code == 404
    assert app.rejection.headers == ()


# Of another protocol ----------------------------------------------------------------------------

PROTOCOL_1 = """from atila import Steps
from atila.layers import names_of


class ColoursOfWas:
    colour: str

    def paint(was):
        return was.colour


layer = Layer(
    name="colour",
    protocol=1,
    was={"colour": lambda was: "red"},
    methods=names_of(ColoursOfWas),
    app={"on_paint": print},
    launch={"COLOUR_BLUE": 7},
    fields=frozenset({"_token"}),
    calls=lambda app: {},
    begin=lambda site: None,
    refusal_headers=lambda app: None,
)"""


def test_a_whole_layer_of_protocol_1_is_refused_by_its_number(install) -> None:
    install("colour-one", "colour", PROTOCOL_1)
    with pytest.raises(SetupError) as caught:
        Atila(__name__, layers=NONE)
    assert str(caught.value) == (
        "the layer 'colour' of colour-one (entry point colour = colour_one:layer) is written for"
        " layer protocol 1, this atila-core speaks 2. Mend: pip install -U colour-one"
    )
    assert Atila(__name__, layers={**NONE, "colour": None}).layers == {}


def test_parts_of_protocol_1_in_a_layer_of_this_one() -> None:
    with pytest.raises(SetupError, match=r"layers.py:\d+: .* begin=, .* returns Parts\(serve="):
        Layer("colour", PROTOCOL, begin=print)
    with pytest.raises(TypeError, match="nonsense"):
        Layer("colour", PROTOCOL, nonsense=1)


def test_a_layer_of_protocol_1_that_is_given_as_a_value() -> None:
    layer = Layer("colour", 1, methods={})
    with pytest.raises(SetupError, match=r"protocol 1, .* speaks 2. Mend: write it for layer .* 2"):
        Atila(__name__, layers={**NONE, "colour": layer})


# The classes of a layer -------------------------------------------------------------------------


class Painted(Was):
    """What a layer adds may be derived from the context, for its types."""

    def paint(self, what: str) -> str:
        return f"{what} by {self._painter()}"

    def _painter(self) -> str:
        return self.request.method


class Framed:
    def paint_twice(self, what: str) -> str:
        return self.paint(self.paint(what))


def test_a_class_of_a_layer_may_have_bases_and_helpers() -> None:
    layers = {
        "paint": Layer("paint", PROTOCOL, was=Painted),
        "frame": Layer("frame", PROTOCOL, was=Framed),
    }
    app = Atila(__name__, layers={**NONE, **layers})
    seen: list[bool] = []

    @app.route("/")
    def index(was):
        seen.append(isinstance(was, Painted) and isinstance(was, Framed))
        return was.paint_twice("box")

    assert app.test_client().get("/").text == "box by GET by GET"
    assert seen == [True]


class OfApps:
    def add_colour(self, name: str) -> str:
        return f"layer {name}"


class Shop(Atila, OfApps):
    def add_colour(self, name: str) -> str:
        return f"shop {name}, {super().add_colour(name)}"


def test_the_app_of_a_user_may_have_the_class_of_a_layer_as_a_base() -> None:
    layer = Layer("colour", PROTOCOL, app=OfApps)
    app = Shop(__name__, layers={**NONE, "colour": layer})
    assert app.add_colour("red") == "shop red, layer red"
    assert type(app).__qualname__ == "Shop"
    app = Atila(__name__, layers={**NONE, "colour": layer})
    assert app.add_colour("red") == "layer red"
    assert not hasattr(Atila, "add_colour")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("was", "redirect"),
        ("was", "_args"),
        ("was", "__init__"),
        ("request", "user"),
        ("request", "args"),
        ("app", "route"),
        ("app", "routes"),
    ],
)
def test_a_name_of_the_framework_is_not_for_layers(part: str, name: str) -> None:
    layer = Layer("colour", PROTOCOL, **{part: type("Names", (), {name: print})})
    with pytest.raises(
        SetupError, match=rf"'colour' adds '{name}' to {part}, .* leave .* of Names in"
    ):
        Atila(__name__, layers={**NONE, "colour": layer})


def test_one_value_has_one_name() -> None:
    with pytest.raises((TypeError, RuntimeError)) as caught:
        type("Names", (), {"a": (value := made(str)), "b": value})
    assert "write two" in str(caught.value.__cause__ or caught.value)


# What a layer adds to an app as a whole ---------------------------------------------------------


def test_the_security_of_a_route_is_told() -> None:
    def compile_route(route, app):
        return Steps(security=route.options.get("lock", ""))

    layer = Layer("lock", PROTOCOL, options=frozenset({"lock"}), compile=compile_route)
    app = Atila(__name__, layers={**NONE, "lock": layer})
    app.route("/a", methods=["GET"], lock="negotiate")(lambda was: "")
    app.route("/b", methods=["GET"])(lambda was: "")
    app.config.OPENAPI_PATH = "/openapi"
    document = app.test_client().get("/openapi.json").json()
    assert document["paths"]["/a"]["get"]["security"] == [{"negotiate": []}]
    assert "security" not in document["paths"]["/b"]["get"]
    assert list(document["components"]["securitySchemes"]) == ["negotiate"]
