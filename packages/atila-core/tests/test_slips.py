"""Names and values that are nearly right: what is said, where, and what was meant."""

from __future__ import annotations

import copy
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import skitai

from atila import Atila, Layer, SetupError
from atila.app.settings import SETTINGS, Config, Setting
from atila.errors import collect_errors, nearest
from atila.launch import run_options, script

NO_LAYERS = {"auth": None, "tasks": None, "render": None, "ws": None}


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__, layers=NO_LAYERS)
    yield app
    if app._site is not None:
        app.site.shutdown(5)


def line_of(text: str) -> int:
    """The one line of this file that ends with a text."""
    lines = enumerate(Path(__file__).read_text().splitlines(), 1)
    (number,) = (number for number, line in lines if line.endswith(text))
    return number


def problem(app: Atila) -> SetupError:
    with pytest.raises(SetupError) as error:
        app.test_client().get("/")
    return error.value


# Settings ---------------------------------------------------------------------------------------


def test_a_misspelt_setting_says_where_and_what_was_meant(app: Atila) -> None:
    app.config.MAX_FIELD = 10  # here it is
    found = problem(app)
    assert found.source == f"{__file__}:{line_of('# here it is')}"
    assert found.problem.startswith("there is no setting 'MAX_FIELD'; did you mean 'MAX_FIELDS'?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("METRICS", "METRICS_PATH"),
        ("HEALTH", "HEALTH_PATH"),
        ("OPENAPI", "OPENAPI_PATH"),
        ("threads", "THREADS"),
        ("Max_Body_Size", "MAX_BODY_SIZE"),
        ("TRUSTED_PROXYS", "TRUSTED_PROXIES"),
        ("SHUTDOWN_TIMOUT", "SHUTDOWN_TIMEOUT"),
        ("STATIC_RROT", "STATIC_ROOT"),
    ],
)
@pytest.mark.parametrize("how", ["attribute", "key", "update", "setdefault", "|="])
def test_however_a_setting_is_set(app: Atila, name: str, meant: str, how: str) -> None:
    match how:
        case "attribute":
            setattr(app.config, name, 1)
        case "key":
            app.config[name] = 1
        case "update":
            app.config.update({name: 1})
        case "setdefault":
            app.config.setdefault(name, 1)
        case "|=":
            app.config |= {name: 1}
    found = problem(app)
    assert f"did you mean {meant!r}?" in found.problem
    assert found.source.startswith(__file__)


def test_settings_of_the_apps_own_are_none_of_ours(app: Atila) -> None:
    names = "MY_OWN MAX_ORDERS DATABASE_URL SMTP_PORT PATH x MAX STATIC TIMEOUT"
    for name in names.split():
        app.config[name] = object()
    app.route("/")(lambda was: "fine")
    assert app.test_client().get("/").text == "fine"


WRONG: list[tuple[str, Any, str]] = [
    ("THREADS", "many", "a number from 1"),
    ("THREADS", 0, "a number from 1"),
    ("THREADS", True, "a number from 1"),
    ("THREADS", 2.5, "a number from 1"),
    ("SPARE_THREADS", -1, "a number from 0"),
    ("QUEUE_SIZE", None, "a number from 1"),
    ("MAX_FIELDS", "1000", "a number from 1"),
    ("SHUTDOWN_TIMEOUT", "30", "a number of seconds"),
    ("SHUTDOWN_TIMEOUT", float("nan"), "a number of seconds"),
    ("MAINTAIN_INTERVAL", 0, "a number of seconds above 0"),
    ("ACCESS_LOG", "comined", '"combined" or "json", or None'),
    ("ACCESS_LOG", True, '"combined" or "json", or None'),
    ("TRUSTED_PROXIES", "10.0.0.0/8", "a list of str, or None"),
    ("TRUSTED_PROXIES", [1], "a list of str, or None"),
    ("METRICS_PATH", "metrics", 'a path: "/metrics", or None'),
    ("HEALTH_PATH", True, 'a path: "/health", or None'),
    ("OPENAPI_INFO", "Shop", 'a dict: {"title": "Shop", "version": "1.0"}, or None'),
    ("UPLOAD_FOLDER", 7, "the path of a folder, or None"),
    ("STATIC_ROOT", {"a": 1}, "the path of a folder, or a list, or None"),
    ("STATIC_FOLDERS", "/x", 'a dict: {"/docs": "/srv/docs"}'),
    ("STATIC_URL", None, "a str"),
]


@pytest.mark.parametrize(("name", "value", "must_be"), WRONG)
def test_a_wrong_value_names_its_setting(app: Atila, name: str, value: Any, must_be: str) -> None:
    app.config[name] = value
    found = problem(app)
    assert found.problem == f"app.config.{name} is {value!r}; it must be {must_be}"
    assert found.source.startswith(__file__)


def test_a_setting_that_a_hook_has_set_is_looked_at_too(app: Atila) -> None:
    def setup(app: Atila) -> None:
        app.config.MAX_FIELDS = "many"

    app.before_mount(lambda was: setup(app))
    assert "app.config.MAX_FIELDS is 'many'" in problem(app).problem


def test_all_wrong_settings_are_found_at_once(app: Atila) -> None:
    for name, value, _ in WRONG[:1] + WRONG[5:8:2] + WRONG[10:11]:
        app.config[name] = value
    app.config.MAX_FIELD = 1
    with collect_errors() as found:
        _ = app.site
    told = [error.problem.removeprefix("there is no ").split()[:2] for error in found]
    assert sorted(told) == [
        ["app.config.ACCESS_LOG", "is"],
        ["app.config.QUEUE_SIZE", "is"],
        ["app.config.SHUTDOWN_TIMEOUT", "is"],
        ["app.config.THREADS", "is"],
        ["setting", "'MAX_FIELD';"],
    ]


def test_every_default_is_what_its_setting_must_be() -> None:
    everything = Atila(__name__).config
    everything.check()
    assert SETTINGS.keys() <= everything.keys()
    for setting in everything._settings.values():
        assert setting.fits(setting.default), setting


def test_settings_of_layers_are_known_with_or_without_a_type() -> None:
    config = {"COLOURS": ["red"], "PAINT": Setting(1, "a number", lambda v: isinstance(v, int))}
    layer = Layer(name="paint", protocol=2, config=config)
    app = Atila(__name__, layers={**NO_LAYERS, "paint": layer})
    app.config.COLOURS = "anything"
    app.config.PAINT = "thick"
    assert problem(app).problem == "app.config.PAINT is 'thick'; it must be a number"
    app.config.PAINT = 2
    app.config.COLORS = "blue"
    assert "did you mean 'COLOURS'?" in problem(app).problem


def test_a_secret_is_in_no_error() -> None:
    setting = Setting(None, "a str", lambda v: isinstance(v, str), is_secret=True)
    config = Config({"KEY": setting})
    config.KEY = b"hush"
    with pytest.raises(SetupError, match=r"app.config.KEY is a bytes; it must be a str$"):
        config.check()


def test_a_setting_that_is_read_is_suggested(app: Atila) -> None:
    with pytest.raises(AttributeError, match="no setting 'THREAD'; did you mean 'THREADS'"):
        _ = app.config.THREAD
    with pytest.raises(AttributeError, match=r"no setting 'NOTHING'$"):
        _ = app.config.NOTHING


def test_a_config_can_be_copied() -> None:
    config = Config(SETTINGS)
    config.MAX_FIELDS = 7  # once
    for made in (config.copy(), copy.copy(config), copy.deepcopy(Config()), config | {}):
        assert isinstance(made, dict)
    made = config.copy()
    made.MAX_FILES = 1
    assert (made.MAX_FIELDS, config.MAX_FILES) == (7, 100)
    assert made._sources["MAX_FIELDS"].endswith(f":{line_of('# once')}")
    plain = Config()
    plain.X = [1]
    assert pickle.loads(pickle.dumps(plain)) == {"X": [1]}
    deep = copy.deepcopy(plain)
    assert (deep.X, deep.X is plain.X) == ([1], False)


# Attributes -------------------------------------------------------------------------------------


def test_misspelt_attributes_of_the_app() -> None:
    class Names:
        securekey: str
        session_timeout: float
        users: dict[str, str]

    layer = Layer(name="locks", protocol=2, app=Names)
    app = Atila(__name__, layers={**NO_LAYERS, "locks": layer})
    app.securkey = "0123456789abcdef"  # type: ignore[attr-defined]  # misspelt
    found = problem(app)
    assert found.source == f"{__file__}:{line_of('# misspelt')}"
    assert found.problem.startswith("app.securkey means nothing; did you mean 'securekey'?")
    del app.securkey  # type: ignore[attr-defined]
    app = Atila(__name__, layers={**NO_LAYERS, "locks": layer})
    # Too short, or too far away.
    app.user, app.timeout, app.session = "x", 1, {}  # type: ignore[attr-defined]
    app.securekey = "0123456789abcdef"  # type: ignore[attr-defined]
    app.route("/")(lambda was: app.timeout and "fine")  # type: ignore[attr-defined]
    assert app.test_client().get("/").text == "fine"


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda app, was: app.befor_request, "app.befor_request; did you mean 'before_request'?"),
        (lambda app, was: app.nothing_like_it, "app.nothing_like_it"),
        (lambda app, was: was.redirct, "was.redirct; did you mean 'redirect'?"),
        (lambda app, was: was.request.json, "was.request.json; did you mean 'JSON'?"),
        (lambda app, was: was.request.cooky, "was.request.cooky; did you mean 'cookie'?"),
        (lambda app, was: skitai.was.urlfr, "was.urlfr; did you mean 'urlfor'?"),
        (lambda app, was: was.urlfor("ind"), "resource 'ind'; did you mean 'index'?"),
    ],
)
def test_names_that_are_read(
    app: Atila,
    use: Callable[[Atila, Any], Any],
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found: list[Exception] = []

    @app.route("/")
    def index(was):
        try:
            return use(app, was)
        except (AttributeError, LookupError) as error:
            found.append(error)
            raise

    assert app.test_client().get("/").status_code == 500
    # As it was logged; see `layers.explain`.
    assert [str(error) for error in found] == [f"there is no {says}"]
    assert caplog.text.splitlines()[-1].endswith(f": there is no {says}")


def test_was_sesion(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("atila_auth")
    app = Atila(__name__)
    app.route("/")(lambda was: was.sesion)
    app.test_client().get("/")
    app.site.shutdown(5)
    last = caplog.text.splitlines()[-1]
    assert last.endswith(": there is no was.sesion; did you mean 'session'?")


# Routes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"methods": "GET"}, "methods is a list: methods=[\"GET\"], not methods='GET'"),
        ({"methods": []}, 'methods is a list: methods=["GET"], not methods=[]'),
        ({"methods": [1]}, 'methods is a list: methods=["GET"], not methods=[1]'),
        ({"methods": ["GTE"]}, "there is no method 'GTE'; did you mean 'GET'?"),
        ({"methods": ["GET", "DELET"]}, "there is no method 'DELET'; did you mean 'DELETE'?"),
        ({"methods": ["ptach"]}, "there is no method 'ptach'; did you mean 'PATCH'?"),
        ({"methods": ["G ET"]}, "'G ET' is no method of HTTP"),
        ({"content_types": "text/plain"}, 'content_types is a list: content_types=['),
        ({"content_types": ["json"]}, "'json' is no media type"),
        ({"method": ["GET"]}, "there is no option 'method'; did you mean 'methods'?"),
        ({"input_steam": True}, "there is no option 'input_steam'; did you mean 'input_stream'?"),
        ({"zzz": True}, "there is no option 'zzz'"),
        ({"authenticate": "basic"}, "belongs to the layer 'auth'"),
    ],
)  # fmt: skip
def test_what_a_route_is_given(app: Atila, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(SetupError) as error:

        @app.route("/", **arguments)
        def index(was): ...

    assert says in error.value.problem
    assert error.value.source.startswith(f"{__file__}:")


def test_methods_that_are_seldom_used(app: Atila) -> None:
    names = ["PROPFIND", "PROPPATCH", "report", "QUERY", "PURGE", "NOTIFY", "SUBSCRIBE", "MERGE"]
    app.route("/", methods=names)(lambda was: was.request.method)
    client = app.test_client()
    for name in names:
        assert client.request(name.upper(), "/").text == name.upper()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("/e/{id}", "in the rule '/e/{id}' '{id}' is no parameter; did you mean <id>?"),
        ("/e/{id:int}", "did you mean <int:id>?"),
        ("/e/{path:path}/x", "did you mean <path:path>?"),
        ("/e/{id:uuid}", "did you mean <id>?"),
        ("/:id", "did you mean <id>?"),
        ("/e/{id}-x", "has a brace"),
        ("/e/<string:id>", "did you mean <id>?"),
        ("/e/<integer:id>", "did you mean <int:id>?"),
        ("/e/<id:int>", "did you mean <int:id>?"),
        ("/e/<itn:id>", "there are int, float, str, path; did you mean 'int'?"),
    ],
)  # fmt: skip
def test_rules_as_others_have_them(app: Atila, rule: str, says: str) -> None:
    app.route(rule)(lambda was, **params: "")
    found = problem(app)
    assert says in found.problem
    assert found.source.startswith(__file__)


@pytest.mark.parametrize("rule", ["/items:batch", "/a/:1", "/:", "/%7Bid%7D", "/$metadata"])
def test_rules_that_look_odd_and_are_right(app: Atila, rule: str) -> None:
    app.route(rule)(lambda was: "fine")
    assert app.test_client().get(rule).status_code in (200, 404)


def test_decorators_without_their_parentheses(app: Atila) -> None:
    with pytest.raises(SetupError, match=r'write @app.route\("/path"\), with the path'):
        app.route(lambda was: "")  # type: ignore[arg-type]
    with pytest.raises(SetupError, match=r"write @app.error_handler\(404\), not '404'"):
        app.error_handler("404")  # type: ignore[arg-type]


# Launch scripts ---------------------------------------------------------------------------------


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(script, "current", script.Launch())
    with script.capturing():
        skitai.mount("/", Atila("launched", layers=NO_LAYERS))
        yield


@pytest.mark.usefixtures("launched")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"worker": 2}, "skitai.run has no option 'worker'; did you mean 'workers'?"),
        ({"adress": "::"}, "skitai.run has no option 'adress'; did you mean 'address'?"),
        ({"Port": 80}, "skitai.run has no option 'Port'; did you mean 'port'?"),
        ({"zzz": 1}, "skitai.run has no option 'zzz'; there are address, backlog, "),
        ({"port": "http"}, "skitai.run(port='http'): it must be a number from 1 to 65535"),
        ({"workers": 0}, "skitai.run(workers=0): it must be a number from 1 to 1000"),
    ],
)
def test_options_of_run(options: dict[str, Any], says: str) -> None:
    with pytest.raises(SetupError) as error:
        skitai.run(**options)
    assert error.value.problem.startswith(says)
    assert error.value.source == f"{__file__}:{line_of('    skitai.run(**options)')}"


@pytest.mark.usefixtures("launched")
def test_options_of_run_that_are_right() -> None:
    skitai.run(address="0.0.0.0", port="5000", name="x", workers=2, threads=4, keep_alive=5)
    assert script.current.options["port"] == "5000"


def test_all_that_skitai_reads_is_known() -> None:
    source = Path(str(skitai.__file__)).read_text()
    run = source[source.index("def run (**conf)") :]
    read = set(re.findall(r"conf\.get \(['\"](\w+)['\"]", run)) | set(skitai.dconf)
    assert len(read) > 25
    # What it keeps there for itself.
    own = {"background_jobs", "dns_protocol", "models_keys", "mount_onfly", "subscriptions"}
    assert read - own - {"wasc_options"} <= run_options.NAMES


@pytest.mark.usefixtures("launched")
@pytest.mark.parametrize(
    ("option", "meant"), [("subscirbe", "subscribe"), ("names", "name"), ("hosts", "host")]
)
def test_options_of_mount(option: str, meant: str) -> None:
    with pytest.raises(SetupError, match=f"no option '{option}'; did you mean '{meant}'"):
        skitai.mount("/x", Atila("x", layers=NO_LAYERS), **{option: "y"})


@pytest.mark.usefixtures("launched")
def test_settings_of_preferences_say_where_they_are() -> None:
    app = Atila("preferred", layers=NO_LAYERS)
    with skitai.preference(SMTP_PORT=25) as pref:
        pref.config.MAX_FILE = 3  # in the script
        pref.config.MY_OWN = 4
        skitai.mount("/x", app, pref)
    assert (app.config.SMTP_PORT, app.config.MY_OWN) == (25, 4)
    with pytest.raises(SetupError, match="'MAX_FILE'; did you mean 'MAX_FILES'") as error:
        script.build_site(trial=True)
    assert error.value.source == f"{__file__}:{line_of('# in the script')}"


def test_nearest() -> None:
    assert nearest("colour", ["color", "odour"]) == "; did you mean 'color'?"
    assert nearest("COLOR", ["color"]) == "; did you mean 'color'?"
    assert nearest("zzz", ["color"]) == nearest("x", []) == ""
    assert "skitai" in sys.modules
