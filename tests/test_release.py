"""What is released (tools/release.py): bills of materials, pinned actions, reproducible wheels."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tarfile
import time
import zipfile
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[1]
SMALL = ("atila-core", "atila-ws")
"""One with bundled files, and one without: to build all takes longer and shows no more."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("release")
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def tree() -> bytes:
    """The working tree, as `git archive` gives a commit."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in SMALL:
            folder = ROOT / "packages" / name
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.add(path, path.relative_to(ROOT))
    return packed.getvalue()


@pytest.mark.thorough
def test_wheels_are_reproducible_and_have_their_bills(
    tool: ModuleType, tree: bytes, tmp_path: Path
) -> None:
    into = tmp_path / "dist"
    digests = tool.build_twice(tree, into, 1_700_000_000, SMALL)
    assert len(digests) == 2 * len(SMALL)
    assert tool.check_wheels(into) == "2 wheels"
    with zipfile.ZipFile(next(into.glob("atila_core-*.whl"))) as wheel:
        (name,) = [name for name in wheel.namelist() if "/sboms/" in name]
        bill = json.loads(wheel.read(name))
        times = {info.date_time for info in wheel.infolist()}
    parts = {part["name"]: part for part in bill["components"]}
    assert parts["swagger-ui-dist"]["version"]
    assert parts["msgspec"]["scope"] == "required"
    assert parts["granian"]["scope"] == "optional"
    assert times == {time.gmtime(1_700_000_000)[:6]}


def test_what_is_built_twice_and_differs_is_refused(
    tool: ModuleType, tree: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(root: Path, into: Path, epoch: int, names: object) -> dict[str, str]:
        return {"atila.whl": str(root)}

    monkeypatch.setattr(tool, "build", differ)
    with pytest.raises(tool.Refused, match=r"not alike: atila\.whl"):
        tool.build_twice(tree, tmp_path, 0)


def test_bills_of_materials_are_valid_and_up_to_date(tool: ModuleType) -> None:
    tool.check_bills()
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for path in ROOT.glob("packages/*/*.cdx.json"):
        assert validator.validate_str(path.read_text()) is None, path


def test_actions_are_pinned(tool: ModuleType, tmp_path: Path) -> None:
    tool.check_actions()
    for name in ("workflows/ci.yml", "workflows/other.yaml", "actions/own/action.yml"):
        path = tmp_path / name / ".github" / name
        path.parent.mkdir(parents=True)
        path.write_text("      - uses: actions/checkout@v4\n")
        with pytest.raises(tool.Refused, match="actions/checkout@v4"):
            tool.check_actions(tmp_path / name)


def test_a_release_has_its_day_in_the_changelog_and_its_tag(
    tool: ModuleType, tmp_path: Path
) -> None:
    core = tmp_path / "packages" / "atila-core"
    core.mkdir(parents=True)
    (core / "pyproject.toml").write_text('[project]\nname = "atila-core"\nversion = "2.1"\n')
    changelog = tmp_path / "CHANGELOG.md"
    for heading in ("2.1 (not released)", "2.0 (2026-01-02)"):
        changelog.write_text(f"# Changes\n\n## {heading}\n")
        with pytest.raises(tool.Refused, match="begins with"):
            tool.check_changelog(tmp_path)
    changelog.write_text("# Changes\n\n## 2.1 (2026-01-02)\n\n## 2.0 (2025-01-02)\n")
    assert tool.check_changelog(tmp_path) == "2026-01-02"
    assert tool.check_tag("v2.1", tmp_path) == "v2.1"
    with pytest.raises(tool.Refused):
        tool.check_tag("v2.0", tmp_path)


def test_what_is_not_committed_is_not_released(tool: ModuleType, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "new.py").touch()
    with pytest.raises(tool.Refused, match=r"new\.py"):
        tool.check_clean(tmp_path)
