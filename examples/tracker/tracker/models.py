"""What clients send and get. The types are the validation, and the schemas of /docs."""

import datetime
import enum
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z0-9_-]+$")]
Password = Annotated[str, Meta(min_length=8, max_length=200, pattern=r"^[^\x00]*$")]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=10_000)]
LARGEST = 2**63 - 1
"""What SQLite takes for an integer."""
Number = Annotated[int, Meta(ge=1, le=LARGEST)]


class Label(enum.Enum):
    BUG = "bug"
    IDEA = "idea"
    QUESTION = "question"


class State(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"


class Credentials(Struct, forbid_unknown_fields=True):
    name: Name
    password: Password


class Token(Struct):
    token: str


class NewComment(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=10_000)]
    replies: list["NewComment"] = []


class NewIssue(Struct, forbid_unknown_fields=True):
    title: Title
    text: Text = ""
    labels: set[Label] = set()
    due: datetime.date | None = None
    comments: list[NewComment] = []


class Changes(Struct, forbid_unknown_fields=True):
    """Of an issue; what is not given stays."""

    title: Title | UnsetType = UNSET
    text: Text | UnsetType = UNSET
    state: State | UnsetType = UNSET
    labels: set[Label] | UnsetType = UNSET
    due: datetime.date | UnsetType | None = UNSET


class Filter(Struct, forbid_unknown_fields=True):
    state: State | None = None
    label: set[Label] = set()
    due_before: datetime.date | None = None
    text: Annotated[str, Meta(max_length=100)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 20


class Comment(Struct):
    id: int
    author: str
    written: datetime.datetime
    text: str
    replies: list["Comment"]


class Attachment(Struct):
    id: int
    name: str
    size: int


class Summary(Struct):
    id: int
    title: str
    state: State
    labels: list[Label]
    due: datetime.date | None
    author: str


class Issue(Summary):
    text: str
    opened: datetime.datetime
    comments: list[Comment]
    attachments: list[Attachment]


class Notice(Struct):
    issue: int
    text: str
    made: datetime.datetime


class Page(Struct):
    issues: list[Summary]
    total: int
    page: int
