"""The two apps, their settings, and what the handlers of both need."""

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from atila import Atila
from tracker import tables

LOGIN_SECONDS = 8 * 3600

api = Atila("tracker.api")
api.config.OPENAPI_PATH = "/docs"
api.config.OPENAPI_INFO = {"title": "Tracker", "version": "1"}
api.config.MAX_UPLOAD_SIZE = 5 * 2**20
api.config.JWT_REQUIRED = ["exp"]

pages = Atila("tracker")
pages.config.MAX_UPLOAD_SIZE = 5 * 2**20
pages.config.MAINTAIN_INTERVAL = 3600
pages.session_timeout = LOGIN_SECONDS
pages.login_page = "login"  # Visitors are sent there, and then back.


@api.provide(scope="app")
@pages.provide(scope="app")
def folder() -> Path:
    """Where the database and the attachments are."""
    folder = Path(os.environ.get("TRACKER_DATA", "data"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@api.provide(scope="app")
@pages.provide(scope="app")
def engine(folder: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{folder}/tracker.sqlite3", connect_args={"timeout": 30})
    tables.prepare(engine)
    yield engine
    engine.dispose()


@api.provide
@pages.provide
def db(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session
