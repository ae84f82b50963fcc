"""Deployment: a systemd unit, an Nginx configuration, and all static files in one folder."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from atila.errors import SetupError
from atila.http import codings
from atila.http.files import type_of
from atila.http.paths import below, is_within
from atila.launch import script as launch
from atila.serving import compression
from atila.serving.site import Site
from atila.serving.static import Root

COLLECTED = Path("dep", "nginx", ".static_files")
"""Where Skitai collects static files, beside the launch script; STATIC_ROOT in the environment
names another folder."""
MARK = ".collected-by-atila"
"""A file in a folder that was collected, and may be replaced."""
WORTH_IT = 256
"""Bytes of a static file from which on it is compressed."""
MARGIN = 10
"""Seconds that a server has to end, beside those for its requests."""

_TEMPLATES = files("atila.launch") / "deploy_templates"
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]*")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A launch script or app, as it is to be deployed.

    Attributes:
        target: see `launch.read`; the path of a script is absolute.
        folder: the folder of the script, or the working directory.
        site: the site that it serves.
        options: the options of `skitai.run`.
    """

    target: str
    folder: Path
    site: Site
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """That of `skitai.run(name=…)`, or else of the folder or module."""
        by_default = self.folder.name if self.target.endswith(".py") else self.target.split(":")[0]
        return str(self.options.get("name") or by_default)

    @property
    def address(self) -> str:
        """Where the proxy finds the server: "127.0.0.1:5000"."""
        host = str(self.options.get("address") or "127.0.0.1")
        # It may listen on all addresses; the proxy is on this machine.
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared
        return f"{host}:{self.options.get('port') or launch.DEFAULT_PORT}"

    @property
    def collected(self) -> Path:
        """The folder for its static files."""
        return Path(os.path.abspath(os.environ.get("STATIC_ROOT") or self.folder / COLLECTED))


def prepare(target: str) -> Deployment:
    """Read the target of a deployment.

    Raises:
        SetupError: it has a mistake in it.
    """
    is_script = target.endswith(".py")
    target = os.path.abspath(target) if is_script else target
    options = launch.read(target).options
    folder = Path(target).parent if is_script else Path.cwd()
    return Deployment(target, folder, _inspected(), options)


def prepared(script: str, options: Mapping[str, Any]) -> Deployment:
    """The same for a launch script that is running."""
    path = Path(os.path.abspath(script))
    return Deployment(str(path), path.parent, _inspected(), options)


def _inspected() -> Site:
    site = launch.build_site(trial=True)
    site.shutdown(0.0)
    return site


# systemd ------------------------------------------------------------------------------------------


def systemd_unit(deployment: Deployment, name: str = "", user: str = "", *more: str) -> str:
    """A unit file, systemd.service(5), that serves with `atila serve`.

    Args:
        deployment: the target.
        name: the name of the service; that of the deployment if not given.
        user: the user that runs it; the present one if not given.
        more: further arguments of `atila serve`.

    Raises:
        SetupError: the name is no name for a service.
    """
    name = name or deployment.name
    if not _NAME.fullmatch(name):
        raise SetupError(f"{name!r} is no name for a service; use letters, digits and - only")
    config = deployment.site.mounts[0].app.config
    command = [sys.executable, "-m", "atila", "serve", deployment.target, *more]
    return _filled(
        "systemd.service",
        NAME=name,
        USER=user or getpass.getuser(),
        FOLDER=_escaped(str(deployment.folder)),
        COMMAND=" ".join(map(_argument, command)),
        STOP_SECONDS=str(int(config.SHUTDOWN_TIMEOUT) + MARGIN),
    )


def _escaped(text: str) -> str:
    if any(char < " " for char in text):
        raise SetupError(f"{text!r} has characters in it that no unit file can hold")
    return text.replace("%", "%%")


def _argument(text: str) -> str:
    """An argument of a command, systemd.service(5), "COMMAND LINES"."""
    text = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else f'"{text}"'


# Nginx --------------------------------------------------------------------------------------------


def nginx_conf(deployment: Deployment, domain: str) -> str:
    """A configuration for Nginx, to be included in its `http` block.

    Static files are taken from the collected folder; all else comes from the server.

    Raises:
        SetupError: the domain is malformed.
    """
    if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
        raise SetupError(f"{domain!r} is no domain; write one like shop.example.com")
    sizes = [mount.app.config.MAX_UPLOAD_SIZE for mount in deployment.site.mounts]
    return _filled(
        "nginx.conf",
        DOMAIN=domain,
        UPSTREAM="atila_" + re.sub(r"\W", "_", domain),
        ADDRESS=deployment.address,
        MAX_BODY=str(max(sizes)),
        LOCATIONS="".join(_locations(deployment)),
    )


def _locations(deployment: Deployment) -> Iterator[str]:
    roots = {root.url: root for root in deployment.site.static.roots}
    for url, root in roots.items():
        if root.kind == "MEDIA":
            yield _media(url, root)
        else:
            yield _location(url, deployment.collected)
    if "/" not in roots:
        yield "    location / {\n        try_files /dev/null @app;\n    }\n"


def _location(url: str, folder: Path) -> str:
    return (
        f"    location {_quoted(url)} {{\n"
        f"        root {_quoted(str(folder))};\n"
        # A folder without its slash has to be sent to the one with it, which the server does.
        "        try_files $uri ${uri}index.html @app;\n"
        "        add_header X-Content-Type-Options nosniff;\n"
        # What `collect_static` has compressed; br and zstd need modules that few builds have.
        "        gzip_static on;\n"
        "        gzip_vary on;\n"
        "        # brotli_static on;\n"
        "        # zstd_static on;\n"
        "    }\n"
    )


def _media(url: str, root: Root) -> str:
    return (
        f"    location {_quoted(url)} {{\n"
        f"        alias {_quoted(root.folders[0])};\n"
        "        disable_symlinks if_not_owner;\n"
        "        error_page 403 404 = @app;\n"
        "        add_header X-Content-Type-Options nosniff;\n"
        # What is hidden stays so, as it is without Nginx.
        "        location ~ /\\. {\n            return 404;\n        }\n"
        "    }\n"
    )


def _quoted(text: str) -> str:
    if any(char in "\"'$\\{};" or char < " " for char in text):
        raise SetupError(f"{text!r} cannot be written into a configuration of Nginx; rename it")
    return f'"{text}"' if " " in text else text


# Static files -------------------------------------------------------------------------------------


def collect_static(deployment: Deployment, folder: Path | None = None) -> tuple[Path, int]:
    """Copy all static files into one folder, each to the path of its URL; media are not copied.
    Beside those that become shorter lie compressed ones: app.js.gz, app.js.br, app.js.zst.

    The folder is replaced at once, when everything has been copied.

    Returns:
        The folder, and the number of files that were copied to it.

    Raises:
        SetupError: the folder holds something that was not collected.
    """
    folder = folder or deployment.collected
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise SetupError(f"{folder} holds other files; remove it, or choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".collecting-", dir=folder.parent))
    try:
        for path, target in _servable(deployment.site):
            (fresh / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, fresh / target)
        copied = [each for each in fresh.rglob("*") if each.is_file()]
        for each in copied:
            _precompress(each)
        count = len(copied)
        (fresh / MARK).touch()
        fresh.chmod(0o755)  # Nginx reads it as another user.
        _replace(folder, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder, count


def _servable(site: Site) -> Iterator[tuple[str, str]]:
    """The files that are served, and their URLs without the slash; later ones win."""
    for root in reversed(site.static.roots):
        if root.kind == "MEDIA":
            continue
        for folder in reversed(root.folders):
            for path in sorted(Path(folder).rglob("*")):
                name = path.relative_to(folder).as_posix()
                if path.is_file() and below(name) is not None and is_within(folder, str(path)):
                    yield str(path), root.url[1:] + name


def _precompress(path: Path) -> None:
    """Write the compressed forms of a file beside it, but for those that are there already."""
    if not compression.is_compressible(type_of(str(path))) or path.stat().st_size < WORTH_IT:
        return
    data, info = path.read_bytes(), path.stat()
    for coding in codings.installed().values():
        beside = path.with_name(path.name + codings.SUFFIXES[coding.name])
        if not beside.exists() and len(packed := coding.best(data)) < len(data):
            beside.write_bytes(packed)
            # Neither older than the file, nor another at each time that it is collected.
            os.utime(beside, ns=(info.st_atime_ns, info.st_mtime_ns))
            beside.chmod(info.st_mode & 0o777)


def _replace(folder: Path, fresh: Path) -> None:
    old = fresh.with_name(fresh.name + "-old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


# Switches of a launch script ----------------------------------------------------------------------


def from_switches(script: str, options: Mapping[str, Any], domain: str | None) -> Iterator[str]:
    """Run the switches of `python serve.py`: `--collect-static`, or `--nginx-conf=DOMAIN`.

    Yields:
        Messages for the terminal.
    """
    deployment = prepared(script, options)
    folder, count = collect_static(deployment)
    yield f"{count} static files collected in {folder}"
    if domain is not None:
        text = nginx_conf(deployment, domain)
        path = folder.parent / f"{domain}.conf"
        path.write_text(text, "utf-8")
        yield f"configuration for Nginx written: {path}"


def _filled(template: str, **values: str) -> str:
    text = (_TEMPLATES / template).read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
