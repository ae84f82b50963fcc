"""`app.config`: settings by attribute or by key."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "MAX_UPLOAD_SIZE": 256 * 1024 * 1024,
    "MAX_BODY_SIZE": 16 * 1024 * 1024,
    "MAX_FIELDS": 1000,
    "MAX_FILES": 100,
    "UPLOAD_FOLDER": None,
    "STATIC_FOLDERS": {},
    "THREADS": 32,
    "SPARE_THREADS": 64,
    "QUEUE_SIZE": 1024,
    "SHUTDOWN_TIMEOUT": 30.0,
    "ACCESS_LOG": None,
    "TRUSTED_PROXIES": (),
    "LOG_FORMAT": None,
    "METRICS": None,
    "HEALTH": None,
    "HEALTH_TIMEOUT": 5.0,
    "OPENAPI": None,
    "OPENAPI_INFO": None,
}
"""Settings of the core:

- MAX_UPLOAD_SIZE: bytes of a request body of any type; a larger one is refused with 413.
- MAX_BODY_SIZE: bytes of a body that is not multipart/form-data, and of all the text fields of one
  that is, if that is less.
- MAX_FIELDS: fields of a query string or form; more are refused with 400.
- MAX_FILES: files of a form; more are refused with 400.
- UPLOAD_FOLDER: where large bodies and uploaded files are while their request is processed; None
  for the system's temporary folder. On the disk of the folder they are saved to, saving is free.
- STATIC_FOLDERS: more folders of static files, by their URL: {"/docs": "/srv/docs"}.
- THREADS: worker threads of a process that work at a time, started as they are needed.
- SPARE_THREADS: threads that there may be besides, in place of those that wait for what others
  hold: for a task, a lock, a password hash.
- QUEUE_SIZE: requests that may wait for a thread; a further one is refused with 503.
- SHUTDOWN_TIMEOUT: seconds that running requests have to end when the server stops.
- ACCESS_LOG: "combined" or "json", a line for each request on the logger "atila.access"; None for
  none.
- TRUSTED_PROXIES: addresses and networks of the proxies before the server, ["10.0.0.0/8"]; what
  they tell of the client in X-Forwarded-For and X-Forwarded-Proto is believed. "unix" stands for
  peers of a Unix socket.
- LOG_FORMAT: "json", so that what apps and framework log is one object of JSON a line, or "text";
  where nobody else has configured logging. The environment variable ATILA_LOG_FORMAT goes before.
- METRICS: a path below the app's mount point, "/metrics", where the metrics of the whole site are,
  for Prometheus; None for none, and nothing is counted.
- HEALTH: a path below the app's mount point, "/health": "/health/live" answers 200 as long as the
  process can, "/health/ready" 200 or 503, by the readiness checks of the app. None for neither.
- HEALTH_TIMEOUT: seconds that each readiness check has.
- OPENAPI: a path below the app's mount point, "/openapi", where a page shows what the app answers
  and lets one try it; the document itself is there as "/openapi.json". None for neither.
- OPENAPI_INFO: title, version and what else is told of the app in it: {"title": "Shop"}.
"""


class Config(dict[str, Any]):
    """A dict whose keys are attributes too: `app.config.MAX_FIELDS`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None
