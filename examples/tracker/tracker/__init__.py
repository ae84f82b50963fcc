"""An issue tracker: an API and pages over the same functions, tables and models."""

# Each adds its handlers to the apps.
from tracker import api, login, notices, pages, protection, updates  # noqa: F401
