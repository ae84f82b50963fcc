"""Messages between the workers of many hosts: Redis channels, one for each worker and one for all.

A question is "Q", the name of the asking worker in 12 bytes, a number of 8 bytes and an envelope;
an answer is "A", the number, a count of 8 bytes and the name of the answering worker. Messages of
one worker keep their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from atila import SetupError, SharedUnavailable
from atila.runtime.shared_redis import connect
from atila.runtime.spare_threads import waiting
from atila_ws.delivery.envelope import Envelope

if TYPE_CHECKING:
    from atila.runtime.loop import TaskLoop
    from atila_ws.delivery.messengers import Deliver

log = logging.getLogger("atila.ws")

NAME = 12
"""Bytes of a worker's name."""
SUBSCRIBE_SECONDS = 3.0
CHECK_SECONDS = 5.0
"""How often it is asked whether it is still there, when nothing comes of it."""
POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5


class _Question:
    """A question to a number of processes."""

    def __init__(self) -> None:
        self.answers = 0
        self.count = 0
        self._answered: set[bytes] = set()
        self.asked: int | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, count: int, worker: bytes) -> None:
        """Take the answer of a worker; the same one again is none.

        Args:
            count: how many it has reached.
            worker: its name; b"" if it is of a version that does not say.
        """
        if worker in self._answered:
            return
        if worker:
            self._answered.add(worker)
        self.answers += 1
        self.count += count
        self.look()

    def look(self) -> None:
        """Whether all have answered."""
        if self.asked is not None and self.answers >= self.asked and not self.done.done():
            self.done.set_result(None)


class RedisMessenger:
    """See `Messenger`.

    Args:
        url: the URL of the Redis.
        prefix: the prefix of its channels.
        loop: the task loop.
        worker: the name of this process.
        deliver: see `Hub.deliver`.

    Raises:
        SetupError: the library is not installed.
    """

    def __init__(
        self, url: str, prefix: str, loop: TaskLoop, worker: str, deliver: Deliver
    ) -> None:
        try:
            import redis
            import redis.asyncio
        except ImportError:
            raise SetupError(
                'WebSockets of many hosts need Redis. Mend: pip install "atila-ws[redis]"'
            ) from None
        self._loop = loop
        self._worker = worker
        self._deliver = deliver
        self._prefix = f"{prefix}:ws:"
        self._errors = (redis.RedisError, OSError)
        self._subscriber: Any = connect(redis, url, health_check_interval=CHECK_SECONDS)
        # One connection, for the order.
        self._publisher: Any = connect(redis.asyncio, url, single_connection_client=True)
        self._numbers = itertools.count()
        self._questions: dict[int, _Question] = {}
        self._opening = threading.Lock()
        self._channels: Any = None
        self._is_over = False

    def listen(self) -> None:
        """See `Messenger`."""
        with self._opening, waiting():
            if self._channels is None:
                self._subscribe()

    def _subscribe(self) -> None:
        channels = self._subscriber.pubsub()
        try:
            channels.subscribe(self._prefix + self._worker, self._prefix + "all")
            for _ in range(2):
                # Redis says so for each: from now on nothing is missed.
                if channels.get_message(timeout=SUBSCRIBE_SECONDS) is None:
                    raise TimeoutError(f"not subscribed within {SUBSCRIBE_SECONDS:g} s")
        except self._errors as error:
            with contextlib.suppress(*self._errors):
                channels.close()
            text = f"Redis: {type(error).__name__}: {error}"
            raise SharedUnavailable(text) from error
        self._channels = channels
        threading.Thread(
            target=self._receive, args=(channels,), name="atila-ws-redis", daemon=True
        ).start()

    def _receive(self, channels: Any) -> None:
        pause = threading.Event()
        is_lost = False
        while not self._is_over:
            try:
                message = channels.get_message(timeout=POLL_SECONDS)
            except Exception as error:
                # It subscribes anew by itself, with the next call; whatever the library raises
                # of a connection that ends in a bad moment, nobody else would listen.
                if not is_lost and not self._is_over:
                    log.warning("Redis: %s; messages of other workers are lost meanwhile", error)
                is_lost = True
                pause.wait(RETRY_SECONDS)
                continue
            if message is None:
                _look_after(channels.connection)
            if is_lost:
                is_lost = False
                log.info("Redis: listening again")
            if message is not None and message["type"] == "message":
                self._loop.call(self._arrived, message["data"])
        with contextlib.suppress(*self._errors):
            channels.close()
        self._subscriber.close()

    def _arrived(self, data: bytes) -> None:
        if data[:1] == b"A":
            question = self._questions.get(int.from_bytes(data[1:9], "big"))
            if question is not None:
                question.take(int.from_bytes(data[9:17], "big"), data[17:])
            return
        asker, number = data[1 : 1 + NAME].decode(), data[1 + NAME : 9 + NAME]
        if asker != self._worker:
            outcome = self._deliver(Envelope.unpack(data[9 + NAME :], _ahead()))
            self._loop.spawn(self._tell(asker, number, outcome))

    async def _tell(self, asker: str, number: bytes, outcome: int | Awaitable[int]) -> None:
        count = outcome if isinstance(outcome, int) else await outcome
        answer = b"A" + number + count.to_bytes(8, "big") + self._worker.encode()
        try:
            try:
                await self._publisher.publish(self._prefix + asker, answer)
            except self._errors:
                # Redis may have ended the connection since it was used, as when it starts anew;
                # the asker would wait for this answer. If it has arrived all the same, the asker
                # takes one of them.
                await self._publisher.publish(self._prefix + asker, answer)
        except self._errors as error:
            log.warning("Redis: %s; an answer is lost", type(error).__name__)
        except KeyError:
            # The library, if it is closed meanwhile.
            if not self._is_over:
                raise

    async def ask(self, worker: str, envelope: Envelope, patience: float) -> int:
        """See `Messenger`."""
        return await self._ask(worker, 0, envelope, patience)

    async def ask_all(self, envelope: Envelope, patience: float) -> int:
        """See `Messenger`."""
        return await self._ask("all", 1, envelope, patience)

    async def _ask(self, channel: str, own: int, envelope: Envelope, patience: float) -> int:
        """Ask; `own` is the number of subscriptions of this process."""
        if self._channels is None:
            # Answers come over the own channel. Redis may take its time, for which the loop does
            # not wait.
            await asyncio.get_running_loop().run_in_executor(None, self.listen)
        number, question = next(self._numbers), _Question()
        self._questions[number] = question
        head = b"Q" + self._worker.encode() + number.to_bytes(8, "big")
        try:
            async with asyncio.timeout(patience + 1.0):
                heard = await self._publisher.publish(
                    self._prefix + channel, head + envelope.pack(_ahead())
                )
                question.asked = heard - own
                question.look()
                await question.done
        except TimeoutError:
            log.warning("a worker does not answer")
        except self._errors as error:
            log.warning("Redis: %s; a message is lost", type(error).__name__)
        finally:
            del self._questions[number]
        return question.count

    async def close(self) -> None:
        """See `Messenger`."""
        self._is_over = True
        try:
            if self._channels is not None:
                # Its thread does the rest.
                self._channels.unsubscribe()
            await self._publisher.aclose()
        except self._errors:
            pass  # It is gone already.


def _ahead() -> float:
    """Seconds by which the time of the day, which hosts have in common, is ahead of our monotonic
    clock.
    """
    return time.time() - time.monotonic()


def _look_after(connection: Any) -> None:
    """Have a connection made anew whose other end has vanished without a word.

    Relied on, of the library's connection: `next_health_check`, which each reading puts off.
    """
    if time.monotonic() > connection.next_health_check + 2 * CHECK_SECONDS:
        connection.disconnect()
