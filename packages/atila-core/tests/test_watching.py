"""Files of a project are watched: by the system where watchfiles is installed, else by looking."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atila.launch import reloading
from atila.launch.reloading import Files
from atila.testing.waits import patience, wait_until

pytestmark = pytest.mark.waits
CHANGES: dict[str, Callable[[Path], object]] = {
    "changed": lambda folder: (folder / "a.py").write_text("a = 2"),
    "added": lambda folder: (folder / "new.py").write_text(""),
    "removed": lambda folder: (folder / "a.py").unlink(),
    "in a folder": lambda folder: (folder / "package" / "b.py").write_text("b = 22"),
    "a folder removed": lambda folder: shutil.rmtree(folder / "package"),
    "elsewhere": lambda folder: (folder.parent / "other.py").write_text("c = 22"),
}


@pytest.fixture(params=["reported", "looked for"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    way: str = request.param
    if way == "reported":
        pytest.importorskip("watchfiles")
    else:
        monkeypatch.setattr(reloading, "_watch", lambda: None)
    return way


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "a.py").write_text("a = 1")
    (folder / "package" / "b.py").write_text("b = 1")
    (tmp_path / "other.py").write_text("c = 1")
    return folder


class Watched:
    """Files that are watched in a thread.

    Attributes:
        looks: how often they were looked at.
        noticed: set once one has changed.
    """

    def __init__(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        self.noticed = threading.Event()
        files = Files(str(project), [str(project.parent / "other.py")])
        changed = files.changed

        def counted() -> bool:
            self.looks += 1
            return changed()

        monkeypatch.setattr(files, "changed", counted)
        monkeypatch.setattr(reloading, "INTERVAL", 0.1)
        files.watch(self.noticed.set)

    def wait(self) -> bool:
        return self.noticed.wait(patience())


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(
    way: str, change: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(project, monkeypatch)
    wait_until(lambda: watched.looks > 1, "it is watched")
    assert not watched.noticed.is_set()
    CHANGES[change](project)
    assert watched.wait()


def test_a_module_in_a_new_folder_is_noticed(
    way: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(project, monkeypatch)
    wait_until(lambda: watched.looks > 1, "it is watched")
    (project / "empty" / "deeper").mkdir(parents=True)
    before = watched.looks
    wait_until(lambda: watched.looks > before, "it has looked since")
    assert not watched.noticed.is_set()
    (project / "empty" / "deeper" / "c.py").write_text("c = 1")
    assert watched.wait()


def test_the_system_reports_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("watchfiles")
    watch = reloading._watch()
    assert watch is not None
    begun = threading.Event()

    def observed(*places: str, **options: object) -> Iterator[set[object]]:
        for changes in watch(*places, **{**options, "rust_timeout": 50}):
            begun.set()
            # Only what the system has reported, nothing that is found by looking.
            if changes:
                yield changes

    monkeypatch.setattr(reloading, "_watch", lambda: observed)
    watched = Watched(project, monkeypatch)
    assert begun.wait(patience())
    assert watched.looks == 1
    (project / "notes.txt").write_text("a log, say")
    CHANGES["in a folder"](project)
    assert watched.wait()
    assert watched.looks == 2


@pytest.mark.usefixtures("way")
def test_folders_of_others_are_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".venv").mkdir()
    (project / "env").mkdir()
    (project / "env" / "pyvenv.cfg").write_text("")
    watched = Watched(project, monkeypatch)
    wait_until(lambda: watched.looks > 1, "it is watched")
    for name in (".venv/a.py", "env/a.py", "notes.txt"):
        (project / name).write_text("x")
    before = watched.looks
    wait_until(lambda: watched.looks > before + 1, "it has looked since")
    assert not watched.noticed.is_set()
    # The thread that watches ends.
    CHANGES["changed"](project)
    assert watched.wait()
