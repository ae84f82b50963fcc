"""Calls a handler of the app that allows or refuses a request, and applies its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import HTTPError

if TYPE_CHECKING:
    from atila import Was

NOBODY = "log in first"


def asked(was: Was, handler: Callable[..., Any], *args: Any) -> Any:
    """The answer to a request instead of its route's; None if it may go on.

    Args:
        was: the request.
        handler: called with (was, *args): a permission handler, or a bearer handler.
        args: more of its arguments.

    Raises:
        HTTPError: the handler's; 403, it returned False; 401, there is no user, and it did not
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
    """Whether a handler failed because it read an attribute of a missing user,
    `was.request.user.level`: clients that have not logged in then get a 401.
    """
    # Python notes the object; an error that somebody raised himself has neither.
    return error.name is not None and error.obj is None and was.request.user is None
