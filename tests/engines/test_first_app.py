"""The specification's first app, block by block as it is written there, while it grows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.servers import Server, serving

SPECIFIED = Path(__file__).with_name("first_app.txt")
LAUNCHED = "it loads an `app` of a module and runs no launch script"

pytestmark = [
    pytest.mark.unable(engine, LAUNCHED) for engine in ("uvicorn", "hypercorn", "gunicorn")
]


def blocks() -> dict[str, str]:
    parts = re.split(r"^==== (.*)\n", SPECIFIED.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def without(source: str, function: str) -> str:
    """The source without one of its functions."""
    return re.sub(rf"^def {function}.*?(?=^def |\Z)", "", source, flags=re.M | re.S)


class Project:
    """The files of the app in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("static", "templates", "services", "services/sub2"):
            (folder / "myapp" / name).mkdir(parents=True)
        self.block = blocks()
        self.write("serve.py", self.block["launch script"])

    def write(self, path: str, *sources: str) -> None:
        (self.folder / path).write_text("\n".join(sources))

    def answers(self, engine: str, **expected: str) -> Server:
        with serving(engine, self.folder / "serve.py") as server:
            for path, text in expected.items():
                answer = server.get("/" + path.replace("_", "/"))
                assert (answer.status, text in answer.text) == (200, True), path
            assert server.get("/nothing").status == 404
            server.terminate()
            server.wait_end()
            self.log = server.log()
        return server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    # An engine may drop its privileges, and still has to read this.
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(0o755)
    return Project(tmp_path)


def test_one_module(engine: str, project: Project) -> None:
    app = project.block["app"]
    project.write("myapp/__init__.py", app)
    project.answers(engine, **{"": "Index Page", "sub": "Sub Page"})
    # A static index.html has more priority.
    project.write("myapp/static/index.html", "static page")
    project.answers(engine, **{"": "static page", "sub": "Sub Page"})


def test_template(engine: str, project: Project) -> None:
    app, rendering = project.block["app"], project.block["rendering"]
    project.write("myapp/__init__.py", without(app, "__mount__"), rendering)
    project.write("myapp/templates/index.j2", project.block["template"])
    project.answers(engine, **{"": "<h1>Index Page</h1>"})


def test_cascade(engine: str, project: Project) -> None:
    project.write("myapp/__init__.py", project.block["cascade: app"])
    project.write("myapp/services/__init__.py", project.block["cascade: services"])
    project.answers(engine, **{"": "Index Page", "sub": "Sub Page"})
    project.write("myapp/services/__init__.py", project.block["separate: services"])
    project.write("myapp/services/sub.py", project.block["separate: sub"])
    project.answers(engine, **{"": "Index Page", "sub": "Sub Page"})


def test_sub_packages(engine: str, project: Project) -> None:
    block = project.block
    project.write("myapp/__init__.py", block["cascade: app"], block["farewell"])
    services = without(block["separate: services"], "__setup__")
    project.write("myapp/services/__init__.py", services, block["package: setup of services"])
    project.write("myapp/services/sub.py", block["separate: sub"])
    project.write("myapp/services/sub2/__init__.py", block["package: sub2"])
    project.write("myapp/services/sub2/pages.py", block["package: pages"])
    pages = {"": "Index Page", "sub": "Sub Page", "sub2_pages": "Pages", "sub2_pages_1": "Page1"}
    project.answers(engine, **pages)
    assert "bye..." in project.log


def test_preference(engine: str, project: Project) -> None:
    preference = project.block["preference"].replace("/mnt/data", str(project.folder / "data"))
    script = re.sub(r"    with .*?pref\)\n", "", project.block["launch script"], flags=re.S)
    lines = [*preference.splitlines(), "    skitai.mount ('/', myapp, pref)"]
    indented = "".join(f"    {line}\n" for line in lines)
    project.write("serve.py", script.replace("    skitai.run", indented + "    skitai.run"))
    project.write(
        "myapp/__init__.py",
        without(without(project.block["app"], "__config__"), "__mount__"),
        "def __mount__ (app):\n    @app.route ('/')\n    def index (was):",
        "        return f'{app.config.MAX_UPLOAD_SIZE} {app.config.MAINTAIN_INTERVAL}'",
    )
    project.write("myapp/static/x.txt", "static")
    media = project.folder / "data" / "media"
    media.mkdir(parents=True)
    (media / "y.txt").write_text("media")
    project.answers(
        engine,
        **{"": f"{256 * 1024 * 1024} 60", "static_x.txt": "static", "media_y.txt": "media"},
    )
