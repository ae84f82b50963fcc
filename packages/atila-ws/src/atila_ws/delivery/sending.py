"""`app.broadcast`, `app.websocket_send` and `app.websocket_broadcast`: messages to clients from
anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila import Event
from atila_ws.delivery.envelope import Envelope
from atila_ws.delivery.history import history_of
from atila_ws.delivery.hub import hub_of, space_of

if TYPE_CHECKING:
    from atila import Atila


def websocket_send(app: Atila, client_id: str | None, message: Any) -> Any:
    """Send a message to a client, whichever worker it is connected to.

    Args:
        app: the app.
        client_id: a value of `was.websocket.client_id`; None, or one that is not connected any
            more, is no error.
        message: as `was.websocket.send` takes it.

    Returns:
        Whether it was delivered: the system has it, on a connection that is open. In a thread True
        or False, when that is known, within WS_DELIVERY_TIMEOUT; on the task loop an awaitable of
        it, which need not be awaited. False also if the client's worker was killed just then, when
        the outcome is unknown.

    Raises:
        TypeError: the message is nothing that can be sent.
    """
    # Wrong messages fail whoever they are for.
    envelope = Envelope.of(client_id or "", message)
    return hub_of(app.site).send(client_id, envelope, app.config.WS_DELIVERY_TIMEOUT)


def websocket_broadcast(app: Atila, room: str, message: Any) -> Any:
    """Send a message to all clients in a room of this app, in all workers.

    A client that is in the room before this is called gets it, once; messages of one thread arrive
    in order.

    Args:
        app: the app.
        room: the argument of `was.websocket.join`.
        message: as `was.websocket.send` takes it.

    Returns:
        The number of clients that it is on its way to; in a thread a number, on the task loop an
        awaitable of it, which need not be awaited.

    Raises:
        TypeError: the message is nothing that can be sent.
    """
    envelope = Envelope.of(room, message, is_room=True, space=space_of(app))
    return hub_of(app.site).broadcast(envelope, app.config.WS_DELIVERY_TIMEOUT)


def broadcast(app: Atila, room: str, message: Any, *, event: str = "") -> Any:
    """Send a message to all clients in a room of this app, in all workers: to WebSockets, and to
    event streams, `was.EventStream(rooms=[room])`.

    An event stream that is interrupted gets what it has missed when it is connected again, as far
    as the settings EVENT_HISTORY and EVENT_HISTORY_SECONDS go.

    Args:
        app: the app.
        room: its name.
        message: text; dict, list, a number or a model, which are sent as JSON; or an `Event` of
            these.
        event: the name of the event for event streams; "" for "message".

    Returns:
        The number of clients that it is on its way to; in a thread a number, on the task loop an
        awaitable of it, which need not be awaited.

    Raises:
        TypeError: the message is nothing that can be sent.
        ValueError: it is an event with an id, a time to retry or a comment, which are the stream's.
        SharedUnavailable: it could not be kept for those who come again, and was not sent.
    """
    made = message if isinstance(message, Event) else Event(message, event)
    if made.text is None or (made.id, made.retry, made.comment) != (None, None, None):
        raise ValueError("an event for a room has data and a name, and nothing else")
    envelope = Envelope(
        room,
        "text" if isinstance(made.data, str) else "json",
        made.text,
        is_room=True,
        space=space_of(app),
        event=made.event,
    )
    history = history_of(app)

    def keep() -> None:
        if history is not None:
            envelope.mark = str(history.add(room, envelope.pack()))

    patience: float = app.config.WS_DELIVERY_TIMEOUT
    return hub_of(app.site).broadcast(envelope, patience, keep if history is not None else None)
