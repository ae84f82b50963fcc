"""The interface of messengers between workers, and the choice of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from atila.runtime import server_run

if TYPE_CHECKING:
    from atila.serving.site import Site
    from atila_ws.delivery.envelope import Envelope

Deliver = Callable[["Envelope"], "int | Awaitable[int]"]
"""See `Hub.deliver`."""


class Messenger(Protocol):
    """Carries parcels to the other workers, and back how many clients got them."""

    def listen(self) -> None:
        """Be reachable from now on. From any thread; blocks shortly."""

    async def ask(self, worker: str, envelope: Envelope, patience: float) -> int:
        """Have a worker deliver an envelope.

        Returns:
            To how many clients; 0 if there is no such worker, or it does not answer in time.
        """

    async def ask_all(self, envelope: Envelope, patience: float) -> int:
        """Have all other workers deliver a parcel; to how many clients."""

    async def close(self) -> None:
        """Be reachable no longer."""


class Nobody:
    """The messenger of a process that serves alone; see `Messenger`."""

    def listen(self) -> None:
        """See `Messenger`."""

    async def ask(self, worker: str, envelope: Envelope, patience: float) -> int:
        """See `Messenger`."""
        return 0

    async def ask_all(self, envelope: Envelope, patience: float) -> int:
        """See `Messenger`."""
        return 0

    async def close(self) -> None:
        """See `Messenger`."""


def choose(site: Site, worker: str, deliver: Deliver) -> Messenger:
    """The messenger of this process.

    Args:
        site: the site of this process.
        worker: its name.
        deliver: gives an envelope to the clients that are connected here; called on the task loop.
    """
    url = getattr(site.shared, "url", None)
    if url:
        from atila_ws.delivery.redis_messenger import RedisMessenger

        prefix: str = getattr(site.shared, "prefix", "")
        return RedisMessenger(url, prefix, site.loop, worker, deliver)
    folder = server_run.find_folder()
    if folder is None:
        return Nobody()
    from atila_ws.delivery.unix_messenger import UnixMessenger

    # The run's folder is kept for as long as its shared state is in use.
    site.shared.get("ws", "")
    return UnixMessenger(folder, site.loop, worker, deliver)
