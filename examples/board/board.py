"""Handlers that use Django's models."""

# ruff: noqa: E402 - models can be imported when Django is set up

import datetime
import os
from typing import Annotated, Literal

import django
from msgspec import Meta, Struct

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.db import close_old_connections
from notices.models import Notice

from atila import Atila

app = Atila(__name__)


class NewNotice(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class Shown(Struct):
    id: int
    title: str
    text: str
    written: datetime.datetime


@app.before_request
@app.teardown_request
def tidy(was):
    # As Django does around each request of its own.
    close_old_connections()


@app.route("/notices", methods=["GET"])
def notices(was, search: Annotated[str, Meta(max_length=100)] = "") -> list[Shown]:
    """Those that the admin has approved, the newest first."""
    found = Notice.objects.filter(approved=True, title__icontains=search)
    return [shown(each) for each in found.order_by("-id")[:50]]


@app.route("/notices", methods=["POST"])
def write(was, new: NewNotice) -> tuple[Shown, Literal[202]]:
    """A notice, which waits until the admin approves it."""
    return shown(Notice.objects.create(title=new.title, text=new.text)), 202


def shown(notice):
    return Shown(notice.id, notice.title, notice.text, notice.written)
