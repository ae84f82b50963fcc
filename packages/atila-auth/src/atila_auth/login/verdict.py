"""Calls a handler of the app that allows or refuses a request, and applies its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import HTTPError

if TYPE_CHECKING:
    from atila import Was

NOBODY = "log in first"


def asked(was: Was, handler: Callable[..., Any], *args: Any) -> Any:
    """What answers a request instead of its route; None if it may go on.

    Args:
        was: the request.
        handler: called with (was, *args): a permission handler, or a bearer handler.
        args: more of its arguments.

    Raises:
        HTTPError: what it raised; 403, it returned False; 401, there is no user, and it did not
            return True.
    """
    try:
        answer = handler(was, *args)
    except AttributeError as error:
        if is_about_nobody(was, error):
            raise HTTPError(401, NOBODY) from error
        raise
    if answer is True:
        return None
    if answer is False:
        raise HTTPError(403, "you may not do this")
    if answer is None and was.request.user is None:
        raise HTTPError(401, NOBODY)
    return answer


def is_about_nobody(was: Was, error: AttributeError) -> bool:
    """Whether a handler failed because it asked something of a user that there is not:
    `was.request.user.level`. For who has not logged in that is the plain answer.
    """
    # Python notes the object; an error that somebody raised himself has neither.
    return error.name is not None and error.obj is None and was.request.user is None
