"""Login of the pages: a session, and the pages that begin and end it."""

from sqlalchemy.orm import Session

from atila import Was
from tracker import accounts, models
from tracker.apps import pages
from tracker.rendering import page


@pages.permission_handler
def permit(was: Was, permissions: list[str]) -> None:
    was.request.user = was.session.get("user")


@pages.provide
def me(was: Was) -> str:
    """The name of the user; of a route that asks for a login."""
    return str(was.request.user)


@pages.route("/login", methods=["GET"])
def login(was: Was) -> object:
    return login_page(was)


@pages.route("/login", methods=["POST"])
@pages.rate_limit(30, 60)
def log_in(was: Was, given: models.Credentials, db: Session) -> object:
    if not accounts.is_right(db, given):
        faults = {"password": "no account has this name and password"}
        return login_page(was, faults=faults, typed={"name": given.name}), 403
    return begin(was, given.name)


@pages.route("/sign-up", methods=["GET"])
def new_account(was: Was) -> object:
    return sign_up_page(was)


@pages.route("/sign-up", methods=["POST"])
@pages.rate_limit(30, 60)
def sign_up(was: Was, new: models.Credentials, db: Session) -> object:
    accounts.sign_up(was, db, new)
    return begin(was, new.name)


@pages.route("/logout", methods=["POST"])
def log_out(was: Was) -> object:
    was.session.expire()
    return was.redirect("/", "303 See Other")


def begin(was: Was, name: str) -> object:
    was.session.rotate()
    was.session["user"] = name
    return was.redirect(was.after_login(), "303 See Other")


def login_page(was: Was, **shown: object) -> object:
    return page(was, "account.j2", title="Log in", **shown)


def sign_up_page(was: Was, **shown: object) -> object:
    return page(was, "account.j2", title="Sign up", **shown)
