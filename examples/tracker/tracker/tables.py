"""The tables, by SQLAlchemy 2."""

import datetime

from sqlalchemy import JSON, DateTime, Dialect, Engine, ForeignKey, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

DEEPEST = 50
"""How deep replies to replies go."""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class UtcTime(TypeDecorator[datetime.datetime]):
    """SQLite keeps no time zones: times are stored as UTC, and are UTC when they are read."""

    impl = DateTime
    cache_ok = True

    def process_result_value(
        self, value: datetime.datetime | None, dialect: Dialect
    ) -> datetime.datetime | None:
        return value and value.replace(tzinfo=datetime.UTC)


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    name: Mapped[str] = mapped_column(primary_key=True)
    password: Mapped[str]


class Issue(Base):
    __tablename__ = "issue"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(ForeignKey(Account.name))
    opened: Mapped[datetime.datetime] = mapped_column(UtcTime, default=now)
    title: Mapped[str]
    text: Mapped[str]
    state: Mapped[str] = mapped_column(default="open", index=True)
    labels: Mapped[list[str]] = mapped_column(JSON)
    due: Mapped[datetime.date | None]
    all_comments: Mapped[list["Comment"]] = relationship(order_by="Comment.id")
    attachments: Mapped[list["Attachment"]] = relationship(order_by="Attachment.id")

    @property
    def comments(self) -> list["Comment"]:
        """Those that are no replies; all of the issue are loaded at once."""
        replies: dict[int | None, list[Comment]] = {}
        for comment in self.all_comments:
            replies.setdefault(comment.parent, []).append(comment)
        for comment in self.all_comments:
            comment.replies = replies.get(comment.id, [])
        return replies.get(None, [])


class Comment(Base):
    __tablename__ = "comment"
    id: Mapped[int] = mapped_column(primary_key=True)
    issue: Mapped[int] = mapped_column(ForeignKey(Issue.id), index=True)
    parent: Mapped[int | None] = mapped_column(ForeignKey("comment.id"))
    depth: Mapped[int] = mapped_column(default=1)
    author: Mapped[str] = mapped_column(ForeignKey(Account.name))
    written: Mapped[datetime.datetime] = mapped_column(UtcTime, default=now)
    text: Mapped[str]
    replies: list["Comment"]
    __allow_unmapped__ = True


class Attachment(Base):
    __tablename__ = "attachment"
    id: Mapped[int] = mapped_column(primary_key=True)
    issue: Mapped[int] = mapped_column(ForeignKey(Issue.id), index=True)
    name: Mapped[str]
    size: Mapped[int]
    path: Mapped[str]


class Notice(Base):
    """What a user should know; of one cause once."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("account", "issue", "cause"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey(Account.name))
    issue: Mapped[int] = mapped_column(ForeignKey(Issue.id))
    cause: Mapped[str]
    text: Mapped[str]
    made: Mapped[datetime.datetime] = mapped_column(UtcTime, default=now)


def prepare(engine: Engine) -> None:
    """Make the tables. Several workers may come at once: the first one does it."""
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        Base.metadata.create_all(connection)
