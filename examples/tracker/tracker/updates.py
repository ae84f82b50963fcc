"""Event streams by which open pages learn that something is new; they then ask for it."""

from atila import Was
from tracker.apps import pages
from tracker.models import Number


@pages.route("/updates", methods=["GET"])
async def of_all_issues(was: Was) -> object:
    return was.EventStream(rooms=["issues"])


@pages.route("/issues/<int:issue>/updates", methods=["GET"])
async def of_an_issue(was: Was, issue: Number) -> object:
    return was.EventStream(rooms=[f"issue {issue}"])


@pages.route("/notices/updates", methods=["GET"])
@pages.login_required
async def of_my_notices(was: Was) -> object:
    return was.EventStream(rooms=[f"notices of {was.request.user}"])


def announce(issue: int) -> None:
    """Tell every page that shows an issue, in all workers."""
    pages.broadcast("issues", {"issue": issue})
    pages.broadcast(f"issue {issue}", {"issue": issue})


def announce_notice(account: str) -> None:
    pages.broadcast(f"notices of {account}", {})
