"""Accounts: made once, and checked at each login."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atila import Was
from atila_auth import hash_password, verify_password
from tracker import models, tables


def sign_up(was: Was, db: Session, new: models.Credentials) -> None:
    db.add(tables.Account(name=new.name, password=hash_password(new.password)))
    try:
        db.commit()
    except IntegrityError:
        raise was.Error(409, f"the name {new.name} is taken") from None


def is_right(db: Session, given: models.Credentials) -> bool:
    account = db.get(tables.Account, given.name)
    return verify_password(given.password, account.password if account else None)
