"""What is done with issues, by the API and by the pages alike."""

import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine, String, cast, func, select
from sqlalchemy.orm import Session

from atila import Upload, Was
from tracker import models, notices, tables, updates
from tracker.apps import api, pages


class Issues:
    """The issues, as handlers take them: `issues: Issues`."""

    def __init__(self, was: Was, db: Session, engine: Engine) -> None:
        self.was = was
        self.db = db
        self.engine = engine

    def find(self, filter: models.Filter) -> models.Page:
        """The newest first."""
        found = select(tables.Issue)
        if filter.state is not None:
            found = found.where(tables.Issue.state == filter.state.value)
        if filter.due_before is not None:
            found = found.where(tables.Issue.due < filter.due_before)
        if filter.text:
            found = found.where(tables.Issue.title.contains(filter.text, autoescape=True))
        for label in filter.label:
            found = found.where(cast(tables.Issue.labels, String).contains(f'"{label.value}"'))
        total = self.db.scalar(select(func.count()).select_from(found.subquery())) or 0
        start = (filter.page - 1) * filter.size
        rows = self.db.scalars(
            found.order_by(tables.Issue.id.desc()).offset(start).limit(filter.size)
        )
        shown = msgspec.convert(rows.all(), list[models.Summary], from_attributes=True)
        return models.Page(shown, total, filter.page)

    def get(self, number: int) -> models.Issue:
        return _shown(self._row(number))

    def open(self, new: models.NewIssue, author: str) -> models.Issue:
        """Open an issue, with the comments that it had elsewhere."""
        labels = sorted(label.value for label in new.labels)
        row = tables.Issue(
            author=author, title=new.title, text=new.text, labels=labels, due=new.due
        )
        self.db.add(row)
        self.db.flush()
        self._add_comments(row, new.comments, author)
        self._commit(row.id)
        return _shown(row)

    def change(self, number: int, changes: models.Changes) -> models.Issue:
        """Change what is given."""
        row = self._row(number)
        given = msgspec.to_builtins(changes, builtin_types=[datetime.date])
        for name, value in given.items():
            setattr(row, name, value)
        self._commit(number)
        return _shown(row)

    def comment(
        self, number: int, new: models.NewComment, author: str, reply_to: int | None
    ) -> models.Issue:
        """Comment on an issue, or reply to one of its comments."""
        row = self._row(number)
        parent = self.db.get(tables.Comment, reply_to) if reply_to else None
        if reply_to and (parent is None or parent.issue != number):
            raise self.was.Error(404, f"issue {number} has no comment {reply_to}")
        comment = self._add_comments(row, [new], author, parent)
        self._commit(number)
        # Nobody has to wait for it.
        self.was.after(notices.of_comment, self.engine, comment)
        return _shown(row)

    def attach(self, number: int, file: Upload, folder: Path) -> models.Attachment:
        self._row(number)
        path = file.save(folder / "attachments", mkdir=True)
        row = tables.Attachment(issue=number, name=file.name, size=file.size, path=path)
        self.db.add(row)
        self._commit(number)
        return msgspec.convert(row, models.Attachment, from_attributes=True)

    def attachment(self, number: int) -> object:
        """The file, to be saved."""
        row = self.db.get(tables.Attachment, number)
        if row is None:
            raise self.was.Error(404, f"there is no attachment {number}")
        return self.was.File(row.path, "application/octet-stream", row.name)

    def _row(self, number: int) -> tables.Issue:
        row = self.db.get(tables.Issue, number)
        if row is None:
            raise self.was.Error(404, f"there is no issue {number}")
        return row

    def _commit(self, number: int) -> None:
        self.db.commit()
        updates.announce(number)

    def _add_comments(
        self,
        issue: tables.Issue,
        comments: list[models.NewComment],
        author: str,
        parent: tables.Comment | None = None,
    ) -> int:
        """Gives the number of the last of them; 0 for none."""
        depth = parent.depth + 1 if parent else 1
        last = 0
        if comments and depth > tables.DEEPEST:
            raise self.was.Error(409, f"replies go {tables.DEEPEST} deep at most")
        for new in comments:
            row = tables.Comment(
                parent=parent.id if parent else None, depth=depth, author=author, text=new.text
            )
            issue.all_comments.append(row)
            self.db.flush()
            last = row.id
            self._add_comments(issue, new.replies, author, row)
        return last


@api.provide
@pages.provide
def issues(was: Was, db: Session, engine: Engine) -> Issues:
    return Issues(was, db, engine)


def _shown(row: tables.Issue) -> models.Issue:
    return msgspec.convert(row, models.Issue, from_attributes=True)
