"""The versions of the documentation site: a folder for each release, and a switch between them.

    .site/1.0/          the site of 1.0, and of its later fixes: 1.0.1 takes the place of 1.0
    .site/latest/       a copy of the newest one, for links that last
    .site/versions.json which ones there are; the theme's own switcher reads it
    .site/index.html    leads to latest/

It is the layout of mike, which the theme knows as its provider of versions. mike itself works by
commits of a branch for GitHub Pages, and what works with zensical is a fork that is not on PyPI.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from packaging.version import Version

LATEST = "latest"
_TO_LATEST = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Atila</title>
    <meta http-equiv="refresh" content="0; url=latest/">
    <link rel="canonical" href="latest/">
  </head>
  <body><a href="latest/">The documentation of the latest version</a></body>
</html>
"""


def folder_of(version: str) -> str:
    """The folder of a version: "1.0" for 1.0.0a1, 1.0.0 and 1.0.3."""
    release = Version(version).release
    return f"{release[0]}.{release[1] if len(release) > 1 else 0}"


def publish(built: Path, site: Path, version: str) -> None:
    """Put a site that was built among those of other versions.

    Args:
        built: its folder, which is moved.
        site: the folder of all versions. One of the same folder is replaced, others stay.
        version: "1.0.0a1", which the switcher shows.
    """
    target = site / folder_of(version)
    shutil.rmtree(target, ignore_errors=True)
    site.mkdir(parents=True, exist_ok=True)
    shutil.move(built, target)
    shown = _titles(site) | {target.name: version}
    names = sorted(_folders(site), key=Version, reverse=True)
    newest = next((n for n in names if not Version(shown.get(n, n)).is_prerelease), names[0])
    entries = [
        {
            "version": name,
            "title": shown.get(name, name),
            "aliases": [LATEST] if name == newest else [],
        }
        for name in names
    ]
    (site / "versions.json").write_text(json.dumps(entries, indent=2) + "\n")
    (site / "index.html").write_text(_TO_LATEST)
    shutil.rmtree(site / LATEST, ignore_errors=True)
    shutil.copytree(site / newest, site / LATEST)


def _folders(site: Path) -> list[str]:
    return [path.name for path in site.iterdir() if re.fullmatch(r"\d+\.\d+", path.name)]


def _titles(site: Path) -> dict[str, str]:
    """The full versions that were shown until now, by folder."""
    try:
        entries = json.loads((site / "versions.json").read_text())
    except FileNotFoundError:
        return {}
    return {entry["version"]: entry["title"] for entry in entries}
