"""Write one version into all five distributions, or check that they agree.

    hatch run bump 1.1.0             write it
    hatch run bump 1.1.0 --apart     and let no distribution go with older ones of the others
    hatch run bump --check           fail if the distributions differ (part of `hatch run lint`)

The version of the repository is the one in packages/atila-core/pyproject.toml. What a distribution
requires of another is a range: from the oldest that it works with, "since", up to the next major
version. A new version leaves "since" as it is, so that one distribution can be upgraded alone;
a new major version begins a new range.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("atila-core", "atila-tasks", "atila-auth", "atila-render", "atila-ws")
SISTER = re.compile(rf'"({"|".join(NAMES)})(?:>=([^",]+),<[^"]*)"')


def pyproject(name: str, root: Path = ROOT) -> Path:
    """Path of the pyproject.toml of the distribution `name`."""
    return root / "packages" / name / "pyproject.toml"


def current(root: Path = ROOT) -> str:
    """Version of the repository."""
    return str(tomllib.loads(pyproject("atila-core", root).read_text())["project"]["version"])


def compatible(since: str, version: str) -> str:
    """The range of versions that go with `version`, as a specifier of PEP 440.

    Args:
        since: the oldest of them, unless it is of another major version or newer.
        version: the version.
    """
    first, last = Version(since), Version(version)
    if first.major != last.major or first > last:
        first = last
    return f">={first},<{last.major + 1}"


def disagreements(root: Path = ROOT) -> list[str]:
    """One line for each place that does not go with the version of the repository."""
    version = current(root)
    found = []
    for name in NAMES:
        project = tomllib.loads(pyproject(name, root).read_text())["project"]
        if project["version"] != version:
            found.append(f"{name} has version {project['version']}, atila-core has {version}")
        requirements = list(project.get("dependencies", ()))
        for extra in project.get("optional-dependencies", {}).values():
            requirements += extra
        for text in requirements:
            requirement = Requirement(text)
            if requirement.name not in NAMES or requirement.name == name:
                continue
            written = SISTER.search(f'"{text}"')
            since = written[2] if written else version
            expected = compatible(since, version)
            if text != f"{requirement.name}{expected}":
                found.append(f"{name} requires {text}, it must be {requirement.name}{expected}")
    return found


def write(version: str, root: Path = ROOT, *, apart: bool = False) -> None:
    """Write `version` into each distribution, and into the ranges that it requires of the others.

    Args:
        version: the version (PEP 440).
        root: the folder of the repository.
        apart: raise the oldest version of each range, too.
    """

    def required(found: re.Match[str]) -> str:
        return f'"{found[1]}{compatible(version if apart else found[2], version)}"'

    for name in NAMES:
        path = pyproject(name, root)
        text = path.read_text()
        text, count = re.subn(r'(?m)^version = "[^"]*"', f'version = "{version}"', text)
        if count != 1:
            raise SystemExit(f"{path}: expected one line that sets the version, found {count}")
        path.write_text(SISTER.sub(required, text))


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="hatch run bump", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", metavar="VERSION", help="the new version: 1.0.0")
    what.add_argument("--check", action="store_true", help="only check that all versions agree")
    parser.add_argument(
        "--apart", action="store_true", help="of the others, require this version at least"
    )
    options = parser.parse_args()
    if not options.check:
        try:
            version = str(Version(options.version))
        except InvalidVersion:
            parser.error(f"not a version (PEP 440): {options.version}")
        before = current()
        write(version, apart=options.apart)
        print(f"{before} -> {version}; `hatch env prune` renews environments made before")
    found = disagreements()
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
