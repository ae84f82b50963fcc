"""Compiled templates that the workers of a server share."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from atila.runtime import server_run

if TYPE_CHECKING:
    from jinja2 import Environment

    from atila import Atila

log = logging.getLogger("atila.render")

FOLDER = "templates"
"""In the private folder of the run, which is removed when the server ends."""


class RunCache(BytecodeCache):
    """Keeps compiled templates in the folder of the run; without one, and in development, none.

    Args:
        app: whose templates these are; those of another app in the same file are others.
    """

    def __init__(self, app: Atila) -> None:
        self._app = app
        self._folder: Path | None = None
        self._is_sought = False

    def get_bucket(
        self, environment: Environment, name: str, filename: str | None, source: str
    ) -> Bucket:
        """See jinja2.BytecodeCache."""
        key = hashlib.sha256(
            repr((self._identity(environment), name, filename)).encode()
        ).hexdigest()
        bucket = Bucket(environment, key, self.get_source_checksum(source))
        self.load_bytecode(bucket)
        return bucket

    def _identity(self, environment: Environment) -> tuple[Any, ...]:
        app = self._app
        extensions = tuple(sorted(environment.extensions))
        host = next((m.host for m in app.current_site.mounts if m.app is app), "")
        return app.import_name, app.mount_prefix, host, extensions

    def folder(self) -> Path | None:
        """Where they are; None for nowhere."""
        if self._app.debug or not self._app.config.TEMPLATE_CACHE:
            return None
        if not self._is_sought:
            self._is_sought = True
            try:
                if (run := server_run.find_folder()) is not None:
                    # Code is loaded from here, so it must be this user's alone: it sees to that.
                    server_run.make(run)
                    folder = run / FOLDER
                    folder.mkdir(mode=0o700, exist_ok=True)
                    self._folder = folder
            except OSError as error:
                log.warning("compiled templates are not shared: %s", error)
        return self._folder

    def load_bytecode(self, bucket: Bucket) -> None:
        """See jinja2.BytecodeCache."""
        folder = self.folder()
        if folder is None:
            return
        try:
            with open(folder / bucket.key, "rb") as file:
                bucket.load_bytecode(file)
        except OSError:
            pass

    def dump_bytecode(self, bucket: Bucket) -> None:
        """See jinja2.BytecodeCache."""
        folder = self.folder()
        if folder is None:
            return
        try:
            handle, path = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "wb") as file:
                bucket.write_bytecode(file)
            os.replace(path, folder / bucket.key)
        except OSError as error:
            log.warning("a compiled template is not shared: %s", error)
