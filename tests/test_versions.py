"""All five distributions carry one version: see tools/bump.py."""

import importlib.util
import shutil
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def bump() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bump", ROOT / "tools" / "bump.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path, bump: ModuleType) -> Path:
    for name in bump.NAMES:
        (tmp_path / "packages" / name).mkdir(parents=True)
        shutil.copy(bump.pyproject(name), bump.pyproject(name, tmp_path))
    return tmp_path


def test_versions_and_pins_agree(bump: ModuleType) -> None:
    assert bump.disagreements() == []


def test_every_distribution_is_bumped(bump: ModuleType) -> None:
    folders = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert folders == set(bump.NAMES)


def test_installed_versions_agree(bump: ModuleType) -> None:
    installed = {name: version(name) for name in bump.NAMES}
    expected = dict.fromkeys(bump.NAMES, bump.current())
    assert installed == expected, "an old environment: `hatch env prune` renews it"


def test_every_distribution_carries_the_licence() -> None:
    licence = (ROOT / "LICENSE").read_text()
    for path in ROOT.glob("packages/*/pyproject.toml"):
        assert path.with_name("LICENSE").read_text() == licence


def test_bump_writes_every_version_and_pin(bump: ModuleType, copy: Path) -> None:
    bump.write("7.8.9", copy)
    assert bump.current(copy) == "7.8.9"
    assert bump.disagreements(copy) == []
    for name in bump.NAMES:
        old, new = bump.pyproject(name).read_text(), bump.pyproject(name, copy).read_text()
        assert new == old.replace(bump.current(), "7.8.9")


@pytest.mark.parametrize("name", ["atila-core", "atila-tasks"])
def test_a_stray_version_is_found(bump: ModuleType, copy: Path, name: str) -> None:
    path = bump.pyproject(name, copy)
    path.write_text(path.read_text().replace(f'"{bump.current()}"', '"0.0.1"', 1))
    assert bump.disagreements(copy)


def test_a_stray_pin_is_found(bump: ModuleType, copy: Path) -> None:
    path = bump.pyproject("atila-ws", copy)
    path.write_text(path.read_text().replace("atila-core==", "atila-core>="))
    (line,) = bump.disagreements(copy)
    assert line.startswith("atila-ws requires atila-core>=")
