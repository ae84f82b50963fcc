"""Builds and serves the documentation site: `hatch run docs:build`, `hatch run docs:serve`.

    build/site/1.0.0a1/        the site of this version
    build/site/versions.json   all versions that are there; each page offers them
    build/site/index.html      leads to the newest

To publish, keep build/site between releases: a build replaces the folder of its own version alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import docs_checks
import docs_stage

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
SITE = BUILD / "site"
LOOK_SECONDS = 1.0


def main() -> int:
    """Do what the command line says; the exit code is 1 if the site has a mistake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["build", "serve"])
    parser.add_argument("--port", type=int, default=8000, help="of `serve`; 8000")
    options = parser.parse_args()
    version = tomllib.loads((ROOT / "packages/atila-core/pyproject.toml").read_text())
    folder = SITE / str(version["project"]["version"])
    docs_stage.stage(BUILD / "docs")
    config = write_config(folder)
    if options.command == "serve":
        return serve(config, options.port)
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(config)]
    if code := subprocess.run(command, cwd=BUILD, check=False).returncode:
        return code
    write_versions()
    problems = docs_checks.problems_of(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    pages = len(list(folder.rglob("*.html")))
    print(f"{folder.relative_to(ROOT)}: {pages} pages, {len(problems)} problems")
    return 1 if problems else 0


def write_config(folder: Path) -> Path:
    """Write the configuration with its folders, and return its path."""
    text = (ROOT / "zensical.toml").read_text()
    folders = f'docs_dir = "docs"\nsite_dir = "{folder.relative_to(BUILD)}"\n'
    path = BUILD / "zensical.toml"
    path.write_text(text.replace("[project]\n", f"[project]\n{folders}", 1))
    return path


def write_versions() -> None:
    """Write the list of the versions that are there, and the page that leads to the newest."""
    folders = [page.parent for page in SITE.glob("*/index.html")]
    names = [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime)][::-1]
    versions = [{"version": name, "title": name, "aliases": []} for name in names]
    (SITE / "versions.json").write_text(json.dumps(versions))
    (SITE / "index.html").write_text(
        "<!doctype html><title>Atila</title>"
        f'<meta http-equiv="refresh" content="0; url={names[0]}/">'
        f'<a href="{names[0]}/">Atila {names[0]}</a>'
    )


def serve(config: Path, port: int) -> int:
    """Serve the site until interrupted; a page that is saved is built again."""

    def follow() -> None:
        before = docs_stage.state()
        while True:
            time.sleep(LOOK_SECONDS)
            if (now := docs_stage.state()) != before:
                before = now
                docs_stage.stage(BUILD / "docs")

    threading.Thread(target=follow, daemon=True).start()
    command = [sys.executable, "-m", "zensical", "serve", "-f", str(config)]
    try:
        return subprocess.run([*command, "-a", f"localhost:{port}"], cwd=BUILD).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
