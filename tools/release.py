"""Check what must hold before a release, and build what is released.

    hatch run release                       all checks, and dist/ with sdists, wheels and SHA256SUMS
    hatch run release --tag v1.0.0          the tag must be that of the version, too

What is built is the commit, not the working tree. All distributions are built twice, in folders of
other names, with other times and permissions of files, and must come out alike, byte for byte:
SOURCE_DATE_EPOCH is the time of the commit. So everybody can build a release and compare. The exit
code is 1 if a check failed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bump import NAMES, ROOT, current, disagreements
from sbom import outdated

CHANGELOG = "CHANGELOG.md"


class Refused(Exception):
    """A check failed; the text says what and how to mend it."""


def git(*arguments: str, root: Path = ROOT) -> bytes:
    """What a command of git prints."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True).stdout


def check_clean(root: Path = ROOT) -> str:
    """Nothing is changed and not committed."""
    if changed := git("status", "--porcelain", root=root).decode():
        raise Refused(f"not committed:\n{changed}")
    return git("rev-parse", "HEAD", root=root).decode().strip()


def check_versions(root: Path = ROOT) -> str:
    """All distributions have one version, and require it of each other."""
    if found := disagreements(root):
        raise Refused("\n".join(found) + "\nhatch run bump VERSION")
    return current(root)


def check_tag(tag: str, root: Path = ROOT) -> str:
    """A tag is that of the version."""
    if tag != f"v{current(root)}":
        raise Refused(f"the tag is {tag}, the version {current(root)}")
    return tag


def check_changelog(root: Path = ROOT) -> str:
    """The newest heading of the changelog is this version, with its day."""
    version = current(root)
    headings = re.findall(r"(?m)^## (.*)$", (root / CHANGELOG).read_text())
    newest = headings[0]
    day = re.fullmatch(rf"{re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)", newest)
    if day is None:
        raise Refused(f'{CHANGELOG} begins with "## {newest}", not "## {version} (YEAR-MM-DD)"')
    return day[1]


def check_bills(root: Path = ROOT) -> str:
    """The bills of materials are those of the distributions."""
    if names := outdated(root):
        raise Refused(f"out of date: {', '.join(names)}; hatch run sbom")
    return f"{len(NAMES)} bills"


def check_actions(root: Path = ROOT) -> str:
    """Workflows use actions of others by the digest of a commit, which nobody can move."""
    uses = [
        (path.name, used)
        for path in sorted((root / ".github").rglob("*.y*ml"))
        for used in re.findall(r"uses: *(\S+)", path.read_text())
    ]
    moving = [f"{name}: {used}" for name, used in uses if not re.search(r"@[0-9a-f]{40}$", used)]
    if moving:
        raise Refused("not pinned by a digest:\n" + "\n".join(moving))
    return f"{len(uses)} uses"


def unpack(commit: bytes, into: Path, umask: int) -> Path:
    """The files of a commit, as `git archive` gives them, in a new folder."""
    into.mkdir(parents=True)
    before = os.umask(umask)
    try:
        with tarfile.open(fileobj=io.BytesIO(commit)) as archive:
            for member in archive:
                member.mtime = umask  # such as a clone that was made at another time has
                member.mode = 0o777 & ~umask if member.mode & 0o100 else 0o666 & ~umask
                archive.extract(member, into, filter="tar")
    finally:
        os.umask(before)
    return into


def build(root: Path, into: Path, epoch: int, names: Iterable[str] = NAMES) -> dict[str, str]:
    """Build sdist and wheel of each distribution.

    Args:
        root: a copy of the repository.
        into: the folder for them.
        epoch: the time that files in them have, in seconds since 1970.
        names: of the distributions.

    Returns: The SHA-256 of each file, by its name.
    """
    into.mkdir(parents=True, exist_ok=True)
    for name in names:
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-d", into],
            cwd=root / "packages" / name,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Refused(f"{name} was not built:\n{done.stdout}{done.stderr}")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in into.iterdir()}


def build_twice(
    commit: bytes, into: Path, epoch: int, names: Iterable[str] = NAMES
) -> dict[str, str]:
    """Build a commit into a folder, and once more elsewhere.

    Returns: The SHA-256 of each file, by its name.

    Raises:
        Refused: something is different.
    """
    names = list(names)
    with tempfile.TemporaryDirectory() as folder:
        here = unpack(commit, Path(folder, "here"), 0o022)
        there = unpack(commit, Path(folder, "a longer way", "there"), 0o077)
        first = build(here, into, epoch, names)
        second = build(there, Path(folder, "again"), epoch, names)
    if different := [name for name in first if first[name] != second.get(name)]:
        raise Refused(f"built twice, and not alike: {', '.join(different)}")
    return first


def check_wheels(folder: Path) -> str:
    """Each wheel has its licence and its bill of materials."""
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        for part in ("licenses/LICENSE", "sboms/"):
            if not any(f".dist-info/{part}" in name for name in names):
                raise Refused(f"{wheel.name} has no .dist-info/{part}")
    return f"{len(wheels)} wheels"


def release(root: Path, into: Path) -> str:
    """Build what is released, and note the digests beside it."""
    shutil.rmtree(into, ignore_errors=True)
    epoch = int(git("log", "-1", "--format=%ct", root=root))
    digests = build_twice(git("archive", "--format=tar", "HEAD", root=root), into, epoch)
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    (into / "SHA256SUMS").write_text("".join(lines))
    return "".join(lines).rstrip()


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="hatch run release", description=__doc__.splitlines()[0])
    parser.add_argument("--tag", help="the tag that is released")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the folder to build into")
    options = parser.parse_args()
    into = options.into.resolve()
    checks: list[tuple[str, Callable[[], str]]] = [
        ("everything is committed", check_clean),
        ("one version", check_versions),
        ("the changelog has it", check_changelog),
        ("bills of materials", check_bills),
        ("pinned actions", check_actions),
        ("built twice, alike", lambda: release(ROOT, into)),
        ("what is in the wheels", lambda: check_wheels(into)),
    ]
    if options.tag:
        checks.insert(2, ("the tag is its", lambda: check_tag(options.tag)))
    failed = 0
    for name, check in checks:
        try:
            print(f"ok      {name}: {check()}")
        except Refused as refused:
            failed += 1
            print(f"FAILED  {name}: {refused}")
    print(f"{len(checks)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
