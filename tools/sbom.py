"""Write the bill of materials of each distribution: CycloneDX 1.6, `packages/NAME/NAME.cdx.json`.

    hatch run sbom              write them
    hatch run sbom --check      fail if one differs from what its pyproject.toml says

They are part of the wheels, as `NAME-VERSION.dist-info/sboms/NAME.cdx.json` (PEP 770). A library
cannot know which releases of its dependencies will be installed, so these are listed with the range
that is asked for, and what is bundled with its version and digest.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

from bump import NAMES, ROOT, pyproject
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

SWAGGER_UI = "src/atila/openapi/swagger_ui"
"""What atila-core bundles; `tools/swagger_ui.py` fetches it."""


def path(name: str, root: Path = ROOT) -> Path:
    """Where the bill of the distribution `name` is."""
    return root / "packages" / name / f"{name}.cdx.json"


def text(name: str, root: Path = ROOT) -> str:
    """The bill of the distribution `name` as JSON; the same text for the same pyproject.toml."""
    project = tomllib.loads(pyproject(name, root).read_text())["project"]
    version = str(project["version"])
    main = Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=name,
        purl=PackageURL("pypi", name=name, version=version),
        description=project["description"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    # Neither a time nor a number by chance: wheels that are built twice have to be alike.
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"pkg:pypi/{name}@{version}"))
    bom.metadata.component = main
    bom.metadata.timestamp = None  # type: ignore[assignment]
    parts = [*_required(project, name), *_bundled(name, root)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(main, parts)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _required(project: dict[str, object], name: str) -> Iterator[Component]:
    extras = project.get("optional-dependencies", {})
    assert isinstance(extras, dict)
    groups = {"": project.get("dependencies", []), **extras}
    # What only the tests need is on no user's machine.
    del groups["test"]
    found: dict[str, list[Property]] = {}
    optional: set[str] = set()
    for extra, requirements in groups.items():
        for line in requirements:  # type: ignore[attr-defined]
            requirement = Requirement(line)
            if requirement.name == name:
                continue
            joint = " and" if ";" in line else ";"
            said = f"{line}{joint} extra == '{extra}'" if extra else line
            properties = found.setdefault(requirement.name, [])
            properties.append(Property(name="requires-dist", value=said))
            if extra and len(properties) == 1:
                optional.add(requirement.name)
    for required, properties in sorted(found.items()):
        yield Component(
            name=required,
            type=ComponentType.LIBRARY,
            bom_ref=f"pypi:{required}",
            purl=PackageURL("pypi", name=required),
            scope=ComponentScope.OPTIONAL if required in optional else ComponentScope.REQUIRED,
            properties=properties,
        )


def _bundled(name: str, root: Path) -> Iterator[Component]:
    if name != "atila-core":
        return
    folder = root / "packages" / name / SWAGGER_UI
    version = (folder / "VERSION").read_text().strip()
    script = (folder / "swagger-ui-bundle.js").read_bytes()
    yield Component(
        name="swagger-ui-dist",
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref="npm:swagger-ui-dist",
        purl=PackageURL("npm", name="swagger-ui-dist", version=version),
        scope=ComponentScope.REQUIRED,
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(script).hexdigest())],
        properties=[Property(name="digest-of", value="swagger-ui-bundle.js")],
    )


def write(root: Path = ROOT) -> None:
    """Write all of them."""
    for name in NAMES:
        path(name, root).write_text(text(name, root))


def outdated(root: Path = ROOT) -> list[str]:
    """Names of the distributions whose bill differs from their pyproject.toml."""
    return [
        name
        for name in NAMES
        if not path(name, root).exists() or path(name, root).read_text() != text(name, root)
    ]


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="hatch run sbom", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        write()
    found = outdated()
    for name in found:
        print(f"{path(name)} is out of date: hatch run sbom", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
