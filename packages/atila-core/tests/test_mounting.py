"""Packages: hooks, mount points, names, precedence."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from atila import PROTOCOL, Atila, Layer, Mount, SetupError, Site
from atila.launch import script
from atila.launch.packages import Package
from atila.testing import TestClient

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


def module(name: str, **hooks: Any) -> ModuleType:
    """A module with hooks: setup=… for __setup__."""
    made = ModuleType(name)
    for hook, function in hooks.items():
        setattr(made, f"__{hook}__", function)
    return made


def page(rule: str, text: str, name: str = "page", **options: Any) -> Any:
    """A __mount__ with one page."""

    def __mount__(app, mntopt):
        def handler(was):
            return text

        handler.__name__ = name
        app.route(rule, **options)(handler)

    return __mount__


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=NO_LAYERS)


def package(site_module: ModuleType, **attributes: Any) -> Package:
    return Package("/", site_module, {"layers": NO_LAYERS, **attributes})


def client_of(made: Package) -> TestClient:
    mount = made.load()
    Site([mount])
    return mount.app.test_client()


# Hooks ------------------------------------------------------------------------------------------


def test_hooks_come_in_their_order_and_with_as_many_arguments_as_they_take() -> None:
    calls: list[Any] = []
    sub = module(
        "shop.services.sub",
        setup=lambda: calls.append("setup sub"),
        mount=lambda app, mntopt: calls.append(("mount sub", mntopt["point"])),
        umount=lambda: calls.append("umount sub"),
    )

    def setup(app):
        calls.append("setup shop")
        app.mount("/sub", sub)
        calls.append("still setup shop")
        app.on("before_mount")(lambda was: calls.append("before_mount"))
        app.mounted(lambda was: calls.append("mounted"))
        app.before_umount(lambda was: calls.append("before_umount"))
        app.umounted(lambda was: calls.append("umounted"))

    shop = module(
        "shop",
        app=lambda: Atila("shop"),
        setup=setup,
        mount=lambda app: calls.append("mount shop"),
        umount=lambda app: calls.append("umount shop"),
    )
    site = Site([package(shop).load()])
    assert calls == [
        "setup shop",
        "still setup shop",
        "setup sub",
        "before_mount",
        "mount shop",
        ("mount sub", "/sub"),
        "mounted",
    ]
    del calls[:]
    site.shutdown(1.0)
    assert calls == ["before_umount", "umount sub", "umount shop", "umounted"]


def test_a_hook_that_wants_more_is_a_mistake() -> None:
    def __mount__(app, mntopt, more): ...

    made = module("shop", app=lambda: Atila("shop"), mount=__mount__)
    with pytest.raises(SetupError, match=r"test_mounting.py:\d+: __mount__ wants more") as error:
        Site([package(made).load()])
    assert "__mount__(app, mntopt)" in str(error.value)


def test_a_hook_cannot_be_async() -> None:
    async def __setup__(app): ...

    made = module("shop", app=lambda: Atila("shop"), setup=__setup__)
    with pytest.raises(SetupError, match="write it with `def`"):
        Site([package(made).load()])


def test_what_makes_no_app_is_a_mistake() -> None:
    with pytest.raises(SetupError, match="__app__ gave NoneType"):
        package(module("shop", app=lambda: None)).load()


def test_a_failing_umount_keeps_none_from_its_own(caplog: pytest.LogCaptureFixture) -> None:
    calls = []
    shop = module(
        "shop",
        app=lambda: Atila("shop"),
        setup=lambda app: app.mount("/sub", sub),
        umount=lambda app: calls.append("umount"),
    )
    sub = module("sub", mount=lambda: None, umount=lambda app: 1 / 0)
    Site([package(shop).load()]).shutdown(1.0)
    assert calls == ["umount"]
    assert "ZeroDivisionError" in caplog.text


# Mount points and names -------------------------------------------------------------------------


def test_mount_points_are_below_that_of_the_parent_unless_they_begin_with_it(app: Atila) -> None:
    relative = module("a.services.sub.one", mount=page("", "one"))
    absolute = module("a.services.sub.two", mount=page("/x", "two"))
    alike = module("a.services.sub.three", mount=page("", "three"))

    def setup(app):
        app.mount("/one", relative)
        app.mount("/sub/two", absolute)
        app.mount("/subthree/", alike)

    app.mount("/sub", module("a.services.sub", setup=setup, mount=page("/", "sub")))
    client = app.test_client()
    assert client.get("/sub/one").text == "one"
    assert client.get("/sub/two/x").text == "two"
    assert client.get("/sub/subthree").text == "three"
    assert client.get("/sub/").text == "sub"
    assert client.get("/sub").status_code == 308


def test_names_come_from_modules() -> None:
    names = []

    def look(was):
        return f"{was.urlfor('index')} {was.urlfor('sub.pages.toc')} {was.urlfor('other.page')}"

    def mount(app, mntopt):
        names.append(mntopt["ns"])
        app.route("/look")(look)

        @app.route("/")
        def index(was): ...

    def toc_mount(app, mntopt):
        names.append(mntopt["ns"])

        @app.route("/toc")
        def toc(was): ...

    pages = module("shop.services.sub.pages", mount=toc_mount)
    other = module("elsewhere.deep", mount=page("/other", ""))

    def setup(app):
        app.mount("/pages", pages)
        app.mount("/", other, ns="other")

    services = module("shop.services", mount=mount, setup=setup)
    shop = module("shop", app=lambda: Atila("shop"), setup=lambda app: app.mount("/", services))
    shop.__path__ = []  # type: ignore[attr-defined]
    import sys

    sys.modules["shop"] = shop
    try:
        assert client_of(package(shop)).get("/look").text == "/ /pages/toc /other"
    finally:
        del sys.modules["shop"]
    assert names == ["", "sub.pages"]


def test_options_of_mount_reach_the_hooks_and_the_request(app: Atila) -> None:
    seen = []
    inner = module("sub.inner", mount=lambda app, mntopt: seen.append(mntopt))

    def mount(app, mntopt):
        seen.append(mntopt)

        @app.route("/x")
        def x(was):
            return str(was.request.routable["mntopt"]["color"])

    app.mount(
        "/sub", module("sub", setup=lambda app: app.mount("/in", inner), mount=mount), color=7
    )
    client = app.test_client()
    assert client.get("/sub/x").text == "7"
    assert seen[0] == {"point": "/sub", "ns": "sub", "debug": False, "color": 7}
    assert (seen[1]["point"], seen[1]["color"]) == ("/sub/in", 7)


def test_a_function_can_be_mounted(app: Atila) -> None:
    app.mount("/f", page("/x", "by function"))
    assert app.test_client().get("/f/x").text == "by function"


@pytest.mark.parametrize(
    ("point", "target", "problem"),
    [
        ("sub", module("sub", mount=lambda: None), "must begin with a slash"),
        ("/sub", module("sub"), "neither __setup__ nor __mount__"),
    ],
)
def test_what_cannot_be_mounted(app: Atila, point: str, target: Any, problem: str) -> None:
    with pytest.raises(SetupError, match=rf"test_mounting.py:\d+: .*{problem}"):
        app.mount(point, target)


def test_a_rule_without_slash_below_a_mount_point_is_a_mistake(app: Atila) -> None:
    app.mount("/sub", page("x", ""))
    with pytest.raises(SetupError, match="must begin with a slash"):
        app.test_client().get("/")


def test_mounting_in_mount_or_later_is_a_mistake(app: Atila) -> None:
    late = page("/", "")
    app.mount("/sub", lambda app: app.mount("/late", late))
    with pytest.raises(SetupError, match="nothing can be mounted in __mount__"):
        app.test_client().get("/")
    plain = Atila(__name__, layers=NO_LAYERS)
    plain.test_client().get("/")
    with pytest.raises(SetupError, match="while the app serves"):
        plain.mount("/late", late)


def test_an_app_can_be_mounted_anew(app: Atila) -> None:
    calls = []
    app.mount("/sub", page("/x", "x"))
    app.mount("/", lambda app: app.before_request(lambda was: calls.append(1)))
    for _ in range(2):
        site = Site([Mount("/", app)])
        del calls[:]
        assert app.test_client().get("/sub/x").text == "x"
        assert calls == [1]
        site.shutdown(1.0)
    assert app.routes == []


def test_a_failed_mount_leaves_the_app_as_it_was(app: Atila) -> None:
    broken = True

    def mount(app):
        app.route("/x")(lambda was: "x")
        if broken:
            raise KeyError("models")

    app.mount("/", mount)
    with pytest.raises(KeyError, match="models"):
        Site([Mount("/", app)])
    broken = False
    assert app.test_client().get("/x").text == "x"


# Preferences ------------------------------------------------------------------------------------


def test_a_preference_reaches_app_and_config() -> None:
    shop = module("shop", app=lambda: Atila("shop"), mount=page("/", ""))
    config = {"MAINTAIN_INTERVAL": 7, "MINE": "x", "STATIC_URL": "/"}
    app = package(shop, debug=True, color="red", config=config).load().app
    assert (app.debug, app.color) == (True, "red")
    assert (app.config.MAINTAIN_INTERVAL, app.config.MINE, app.STATIC_URL) == (7, "x", "/")
    assert app.config.MAX_FIELDS == 1000


def test_a_preference_must_not_hide_what_an_app_has() -> None:
    shop = module("shop", app=lambda: Atila("shop"))
    with pytest.raises(SetupError, match=r"pref.route would hide app.route"):
        package(shop, route=1).load()


def test_pref_layers_chooses_for_the_apps_made_meanwhile() -> None:
    paint = Layer("paint", PROTOCOL)
    shop = module("shop", app=lambda: Atila("shop"))
    app = Package("/", shop, {"layers": {**NO_LAYERS, "paint": paint}}).load().app
    assert list(app.layers) == ["paint"]
    assert "paint" not in Atila(__name__).layers
    choosy = module("shop", app=lambda: Atila("shop", layers={"paint": None}))
    app = Package("/", choosy, {"layers": {**NO_LAYERS, "paint": paint}}).load().app
    assert list(app.layers) == []


def test_pref_layers_comes_too_late_for_an_app(app: Atila) -> None:
    with pytest.raises(SetupError, match=r"pref.layers comes too late"):
        script.record_mount("/", app, {"layers": NO_LAYERS})


# Extending and overriding -----------------------------------------------------------------------


def test_the_highest_rank_answers(app: Atila) -> None:
    def routes(text: str, *rules: str) -> Any:
        def mount(app):
            for rule in rules:
                app.route(rule, methods=["GET"])(lambda was, **params: text)

        return mount

    app.mount("/", module("own", mount=routes("own", "/b", "/c", "/<int:id>")))
    app.overrides(module("over1", mount=routes("over1", "/a", "/b")))
    app.overrides(module("over2", mount=routes("over2", "/a")))
    app.extends(module("under1", mount=routes("under1", "/c", "/d", "/<int:number>/x")))
    app.extends(module("under2", mount=routes("under2", "/d", "/e", "/<int:other>")))
    client = app.test_client()
    paths = ("/a", "/b", "/c", "/d", "/e", "/7", "/7/x")
    assert [client.get(path).text for path in paths] == [
        "over2",
        "over1",
        "own",
        "under1",
        "under2",
        "own",
        "under1",
    ]


def test_methods_are_overridden_one_by_one(app: Atila) -> None:
    app.route("/x")(lambda was: "own")
    app.overrides(page("/x", "over", methods=["POST"]))
    client = app.test_client()
    assert (client.get("/x").text, client.post("/x").text) == ("own", "over")
    assert "POST" in client.options("/x").headers["allow"]


def test_names_are_those_of_the_highest_rank(app: Atila) -> None:
    app.extends(module("under", mount=page("/under", "", "page")))
    app.extends(module("more", mount=page("/more", "", "more")))
    app.route("/own")(_named("page"))
    app.route("/look")(lambda was: f"{was.urlfor('page')} {was.urlfor('more')}")
    assert app.test_client().get("/look").text == "/own /more"


def _named(name: str) -> Any:
    def handler(was): ...

    handler.__name__ = name
    return handler


def test_two_of_one_rank_alike_are_still_a_mistake(app: Atila) -> None:
    app.mount("/", page("/x", ""))
    app.mount("/", page("/x", ""))
    with pytest.raises(SetupError, match="leads to the same place"):
        app.test_client().get("/x")


def test_what_overrides_has_the_last_word_on_error_pages(app: Atila) -> None:
    def errors(text: str) -> Any:
        return lambda app: app.error_handler(404)(lambda was, error: text)

    app.mount("/", errors("own"))
    app.extends(errors("under"))
    app.overrides(errors("over"))
    answer = app.test_client().get("/nothing", headers={"accept": "text/html"})
    assert answer.text == "over"


def test_folders_stand_in_the_order_of_precedence(tmp_path) -> None:
    import sys

    def with_folders(name: str, **hooks: Any) -> ModuleType:
        made = module(name, **hooks)
        for folder in ("static", "templates"):
            (tmp_path / name / folder).mkdir(parents=True)
        made.__file__ = str(tmp_path / name / "__init__.py")
        return made

    def folders(kind: str, *names: str) -> list[str]:
        return [str(tmp_path / name / kind) for name in names]

    shop = with_folders("prefshop", app=lambda: Atila("prefshop"))
    over, under = (
        with_folders("over", mount=page("/", "")),
        with_folders("under", mount=page("/", "")),
    )
    late = with_folders("late", mount=page("/", ""))
    shop.__setup__ = lambda app: app.extends(late)  # type: ignore[attr-defined]
    sys.modules["prefshop"] = shop
    import skitai

    try:
        with skitai.preference() as pref:
            pref.layers = NO_LAYERS
            pref.set_static("/assets", str(tmp_path / "prefshop" / "static"))
            pref.overrides(over)
            pref.extends(under)
        mount = Package("/", shop, pref).load()
        Site([mount])
    finally:
        del sys.modules["prefshop"]
    assert (
        folders("templates", "over", "prefshop", "under", "late") == mount.app.config.TEMPLATE_DIRS
    )
    assert folders("static", "over", "prefshop", "under", "late") == mount.app.config.STATIC_ROOT


# Routes taken away ------------------------------------------------------------------------------


def test_unroute(app: Atila) -> None:
    def mount(app):
        app.route("/a/x")(lambda was: "x")
        app.route("/a/<int:id>")(lambda was, id: "id")
        app.route("/b")(lambda was: "b")

    app.extends(mount)
    app.unroute("/a/<int:id>")
    app.unroute("/b", 410)
    client = app.test_client()
    Site([Mount("/", app)])
    assert [client.get(p).status_code for p in ("/a/x", "/a/7", "/b")] == [200, 404, 410]
    app.unroute("/a/*", 403)
    assert [client.get(p).status_code for p in ("/a/x", "/a/7")] == [403, 404]
    with pytest.raises(SetupError, match="must begin with a slash"):
        app.unroute("b")
    with pytest.raises(SetupError, match="no status of an error"):
        app.unroute("/b", 200)


def test_a_module_that_is_mounted_anew_may_inspect_above_its_route() -> None:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))

    def mount(app, mntopt):
        @app.inspect(number=int)
        @app.route("/")
        def index(was, number):
            return str(number + 1)

    app.mount("/", mount)
    for _ in range(2):
        with app.test_client() as client:
            assert client.get("/?number=1").text == "2"
