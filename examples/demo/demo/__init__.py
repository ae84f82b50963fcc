"""A dashboard of this very server: each part is a module, and its source is on the page."""

# Each adds its routes to the app.
from demo import chat, guestbook, guide, hello, live, login, order, page, three  # noqa: F401
from demo.site import app

__all__ = ["app"]
