"""Write one version into all five distributions, or check that they agree.

    hatch run bump 1.0.0a2      write it
    hatch run bump --check      fail if the distributions differ (part of `hatch run lint`)

The version of the repository is the one in packages/atila-core/pyproject.toml.
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
SISTER = re.compile(rf'"({"|".join(NAMES)})==[^"]*"')


def pyproject(name: str, root: Path = ROOT) -> Path:
    """Path of the pyproject.toml of the distribution `name`."""
    return root / "packages" / name / "pyproject.toml"


def current(root: Path = ROOT) -> str:
    """Version of the repository."""
    return str(tomllib.loads(pyproject("atila-core", root).read_text())["project"]["version"])


def disagreements(root: Path = ROOT) -> list[str]:
    """One line for each place that does not carry the version of the repository."""
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
            if str(requirement.specifier) != f"=={version}":
                found.append(f"{name} requires {text}, it must pin =={version}")
    return found


def write(version: str, root: Path = ROOT) -> None:
    """Write `version` into each distribution and into what it pins of the others."""
    for name in NAMES:
        path = pyproject(name, root)
        text = path.read_text()
        text, count = re.subn(r'(?m)^version = "[^"]*"', f'version = "{version}"', text)
        if count != 1:
            raise SystemExit(f"{path}: expected one line that sets the version, found {count}")
        path.write_text(SISTER.sub(rf'"\1=={version}"', text))


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="hatch run bump", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", metavar="VERSION", help="the new version: 1.0.0")
    what.add_argument("--check", action="store_true", help="only check that all versions agree")
    options = parser.parse_args()
    if not options.check:
        try:
            version = str(Version(options.version))
        except InvalidVersion:
            parser.error(f"not a version (PEP 440): {options.version}")
        before = current()
        write(version)
        print(f"{before} -> {version}; `hatch env prune` renews environments made before")
    found = disagreements()
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
