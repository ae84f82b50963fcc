"""Static and media files: folders whose files are served ahead of all routes."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from atila.errors import HTTPError, SetupError
from atila.http import codings, files
from atila.http.paths import below, is_within
from atila.http.response import FileBody
from atila.routing.router import Route
from atila.serving import compression
from atila.serving.endpoint import Endpoint

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.codings import Accepted
    from atila.http.exchange import Exchange
    from atila.routing.hosts import Hosts

DISABLE = "ATILA_DISABLE_STATIC"
"""Environment variable: whether another server has the files, by the switch --disable-static."""
INDEX = "index.html"
"""The file that a folder shows; there are no listings."""

Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Root:
    """Folders that are served at one URL; a file in more than one is taken from the first.

    Attributes:
        kind: "STATIC" or "MEDIA", or "FOLDER" for one that was mounted by itself.
        url: begins and ends with a slash.
        folders: absolute, each with a separator at its end.
        app: the app that they belong to.
        endpoint: answers for their files.
    """

    __slots__ = ("app", "endpoint", "folders", "kind", "url")

    def __init__(self, kind: str, url: str, folders: Sequence[str], app: Atila) -> None:
        self.kind = kind
        self.url = url
        self.folders = folders
        self.app = app
        self.endpoint = Endpoint(app, Route("", _serve, name=url), ())

    def find(self, name: str) -> File | None:
        """A file, by its path below the URL."""
        for folder in self.folders:
            path = folder + name
            try:
                # Cheaper than stat where there is nothing, which is nearly always.
                if not os.access(path, os.F_OK):
                    continue
            except ValueError:
                return None  # NUL, or no name that a file system has.
            if (safe := below(name)) is not None and (file := self._file(folder, safe)) is not None:
                return file
        return None

    def _file(self, folder: str, name: str) -> File | None:
        path = folder + name
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISREG(mode) and not path.endswith("/"):
                return File(self, folder, path)
            index = os.path.join(path, INDEX)
            if stat.S_ISDIR(mode) and stat.S_ISREG(os.stat(index).st_mode):
                return File(self, folder, index, lacks_slash=not path.endswith("/"))
        except OSError:
            pass
        return None


class File:
    """A file that was found.

    Attributes:
        root: the root that it is in.
        folder: the folder of the root that it must be in.
        path: the full path.
        lacks_slash: it is the index of a folder that was requested without a slash at the end, so
            that relative links in it would lead elsewhere.
    """

    __slots__ = ("folder", "lacks_slash", "path", "root")

    def __init__(self, root: Root, folder: str, path: str, *, lacks_slash: bool = False) -> None:
        self.root = root
        self.folder = folder
        self.path = path
        self.lacks_slash = lacks_slash

    def body(self) -> FileBody:
        """The file as an answer.

        Raises:
            HTTPError: 404, a symbolic link leads out of the folder.
        """
        if not is_within(self.folder, self.path):
            raise HTTPError(404)
        return FileBody(self.path)

    def precompressed(self, wanted: Accepted) -> FileBody | None:
        """The file as it is beside it, compressed and not older: "app.js.br"; None if there is none
        that the client takes.

        Args:
            wanted: the codings that the client accepts.
        """
        for coding in wanted.names:
            path = self.path + codings.SUFFIXES[coding]
            try:
                is_there = os.access(path, os.F_OK)
                if not is_there or os.stat(path).st_mtime < os.stat(self.path).st_mtime:
                    continue
            except OSError:
                continue
            if os.path.isfile(path) and is_within(self.folder, path):
                return FileBody(path, files.type_of(self.path), None, coding)
        return None


class StaticFiles:
    """All static folders of a site.

    Args:
        apps: their settings STATIC_URL and STATIC_ROOT, MEDIA_URL and MEDIA_ROOT, and
            STATIC_FOLDERS are read. The URLs are those of the site, wherever the app is mounted;
            the roots are a folder, or several.

    Raises:
        SetupError: an URL does not begin with a slash, or a folder does not exist.
    """

    def __init__(self, apps: Iterable[Atila]) -> None:
        self.roots: list[Root] = []
        for app in apps:
            for kind in ("STATIC", "MEDIA"):
                url = app.config[f"{kind}_URL"] or f"/{kind.lower()}"
                self._add(app, kind, url, app.config[f"{kind}_ROOT"])
            for url, folders in app.config.STATIC_FOLDERS.items():
                self._add(app, "FOLDER", url, folders)
        # "/static/maps/" before "/static/".
        self.roots.sort(key=lambda root: len(root.url), reverse=True)

    def _add(self, app: Atila, kind: str, url: str, chosen: Folders | None) -> None:
        folders = _listed(chosen)
        if not folders:
            return
        if not url.startswith("/"):
            raise SetupError(f'{kind}_URL of {app!r} must begin with a slash: "/{url}"')
        self.roots.append(Root(kind, url.rstrip("/") + "/", _absolute(folders, kind, app), app))

    @staticmethod
    def is_disabled() -> bool:
        """Whether requests for files are not to be answered; handlers still find them."""
        return bool(os.environ.get(DISABLE))

    def find(self, path: str, apps: Container[Atila] | None = None) -> File | None:
        """The file that is served at a path of the site.

        Args:
            path: decoded.
            apps: the apps of the host; None for all.
        """
        for root in self.roots:
            if not path.startswith(root.url) or (apps is not None and root.app not in apps):
                continue
            if (file := root.find(path[len(root.url) :])) is not None:
                return file
        return None

    def at(self, url: str) -> FileBody:
        """The file at an URL of the site, as an answer.

        Raises:
            HTTPError: 404, it is not there.
        """
        file = self.find(url)
        if file is None:
            raise HTTPError(404)
        return file.body()

    def of(self, app: Atila, kind: str, name: str) -> FileBody:
        """A file of an app's own folder, as an answer.

        Args:
            app: the app.
            kind: "STATIC" or "MEDIA".
            name: its path below the folder; or, with a slash at its beginning, its URL.

        Raises:
            HTTPError: 404, it is not there.
            SetupError: the app has no such folder.
        """
        for root in self.roots:
            if root.app is app and root.kind == kind:
                in_url = name.startswith(root.url)
                file = root.find(name.removeprefix(root.url) if in_url else name.lstrip("/"))
                if file is None:
                    raise HTTPError(404)
                return file.body()
        kind = kind.lower()
        raise SetupError(f"{app!r} has no {kind} folder; write pref.set_{kind}(url, folder)")

    def open(self, exchange: Exchange, hosts: Hosts) -> Was | None:
        """The endpoint for a request, if there is a file for it. Never blocks for long."""
        file = self.find(exchange.path)
        if file is not None and hosts.single is None:
            apps = [app for _, app in hosts.apps(exchange.host)]
            file = self.find(exchange.path, apps)
        if file is None or exchange.is_websocket:
            return None
        root = file.root
        return root.app.was_class()._begin(exchange, root.endpoint, {"file": file})


def _listed(folders: Folders | None) -> list[str]:
    if not folders:
        return []
    names = [folders] if isinstance(folders, str | os.PathLike) else folders
    return [os.path.abspath(os.fspath(name)) for name in names]


def _absolute(folders: Sequence[str], kind: str, app: Atila) -> list[str]:
    found = []
    for path in folders:
        if kind == "MEDIA":
            # Where uploads will be saved; nothing may have been so far.
            os.makedirs(path, exist_ok=True)
        if not os.path.isdir(path):
            raise SetupError(f"{kind}_ROOT of {app!r}: there is no folder {path}")
        found.append(os.path.join(path, ""))
    return found


def _serve(was: Was) -> FileBody:
    file: File = was.path_params["file"]
    if file.lacks_slash:
        raise moved(was.exchange)
    body = file.body()
    response = was.response
    # Not of media: a stranger's file could stand in for another.
    if was.app.config.COMPRESS and file.root.kind != "MEDIA":
        body = _as_accepted(was, file, body)
    age = was.app.config.STATIC_MAX_AGE
    # Else a browser guesses how long it may keep them (RFC 9111, section 4.2.2).
    response.set_max_age(age or 0)
    # Media may come from strangers: nothing is a script that does not say so.
    response.set_header("x-content-type-options", "nosniff")
    return body


def _as_accepted(was: Was, file: File, body: FileBody) -> FileBody:
    """A file, or the one beside it in a coding that the client prefers."""
    if not compression.is_compressible(files.type_of(file.path)):
        return body
    was.response.set_header("vary", "Accept-Encoding")
    found = file.precompressed(codings.accepted(was.exchange.header("accept-encoding")))
    return body if found is None else found


def moved(exchange: Exchange) -> HTTPError:
    """To the same path with a slash at its end, the method kept (RFC 9110, section 15.4.9)."""
    # Relative, and of the last segment only: no path can make it lead to another host.
    name = quote(exchange.full_path.rsplit("/", 1)[1], safe="")
    query = f"?{exchange.query}" if exchange.query else ""
    return HTTPError(308, "", 0, [("location", f"./{name}/{query}")])
