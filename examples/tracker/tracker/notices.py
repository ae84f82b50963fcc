"""What users are told: of comments after the answer, and of what is due by a job."""

import datetime
from collections.abc import Iterable

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from atila import Was
from tracker import tables, updates
from tracker.apps import pages


def of_comment(engine: Engine, number: int) -> None:
    """Notify those who have written in the issue of a comment."""
    with Session(engine) as db:
        comment = db.get_one(tables.Comment, number)
        issue = db.get_one(tables.Issue, comment.issue)
        concerned = {issue.author, *(each.author for each in issue.all_comments)}
        text = f"{comment.author} wrote on “{issue.title}”"
        notify(db, concerned - {comment.author}, issue.id, f"comment {number}", text)


@pages.maintain(1, once=True, threading=True)
def remind(was: Was, now: float, count: int, db: Session) -> None:
    """Notify authors of open issues that are due tomorrow or before; each hour, in one worker."""
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    due = select(tables.Issue).where(tables.Issue.state == "open", tables.Issue.due <= tomorrow)
    for issue in db.scalars(due).all():
        text = f"“{issue.title}” is due on {issue.due}"
        notify(db, [issue.author], issue.id, f"due {issue.due}", text)


def notify(db: Session, accounts: Iterable[str], issue: int, cause: str, text: str) -> None:
    """Of one cause each account gets one notice, whatever runs twice."""
    for account in accounts:
        notice = {"account": account, "issue": issue, "cause": cause, "text": text}
        made = db.execute(
            insert(tables.Notice)
            .values(notice)
            .on_conflict_do_nothing()
            .returning(tables.Notice.id)
        ).first()
        db.commit()
        if made:
            updates.announce_notice(account)
