"""Records that a session or token is no longer valid, for all workers and, if asked, across
restarts.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from atila import SetupError
from atila.app import settings
from atila.runtime.keeping import forget, kept
from atila.runtime.shared_embedded import EmbeddedShared

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.runtime.shared import Shared

SETTINGS = {"REVOCATIONS_FOLDER": settings.folder(None)}
"""Settings of an app:

- REVOCATIONS_FOLDER: where ended sessions, revoked one-time tokens and used one-time passwords are
  noted, so that they stay so when the server is started anew; None to forget them with it.
"""

_KEY = "revocations"

SLACK = 7200.0
"""Seconds that a record is kept longer than the session or token that it revokes is valid. That is
valid until a time of the day: again, then, after the clock was put back, or on a host whose clock
is behind.
"""


def of(was: Was) -> Shared:
    """The revocations of an app.

    Raises:
        SetupError: the folder cannot be used.
    """
    if was.app.config.REVOCATIONS_FOLDER is None:
        return was.site.shared
    return kept(was.app, _KEY, lambda: _opened(was))


def check(app: Atila) -> None:
    """Check the setting when the app is mounted.

    Raises:
        SetupError: the folder cannot be used.
    """
    if app.config.REVOCATIONS_FOLDER is not None:
        _folder(app)


def _opened(was: Was) -> Shared:
    app = was.app
    shared = EmbeddedShared(_folder(app), lasting=True)

    def close() -> None:
        forget(app, _KEY)
        shared.close()

    was.site.on_shutdown(close)
    was.site.shared_states.append(shared)
    return shared


def _folder(app: Atila) -> Path:
    folder = Path(app.config.REVOCATIONS_FOLDER)
    name = f"app.config.REVOCATIONS_FOLDER = {str(folder)!r}"
    if not folder.is_absolute():
        raise SetupError(f"{name} must be an absolute path: servers start in many folders")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise SetupError(f"{name} cannot be used: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SetupError(f"{name} is open to other users. Mend: chmod 700 {folder}")
    return folder
