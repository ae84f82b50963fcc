"""The parts of the page: by name the title, the guide's page, and the code."""

import functools
from typing import NamedTuple

from markupsafe import Markup

from demo.source import source


class Part(NamedTuple):
    title: str
    text: str
    guide: str
    file: str
    code: Markup


@functools.cache
def parts():
    # They import the page, which imports this.
    from demo import chat, figures, guestbook, hello, live, login, order, site, store, three

    def part(title, text, guide, module, *objects):
        return Part(
            title, text, guide, f"{module.__name__.rpartition('.')[2]}.py", source(*objects)
        )

    return {
        "live": part(
            "This server, live",
            "An event stream of its own metrics, of all workers together, once a second.",
            "event-streams",
            live,
            live.live,
            figures.Sample.since,
        ),
        "hello": part(
            "A plain function",
            "One parameter comes from the path, one from the query. The template escapes both.",
            "routing",
            hello,
            hello.hello,
        ),
        "three": part(
            "Three tasks at once",
            "A query, a password hash and a blocking wait, each in a thread; "
            "the handler gives its own thread back while they run.",
            "tasks",
            three,
            three.three,
            three.clocked,
            store.mean_temperatures,
        ),
        "chat": part(
            "A chat between two windows",
            "One room. The left window is a WebSocket, the right one an event stream; "
            "they may be in different workers.",
            "websockets",
            chat,
            chat.Message,
            chat.join,
            chat.speak,
            chat.listen,
            chat.post,
        ),
        "order": part(
            "A typed form",
            "The types are the whole validation. Each fault comes back with its field.",
            "typed",
            order,
            order.Meal,
            order.Order,
            order.order,
            order.refused,
        ),
        "login": part(
            "Login",
            "The account page needs a login: visitors are sent to the login page, and then back.",
            "sessions",
            login,
            login.permit,
            login.account,
            login.log_in,
        ),
        "guestbook": part(
            "A guest book in SQLite",
            "Python’s own sqlite3: a blocking library is welcome here. No script takes part.",
            "requests",
            guestbook,
            guestbook.sign,
            store.entries,
            store.add,
        ),
        "watch": part(
            "Try it, and watch it",
            "A setting each: the API as a page to try it, metrics for Prometheus, "
            "and whether this server is ready.",
            "monitoring",
            site,
            site,
        ),
    }
