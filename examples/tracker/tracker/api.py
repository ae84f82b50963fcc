"""The API. What handlers take is said by their annotations; what they need, by its name."""

import time
from pathlib import Path
from typing import Annotated, Literal

from sqlalchemy.orm import Session

from atila import Query, Upload, Was
from tracker import accounts, models
from tracker.apps import LOGIN_SECONDS, api
from tracker.issues import Issues
from tracker.models import Number


@api.provide
def me(was: Was) -> str:
    """The name of the user; of a route that asks for a token."""
    return str(was.request.user["name"])


@api.route("/accounts", methods=["POST"])
@api.rate_limit(30, 60)
def sign_up(was: Was, new: models.Credentials, db: Session) -> tuple[models.Token, Literal[201]]:
    """Make an account."""
    accounts.sign_up(was, db, new)
    return token_for(was, new.name), 201


@api.route("/login", methods=["POST"])
@api.rate_limit(30, 60)
def log_in(was: Was, given: models.Credentials, db: Session) -> models.Token:
    """Get a token, which goes into the header Authorization, after “Bearer”."""
    if not accounts.is_right(db, given):
        raise was.Error(403, "no such name and password")
    return token_for(was, given.name)


def token_for(was: Was, name: str) -> models.Token:
    return models.Token(was.encode_jwt({"name": name, "exp": time.time() + LOGIN_SECONDS}))


@api.route("/issues", methods=["GET"])
def list_issues(was: Was, filter: Annotated[models.Filter, Query()], issues: Issues) -> models.Page:
    """Find issues, the newest first."""
    return issues.find(filter)


@api.route("/issues", methods=["POST"])
@api.authorization_required("bearer")
def open_issue(
    was: Was, new: models.NewIssue, issues: Issues, me: str
) -> tuple[models.Issue, Literal[201]]:
    """Open an issue, with the comments that it had elsewhere."""
    return issues.open(new, me), 201


@api.route("/issues/<int:issue>", methods=["GET"])
def show_issue(was: Was, issue: Number, issues: Issues) -> models.Issue:
    """An issue with all that belongs to it."""
    return issues.get(issue)


@api.route("/issues/<int:issue>", methods=["PATCH"])
@api.authorization_required("bearer")
def change_issue(was: Was, issue: Number, changes: models.Changes, issues: Issues) -> models.Issue:
    """Change what is given."""
    return issues.change(issue, changes)


@api.route("/issues/<int:issue>/comments", methods=["POST"])
@api.authorization_required("bearer")
def comment(
    was: Was,
    issue: Number,
    new: models.NewComment,
    issues: Issues,
    me: str,
    reply_to: Number | None = None,
) -> tuple[models.Issue, Literal[201]]:
    """Comment on an issue, or reply to one of its comments."""
    return issues.comment(issue, new, me, reply_to), 201


@api.route("/issues/<int:issue>/attachments", methods=["POST"])
@api.authorization_required("bearer")
def attach(
    was: Was, issue: Number, file: Upload, issues: Issues, folder: Path
) -> tuple[models.Attachment, Literal[201]]:
    """Attach a file to an issue."""
    return issues.attach(issue, file, folder), 201


@api.route("/attachments/<int:attachment>", methods=["GET"])
def download(was: Was, attachment: Number, issues: Issues) -> object:
    """The file, to be saved."""
    return issues.attachment(attachment)
