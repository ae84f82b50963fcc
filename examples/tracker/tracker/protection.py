"""What protects the pages, and how their forms come back with what was wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

from atila import HTTPError, Was
from tracker import models
from tracker.apps import pages
from tracker.issues import Issues
from tracker.login import login_page, sign_up_page
from tracker.pages import form_page, issue_page, list_page

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from other hosts, and no scripts or styles in the page itself."""


@pages.before_request
@pages.csrf_verification_required
def protect(was: Was) -> None:
    """Every form has a token that only pages of this app know."""
    set_headers(was)


def set_headers(was: Was) -> None:
    was.response.set_header("content-security-policy", POLICY)
    was.response.set_header("x-content-type-options", "nosniff")
    was.response.set_header("referrer-policy", "same-origin")


WORDS = {
    "required": "is missing",
    "min_length": "is too short",
    "max_length": "is too long",
    "pattern": "has other characters than it may have",
}
"""Of rules that users break; for others the framework's own words are plain enough."""


@pages.error_handler(400)
@pages.error_handler(409)
def with_faults(was: Was, error: HTTPError, issues: Issues) -> object:
    """The page of the form again. A fault is shown at its field, or else above the form."""
    faults = {
        each["at"].partition("[")[0]: WORDS.get(each["rule"], each["message"])
        for each in error.errors or ()
    }
    shown: dict[str, Any] = {"typed": was.request.FORM, "faults": faults, "detail": error.detail}
    if faults and was.request.FORM:
        shown["detail"] = "Please correct the fields that are marked."
    set_headers(was)
    return page_of_form(was, issues)(**shown)


def page_of_form(was: Was, issues: Issues) -> Callable[..., object]:
    match was.request.path.strip("/").split("/"):
        case ["new"]:
            return partial(form_page, was)
        case ["login"]:
            return partial(login_page, was)
        case ["sign-up"]:
            return partial(sign_up_page, was)
        case ["issues", number, *_] if len(number) < len(str(models.LARGEST)):
            return partial(issue_page, was, issues, int(number))
    return partial(list_page, was, issues, models.Filter())
