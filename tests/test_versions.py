"""All five distributions carry one version: see tools/bump.py."""

import shutil
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from support.repository import ROOT, load_tool


@pytest.fixture(scope="module")
def bump() -> ModuleType:
    return load_tool("bump")


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


def ranges(bump: ModuleType, root: Path) -> set[str]:
    """What the distributions require of each other, without the names."""
    found = set()
    for name in bump.NAMES:
        for sister in bump.SISTER.finditer(bump.pyproject(name, root).read_text()):
            found.add(sister[0].strip('"').removeprefix(sister[1]))
    return found


@pytest.mark.parametrize(
    ("versions", "apart", "expected"),
    [
        (["7.8.9"], False, ">=7.8.9,<8"),
        (["7.8.9", "7.9.0"], False, ">=7.8.9,<8"),
        (["7.8.9", "7.9.0"], True, ">=7.9.0,<8"),
        (["7.8.9", "8.0.0a1"], False, ">=8.0.0a1,<9"),
        (["7.8.9", "7.8.8"], False, ">=7.8.8,<8"),
    ],
)
def test_bump_writes_every_version_and_range(
    bump: ModuleType, copy: Path, versions: list[str], apart: bool, expected: str
) -> None:
    for each in versions:
        bump.write(each, copy, apart=apart)
    assert bump.current(copy) == versions[-1]
    assert bump.disagreements(copy) == []
    assert ranges(bump, copy) == {expected}


def test_bump_writes_nothing_else(bump: ModuleType, copy: Path) -> None:
    bump.write("7.8.9", copy)
    for name in bump.NAMES:
        old, new = bump.pyproject(name).read_text(), bump.pyproject(name, copy).read_text()
        (now,) = ranges(bump, ROOT)
        now_version = f'version = "{bump.current()}"'
        assert new == old.replace(now, ">=7.8.9,<8").replace(now_version, 'version = "7.8.9"')


@pytest.mark.parametrize("name", ["atila-core", "atila-tasks"])
def test_a_stray_version_is_found(bump: ModuleType, copy: Path, name: str) -> None:
    path = bump.pyproject(name, copy)
    path.write_text(path.read_text().replace(f'"{bump.current()}"', '"0.0.1"', 1))
    assert bump.disagreements(copy)


@pytest.mark.parametrize(
    "range_", ["==7.8.9", ">=7.8.9", ">=7.8.9,<9", ">=7.8.10,<8", ">=6.0,<8", "~=7.8.9", ""]
)
def test_a_stray_range_is_found(bump: ModuleType, copy: Path, range_: str) -> None:
    bump.write("7.8.9", copy)
    path = bump.pyproject("atila-ws", copy)
    path.write_text(path.read_text().replace("atila-core>=7.8.9,<8", f"atila-core{range_}"))
    (line,) = bump.disagreements(copy)
    assert line.startswith(f"atila-ws requires atila-core{range_}, it must be atila-core>=7.8.9,<8")
