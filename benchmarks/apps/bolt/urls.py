"""Django's own pages: none."""

from typing import Any

urlpatterns: list[Any] = []
