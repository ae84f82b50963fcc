"""What launch scripts mount, and what `skitai.preference()` lets them say of folders."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import skitai

from atila import Atila, SetupError
from atila.app.mounting import located
from atila.launch import script, targets


@pytest.fixture(autouse=True)
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a launch script that is read."""
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "serve.py")])
    monkeypatch.setattr(sys, "path", sys.path[:])
    # Skitai keeps the folder of the first script that a process asks for.
    monkeypatch.setattr(skitai, "SWD", None)
    monkeypatch.setattr(script, "current", script.Launch())
    monkeypatch.setattr(targets, "_known", {})
    before = set(sys.modules)
    with script.capturing():
        yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def package(name: str, **content: object) -> ModuleType:
    module = ModuleType(name)
    for key, value in content.items():
        setattr(module, key, value)
    return module


def test_packages_that_say_where_their_app_is() -> None:
    inner = package("shop.web", __app__=lambda: Atila("shop.web", layers={}))
    middle = package("shop.middle", __skitai__=inner)
    skitai.mount("/", package("shop", __skitai__=middle), skitai.preference())
    (mount,) = script.current.mounts
    assert isinstance(mount, script.Package)
    assert mount.module is inner
    assert mount.name == "shop"


def test_those_that_say_nothing_or_go_round_in_circles() -> None:
    with pytest.raises(SetupError, match="shop cannot be mounted: it has neither") as error:
        skitai.mount("/", package("shop"))
    assert error.value.source.startswith(__file__)
    circle = package("circle")
    circle.__skitai__ = circle  # type: ignore[attr-defined]
    with pytest.raises(SetupError, match="circle cannot be mounted"):
        skitai.mount("/", circle)
    assert located("anything", "__app__") == "anything"


def test_an_app_or_a_path_as_what_it_says(launched: Path) -> None:
    app = Atila("here", layers={})
    skitai.mount("/a", package("shop", __skitai__=app))
    (launched / "one.py").write_text("from atila import Atila\napp = Atila(__name__, layers={})\n")
    skitai.mount("/b", package("other", __skitai__="one.py"))
    a, b = script.current.mounts
    assert isinstance(a, script.Mount)
    assert isinstance(b, script.Mount)
    assert a.app is app
    assert (b.app.import_name, b.name) == ("one", "other")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("none.py", "there is no none.py, which is mounted"),
        ("no_folder", "there is no no_folder, which is mounted"),
        ("one.py:ap", r"there is no ap in one.py:ap, which is mounted; did you mean 'app'\?"),
        ("@upstream", "forwarded by Skitai only; write a route that returns was.ProxyPass"),
        (17, "17 cannot be mounted: it is no application"),
    ],
)
def test_mistakes(launched: Path, target: object, says: str) -> None:
    (launched / "one.py").write_text("from atila import Atila\napp = Atila(__name__, layers={})\n")
    with pytest.raises(SetupError, match=says) as error:
        skitai.mount("/", target)
    assert error.value.source.startswith(__file__)


def test_what_a_file_raises_is_raised(launched: Path) -> None:
    (launched / "one.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        skitai.mount("/", "one.py")
    assert "one" not in sys.modules


def test_names_of_files_that_others_have(launched: Path) -> None:
    text = "from atila import Atila\napp = Atila(__name__, layers={})\n"
    for folder in ("a", "b"):
        (launched / folder).mkdir()
        for name in ("one.py", "random.py"):
            (launched / folder / name).write_text(text)
    import random

    for point, target in enumerate(("a/one", "b/one.py", "a/random.py", "a/one.py")):
        skitai.mount(f"/{point}", target)
    apps = [mount.app for mount in script.current.mounts if isinstance(mount, script.Mount)]
    assert [app.import_name for app in apps] == [
        "one",
        f"mounted {launched}/b/one.py",
        f"mounted {launched}/a/random.py",
        "one",
    ]
    assert apps[0] is apps[3]
    assert sys.modules["random"] is random


def test_whose_app_is_in_a_file_is_found_elsewhere(launched: Path, capfd: object) -> None:
    home = str(launched)
    (launched / "ours.py").write_text("import made\napp = made.app\nprint('once')\n")
    (launched / "made.py").write_text("import atila\napp = atila.Atila('made', layers={})\n")
    (launched / "theirs.py").write_text("def app(environ, start_response): ...\n")
    (launched / "broken.py").write_text("import nothing_of_that_name\n")
    (launched / "broken_ours.py").write_text("import atila\nimport nothing_of_that_name\n")
    found = {name: targets.is_atila(f"{name}.py", "app", home) for name in ("ours", "theirs")}
    assert found == {"ours": True, "theirs": False}
    assert not targets.is_atila("broken", "app", home)
    # It is loaded to be served, so that its fault is shown at once.
    assert targets.is_atila("broken_ours", "app", home)
    assert not {"ours", "made", "theirs", "broken"} & set(sys.modules)


def test_folders_of_preferences(launched: Path) -> None:
    for name in ("first", "second", "main", "media"):
        (launched / name).mkdir()
    pref = skitai.preference()
    pref.add_static("first")
    pref.add_static(str(launched / "second"), front=True)
    pref.add_static("first")
    assert "STATIC_URL" not in pref.config
    assert [f"{launched}/second", f"{launched}/first"] == pref.config.STATIC_ROOT
    pref.set_static("/assets", "main")
    folders = [f"{launched}/{name}" for name in ("main", "second", "first")]
    assert ("/assets", folders) == (pref.config.STATIC_URL, pref.config.STATIC_ROOT)
    pref.mount_static("/other", "main")
    assert ("/other", folders) == (pref.config.STATIC_URL, pref.config.STATIC_ROOT)
    alone = skitai.preference()
    alone.set_static("/static", "main")
    assert f"{launched}/main" == alone.config.STATIC_ROOT
    for each in (pref, alone):
        each.set_media("/media", "media")
        assert ("/media", f"{launched}/media") == (each.config.MEDIA_URL, each.config.MEDIA_ROOT)


@pytest.mark.parametrize("method", ["extends", "overrides"])
def test_packages_with_folders_and_no_url(launched: Path, method: str) -> None:
    for name in ("base", "base/static", "base/templates"):
        (launched / name).mkdir()
    (launched / "base" / "static" / "x.txt").write_text("of the base")
    base = package(
        "base",
        __file__=str(launched / "base" / "__init__.py"),
        __config__=lambda pref: pref.update(said="so"),
        __mount__=lambda app: app.route("/base")(lambda was: app.said),
    )
    pref = skitai.preference()
    getattr(pref, method)(package("outer", __skitai__=base))
    skitai.mount("/", package("shop", __app__=lambda: Atila("shop", layers={})), pref)
    site = script.build_site(trial=True)
    try:
        client = site.mounts[0].app.test_client()
        assert client.get("/base").text == "so"
        assert client.get("/static/x.txt").text == "of the base"
    finally:
        site.shutdown(5)


def test_folders_that_are_mounted_by_themselves(launched: Path) -> None:
    for name in ("files", "static"):
        (launched / name).mkdir()
        (launched / name / "x.txt").write_text(name)
    app = Atila("shop", layers={})
    app.config.STATIC_ROOT = str(launched / "static")
    skitai.mount("/files", "files")
    app.route("/")(lambda was: was.Static("x.txt"))
    skitai.mount("/", app)
    site = script.build_site(trial=True)
    try:
        client = app.test_client()
        assert client.get("/files/x.txt").text == "files"
        assert client.get("/static/x.txt").text == client.get("/").text == "static"
        assert client.get("/files/y.txt").status_code == 404
    finally:
        site.shutdown(5)


def test_a_folder_without_an_app(launched: Path) -> None:
    (launched / "files").mkdir()
    skitai.mount("/", Atila("shop", layers={}))
    skitai.mount("/", "files", host="files.example.com")
    with pytest.raises(SetupError, match=r"files\.example\.com, where there is no app"):
        script.build_site(trial=True)


def test_a_script_is_run_once_in_a_process(launched: Path) -> None:
    serve = launched / "serve.py"
    serve.write_text(
        "import skitai\nfrom atila import Atila\n"
        "from pathlib import Path\n"
        "with Path(__file__).with_name('runs').open('a') as runs:\n    runs.write('x')\n"
        "app = Atila(__name__)\nskitai.mount('/', app)\nskitai.run(port=5007)\n"
    )
    assert script.examine(str(serve))["port"] == 5007
    assert (launched / "runs").read_text() == "x"
