"""Chooses the member of an alias for a request: by weight, without dead ones, or all."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from atila.runtime.keeping import kept
from atila_tasks.core.errors import Unreachable, UpstreamError
from atila_tasks.upstream.interfaces import find
from atila_tasks.upstream.query_spans import traced

if TYPE_CHECKING:
    from atila import Site
    from atila_tasks.upstream.aliases import Alias, Member
    from atila_tasks.upstream.interfaces import Interface

log = logging.getLogger("atila.tasks")

REST = 3.0
"""Seconds that a member which could not be reached is left alone, if there are others."""


class Upstream:
    """A member of an alias, and its state.

    Args:
        alias: the alias.
        member: its address.
    """

    __slots__ = (
        "_alias",
        "_interface",
        "_is_logged",
        "_logged_at",
        "current_weight",
        "down_until",
        "member",
    )

    def __init__(self, alias: Alias, member: Member) -> None:
        self._alias = alias
        self.member = member
        self.down_until = 0.0
        self.current_weight = 0
        self._interface: Interface | None = None
        self._logged_at = -REST
        self._is_logged = False

    async def perform(self, request: Any) -> Any:
        """Carry out a request here; one that shows the member dead has it rest."""
        if self._interface is None:
            self._interface = find(self._alias.kind, self._alias.name)(self._alias, self.member)
        try:
            data = await traced(self._alias, self.member, request, self._interface.perform)
        except UpstreamError as error:
            self._rest(error)
            raise
        if self.down_until:
            self.down_until = 0.0
            if self._is_logged:
                self._is_logged = False
                log.info("%s at %s is back", self._alias.name, self.member.location)
        return data

    def _rest(self, error: UpstreamError) -> None:
        now = time.monotonic()
        # One that comes and goes is logged now and then, not with each request.
        if not self.down_until and now - self._logged_at >= REST:
            self._logged_at, self._is_logged = now, True
            log.warning("%s at %s: %s", self._alias.name, self.member.location, error.report)
        self.down_until = now + REST

    async def close(self) -> None:
        if self._interface is not None:
            await self._interface.close()


class Upstreams:
    """The members of an alias in this process. On the task loop only, hence without locks.

    Args:
        alias: the alias.
    """

    def __init__(self, alias: Alias) -> None:
        self.all: Sequence[Upstream] = [Upstream(alias, member) for member in alias.members]

    def choose(self, tried: Collection[Upstream] = ()) -> Upstream:
        """The next in turn by weight: of those that do not rest, else the one next to wake.

        Args:
            tried: members that must not be taken again; not all.
        """
        if len(self.all) == 1:
            return self.all[0]
        upstreams = [seat for seat in self.all if seat not in tried]
        now = time.monotonic()
        alive = [seat for seat in upstreams if seat.down_until <= now]
        if not alive:
            return min(upstreams, key=lambda seat: seat.down_until)
        # Smooth weighted round robin: who is behind its share the most is next.
        for seat in alive:
            seat.current_weight += seat.member.weight
        chosen = max(alive, key=lambda seat: seat.current_weight)
        chosen.current_weight -= sum(seat.member.weight for seat in alive)
        return chosen

    def perform(self, request: Any) -> Coroutine[Any, Any, Any]:
        """Carry out a request at one member."""
        return self.choose().perform(request)

    async def balance(self, request: Any) -> Any:
        """Carry out a request at one member, or the next if that cannot be reached.

        One that was sent is tried again only if it says of itself that it is `idempotent`.
        """
        tried: list[Upstream] = []
        while True:
            seat = self.choose(tried)
            try:
                return await seat.perform(request)
            except UpstreamError as error:
                tried.append(seat)
                may_repeat = isinstance(error, Unreachable) or getattr(request, "idempotent", False)
                if len(tried) == len(self.all) or not may_repeat:
                    raise

    async def close(self) -> None:
        for seat in self.all:
            try:
                await seat.close()
            except Exception:
                log.exception("closing the connections to %s failed", seat.member.location)


def seats_of(site: Site, alias: Alias) -> Upstreams:
    """The members of an alias, as a site keeps them. On the task loop."""
    return kept(site, alias, lambda: _made(site, alias))


def _made(site: Site, alias: Alias) -> Upstreams:
    upstreams = Upstreams(alias)
    site.on_shutdown(upstreams.close)
    return upstreams
