"""The pages. Their forms take the same models as the API."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from atila import Query, Upload, Was
from tracker import models, tables
from tracker.apps import pages
from tracker.issues import Issues
from tracker.models import Number
from tracker.rendering import page


@pages.route("/", methods=["GET"])
def index(was: Was, filter: Annotated[models.Filter, Query()], issues: Issues) -> object:
    return list_page(was, issues, filter)


def list_page(was: Was, issues: Issues, filter: models.Filter, **shown: object) -> object:
    found = issues.find(filter)

    def link(number: int) -> str:
        fields = msgspec.to_builtins(msgspec.structs.replace(filter, page=number))
        return "/?" + urlencode({name: it for name, it in fields.items() if it}, doseq=True)

    last = -(-found.total // filter.size)
    return page(was, "list.j2", found=found, filter=filter, link=link, last=last, **shown)


@pages.route("/new", methods=["GET"])
@pages.login_required
def new_issue(was: Was) -> object:
    return form_page(was)


@pages.route("/new", methods=["POST"])
@pages.login_required
def open_issue(was: Was, new: models.NewIssue, issues: Issues, me: str) -> object:
    return to_issue(was, issues.open(new, me).id)


def form_page(was: Was, **shown: object) -> object:
    return page(was, "form.j2", **shown)


@pages.route("/issues/<int:issue>", methods=["GET"])
def show_issue(was: Was, issue: Number, issues: Issues) -> object:
    return issue_page(was, issues, issue)


def issue_page(was: Was, issues: Issues, number: int, **shown: object) -> object:
    return page(was, "issue.j2", issue=issues.get(number), **shown)


@pages.route("/issues/<int:issue>", methods=["POST"])
@pages.login_required
def change_issue(was: Was, issue: Number, changes: models.Changes, issues: Issues) -> object:
    issues.change(issue, changes)
    return to_issue(was, issue)


@pages.route("/issues/<int:issue>/comments", methods=["POST"])
@pages.login_required
def comment(
    was: Was,
    issue: Number,
    new: models.NewComment,
    issues: Issues,
    me: str,
    reply_to: Number | None = None,
) -> object:
    issues.comment(issue, new, me, reply_to)
    return to_issue(was, issue, "#comments")


@pages.route("/issues/<int:issue>/attachments", methods=["POST"])
@pages.login_required
def attach(was: Was, issue: Number, file: Upload, issues: Issues, folder: Path) -> object:
    issues.attach(issue, file, folder)
    return to_issue(was, issue, "#attachments")


@pages.route("/attachments/<int:attachment>", methods=["GET"])
def download(was: Was, attachment: Number, issues: Issues) -> object:
    return issues.attachment(attachment)


def to_issue(was: Was, number: int, part: str = "") -> object:
    return was.redirect(f"/issues/{number}{part}", "303 See Other")


@pages.route("/notices", methods=["GET"])
@pages.login_required
def notices(was: Was, db: Session, me: str) -> object:
    mine = select(tables.Notice).where(tables.Notice.account == me)
    rows = db.scalars(mine.order_by(tables.Notice.id.desc()).limit(100)).all()
    return page(was, "notices.j2", notices=rows)


@pages.route("/notices", methods=["POST"])
@pages.login_required
def clear_notices(was: Was, db: Session, me: str) -> object:
    db.execute(delete(tables.Notice).where(tables.Notice.account == me))
    db.commit()
    return was.redirect("/notices", "303 See Other")
