"""The handlers. What they take is said by their annotations; what they need, by its name."""

import datetime
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from sqlalchemy import Engine, String, cast, create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atila import Atila, Query, Upload, Was
from atila_auth import hash_password, verify_password
from tracker import models, tables
from tracker.models import Number

app = Atila("tracker")
app.config.OPENAPI_PATH = "/docs"
app.config.OPENAPI_INFO = {"title": "Tracker", "version": "1"}
app.config.MAX_UPLOAD_SIZE = 5 * 2**20
app.config.JWT_REQUIRED = ["exp"]


# What handlers need -----------------------------------------------------------------------------


@app.provide(scope="app")
def folder() -> Path:
    """Where the database and the attachments are."""
    folder = Path(os.environ.get("TRACKER_DATA", "data"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@app.provide(scope="app")
def engine(folder: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{folder}/tracker.sqlite3", connect_args={"timeout": 30})
    tables.Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@app.provide
def db(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@app.provide
def me(was: Was) -> str:
    """The name of the user; of a route that asks for a token."""
    return str(was.request.user["name"])


# Accounts ---------------------------------------------------------------------------------------


@app.route("/accounts", methods=["POST"])
@app.rate_limit(30, 60)
def sign_up(was: Was, new: models.Credentials, db: Session) -> tuple[models.Token, Literal[201]]:
    """Make an account."""
    db.add(tables.Account(name=new.name, password=hash_password(new.password)))
    try:
        db.commit()
    except IntegrityError:
        raise was.Error(409, f"the name {new.name} is taken") from None
    return token_for(was, new.name), 201


@app.route("/login", methods=["POST"])
@app.rate_limit(30, 60)
def log_in(was: Was, given: models.Credentials, db: Session) -> models.Token:
    """Get a token, which is sent as `Authorization: Bearer …`."""
    account = db.get(tables.Account, given.name)
    if not verify_password(given.password, account.password if account else None):
        raise was.Error(403, "no such name and password")
    return token_for(was, given.name)


def token_for(was: Was, name: str) -> models.Token:
    return models.Token(was.encode_jwt({"name": name, "exp": time.time() + 8 * 3600}))


# Issues -----------------------------------------------------------------------------------------


@app.route("/issues", methods=["GET"])
def list_issues(was: Was, filter: Annotated[models.Filter, Query()], db: Session) -> models.Page:
    """Find issues, the newest first."""
    found = select(tables.Issue)
    if filter.state is not None:
        found = found.where(tables.Issue.state == filter.state.value)
    if filter.due_before is not None:
        found = found.where(tables.Issue.due < filter.due_before)
    if filter.text:
        found = found.where(tables.Issue.title.contains(filter.text, autoescape=True))
    for label in filter.label:
        found = found.where(cast(tables.Issue.labels, String).contains(f'"{label.value}"'))
    total = db.scalar(select(func.count()).select_from(found.subquery())) or 0
    start = (filter.page - 1) * filter.size
    rows = db.scalars(found.order_by(tables.Issue.id.desc()).offset(start).limit(filter.size))
    shown = msgspec.convert(rows.all(), list[models.Summary], from_attributes=True)
    return models.Page(shown, total, filter.page)


@app.route("/issues", methods=["POST"])
@app.authorization_required("bearer")
def open_issue(
    was: Was, new: models.NewIssue, db: Session, me: str
) -> tuple[models.Issue, Literal[201]]:
    """Open an issue, with the comments that it had elsewhere."""
    issue = tables.Issue(
        author=me, title=new.title, text=new.text, labels=values(new.labels), due=new.due
    )
    db.add(issue)
    db.flush()
    add_comments(was, db, issue, new.comments, me)
    db.commit()
    return shown(issue), 201


@app.route("/issues/<int:issue>", methods=["GET"])
def show_issue(was: Was, issue: Number, db: Session) -> models.Issue:
    """An issue with all that belongs to it."""
    return shown(found(was, db, issue))


@app.route("/issues/<int:issue>", methods=["PATCH"])
@app.authorization_required("bearer")
def change_issue(was: Was, issue: Number, changes: models.Changes, db: Session) -> models.Issue:
    """Change what is given."""
    row = found(was, db, issue)
    given = msgspec.to_builtins(changes, builtin_types=[datetime.date])
    for name, value in given.items():
        setattr(row, name, value)
    db.commit()
    return shown(row)


@app.route("/issues/<int:issue>/comments", methods=["POST"])
@app.authorization_required("bearer")
def comment(
    was: Was,
    issue: Number,
    new: models.NewComment,
    db: Session,
    me: str,
    reply_to: Number | None = None,
) -> tuple[models.Issue, Literal[201]]:
    """Comment on an issue, or reply to one of its comments."""
    row = found(was, db, issue)
    parent = db.get(tables.Comment, reply_to) if reply_to else None
    if reply_to and (parent is None or parent.issue != issue):
        raise was.Error(404, f"issue {issue} has no comment {reply_to}")
    add_comments(was, db, row, [new], me, parent)
    db.commit()
    return shown(row), 201


def found(was: Was, db: Session, number: int) -> tables.Issue:
    row = db.get(tables.Issue, number)
    if row is None:
        raise was.Error(404, f"there is no issue {number}")
    return row


def shown(row: tables.Issue) -> models.Issue:
    return msgspec.convert(row, models.Issue, from_attributes=True)


def values(labels: set[models.Label]) -> list[str]:
    return sorted(label.value for label in labels)


def add_comments(
    was: Was,
    db: Session,
    issue: tables.Issue,
    comments: list[models.NewComment],
    author: str,
    parent: tables.Comment | None = None,
) -> None:
    depth = parent.depth + 1 if parent else 1
    if comments and depth > tables.DEEPEST:
        raise was.Error(409, f"replies go {tables.DEEPEST} deep at most")
    for new in comments:
        row = tables.Comment(
            parent=parent.id if parent else None, depth=depth, author=author, text=new.text
        )
        issue.all_comments.append(row)
        db.flush()
        add_comments(was, db, issue, new.replies, author, row)


# Attachments ------------------------------------------------------------------------------------


@app.route("/issues/<int:issue>/attachments", methods=["POST"])
@app.authorization_required("bearer")
def attach(
    was: Was, issue: Number, file: Upload, db: Session, folder: Path
) -> tuple[models.Attachment, Literal[201]]:
    """Attach a file to an issue."""
    found(was, db, issue)
    path = file.save(folder / "attachments", mkdir=True)
    row = tables.Attachment(issue=issue, name=file.name, size=file.size, path=path)
    db.add(row)
    db.commit()
    return msgspec.convert(row, models.Attachment, from_attributes=True), 201


@app.route("/attachments/<int:attachment>", methods=["GET"])
def download(was: Was, attachment: Number, db: Session) -> object:
    """The file, to be saved."""
    row = db.get(tables.Attachment, attachment)
    if row is None:
        raise was.Error(404, f"there is no attachment {attachment}")
    return was.File(row.path, "application/octet-stream", row.name)
