"""Doorbells between several servers ("nodes") on one store, over Redis.

A doorbell names a feed and how far it has come, and nothing else: what is new is read from the store. So one that is
lost costs the seconds until the hub's sweep, one that is repeated or forged a look at the store, and whoever reads the
channel learns no word of anybody's. Nobody ever waits for Redis; the hub works the same without.

Owns both connections and how they come back. A connection can be dead without a word, so each node also publishes a
probe, and one that does not hear its own connects anew.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from itertools import islice
from typing import Any

import orjson
from redis.asyncio.connection import AbstractConnection

from crmtray.protocol import Json

from .monitor import Monitor
from .redis_server import CHANNEL, CONNECT_SECONDS, UNREACHABLE, ask, connected, sentence
from .store.feed import Scope

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
DEAF_SECONDS = 3 * PROBE_SECONDS
"""So long without a probe of our own, and the connection is given up."""
LONGEST_WAIT = 3.0
"""Between two tries to connect."""
SAID_DOWN_SECONDS = 5.0
"""A connection that is back sooner was no outage: the sweep is as fast."""
QUIET_SECONDS = 60.0
MOST_WAITING = 10_000
"""People whose doorbells wait for Redis; each is once among them, with the newest head."""
BELLS = 100
"""Doorbells in one message."""
LARGEST = 64 * 1024
"""Bytes of a message. Ours are smaller; what is larger is not even parsed."""


class Bus:
    """`ring` may be called at any time and never waits; `run` does the work."""

    def __init__(
        self, url: str, heard: Callable[[Scope, int], None], missed: Callable[[], None], monitor: Monitor
    ) -> None:
        """`heard` is told of every doorbell of another node; `missed` that there may have been some unheard."""
        self._url, self._heard, self._missed, self._monitor = url, heard, missed, monitor
        self._node = uuid.uuid4().hex
        self._waiting: dict[Scope, int] = {}
        self._work = asyncio.Event()
        self._probe_due = False
        self._hears = False
        self._subscribed = False
        self._heard_at: float | None = None
        self._said_down = False
        self._ignored_said: float | None = None

    def ring(self, scope: Scope, head: int) -> None:
        """This process stored something: the feed has come so far."""
        if scope not in self._waiting and len(self._waiting) >= MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self._monitor.bells_dropped(1)
        self._waiting[scope] = max(head, self._waiting.get(scope, 0))
        self._work.set()

    def status(self) -> Json:
        """For /health: down when nothing was heard for some seconds."""
        return {"status": "down" if self._away_seconds() > SAID_DOWN_SECONDS else "ok"}

    async def run(self) -> None:
        self._heard_at = self._now()
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._publish_forever(), name="bus-publish")
                parts.create_task(self._listen_forever(), name="bus-listen")
                parts.create_task(self._probe_forever(), name="bus-probe")
        finally:
            self._hearing(False)

    # --- speaking ----------------------------------------------------------------------------------------------

    async def _publish_forever(self) -> None:
        failures = 0
        while True:
            try:
                async with connected(self._url) as connection:
                    self._probe()
                    while True:
                        await self._publish_waiting(connection)
                        failures = 0
            except UNREACHABLE as error:
                self._note_away(error)
                await asyncio.sleep(_pause(failures))
                failures += 1

    async def _publish_waiting(self, connection: AbstractConnection) -> None:
        await self._work.wait()
        if self._probe_due:
            self._probe_due = False  # before: another may fall due while this one is on its way
            await ask(connection, "PUBLISH", CHANNEL, orjson.dumps({"probe": self._node}))
        bells = {scope: self._waiting.pop(scope) for scope in tuple(islice(self._waiting, BELLS))}
        if bells:
            await self._publish(connection, bells)
        if not self._waiting and not self._probe_due:
            self._work.clear()

    async def _publish(self, connection: AbstractConnection, bells: dict[Scope, int]) -> None:
        named = [[scope.tenant_id, scope.user_id, head] for scope, head in bells.items()]
        try:
            await ask(connection, "PUBLISH", CHANNEL, orjson.dumps({"node": self._node, "bells": named}))
        except UNREACHABLE:
            # They go out again when Redis is back; what is rung twice does no harm.
            for scope, head in bells.items():
                self.ring(scope, head)
            raise
        self._monitor.bells_sent(len(bells))

    async def _probe_forever(self) -> None:
        while True:
            self._probe()
            await asyncio.sleep(PROBE_SECONDS)

    def _probe(self) -> None:
        self._probe_due = True
        self._work.set()

    # --- hearing -----------------------------------------------------------------------------------------------

    async def _listen_forever(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
            except UNREACHABLE as error:
                failures = 0 if self._hears else failures + 1
                self._hearing(False)
                self._note_away(error)
                await asyncio.sleep(_pause(failures))

    async def _listen(self) -> None:
        async with connected(self._url) as connection:
            await ask(connection, "SUBSCRIBE", CHANNEL, seconds=CONNECT_SECONDS)
            # From here on nothing is missed; what came before is.
            self._missed()
            self._probe()
            if self._subscribed:
                self._monitor.bus_reconnected()
            self._subscribed = True
            await self._take_all(connection)

    async def _take_all(self, connection: AbstractConnection) -> None:
        try:
            async with asyncio.timeout(DEAF_SECONDS) as deaf:
                while True:
                    if self._take(await connection.read_response(disable_decoding=True)):
                        deaf.reschedule(self._now() + DEAF_SECONDS)
        except TimeoutError:
            raise ConnectionError("it is connected, but passes nothing on") from None

    def _take(self, answer: Any) -> bool:
        """Passes doorbells on. True: it is the probe of this node."""
        message = _message(answer)
        if message is None:
            self._ignore()
            return False
        if message.get("probe") == self._node:
            self._hearing(True)
            return True
        bells = _bells(message)
        if bells is None:
            self._ignore()
        elif bells and message.get("node") != self._node:
            self._monitor.bells_received(len(bells))
            for scope, head in bells:
                self._heard(scope, head)
        return False

    def _ignore(self) -> None:
        self._monitor.bell_ignored()
        if self._ignored_said is None or self._now() - self._ignored_said >= QUIET_SECONDS:
            self._ignored_said = self._now()
            log.warning("something on Redis' channel %s is no doorbell; who else may publish there?", CHANNEL)

    # --- well or not -------------------------------------------------------------------------------------------

    def _hearing(self, hears: bool) -> None:
        if hears and self._said_down:
            log.info("Redis is there again: changes of other nodes are pushed at once")
            self._said_down = False
        if hears:
            self._heard_at = self._now()
        self._hears = hears
        self._monitor.bus_connected(hears)

    def _note_away(self, error: BaseException) -> None:
        """Said once an outage, and not of one that is over in seconds."""
        if not self._said_down and self._away_seconds() > SAID_DOWN_SECONDS:
            self._said_down = True
            log.warning("Redis is away, changes of other nodes are found every few seconds: %s", sentence(error))

    def _away_seconds(self) -> float:
        return 0.0 if self._hears or self._heard_at is None else self._now() - self._heard_at

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _pause(failures: int) -> float:
    """Full jitter: nodes that lost the same Redis do not come back in one moment."""
    return random.uniform(0, min(LONGEST_WAIT, 0.1 * 2 ** min(failures, 10)))


def _message(answer: Any) -> Json | None:
    """What was published, None when it cannot be ours. The answer to SUBSCRIBE itself was read before."""
    if not isinstance(answer, list) or len(answer) != 3 or not isinstance(answer[2], bytes):
        return None
    if len(answer[2]) > LARGEST:
        return None
    try:
        message = orjson.loads(answer[2])
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _bells(message: Json) -> list[tuple[Scope, int]] | None:
    """None when it is not what a node publishes; nothing for another node's probe."""
    if isinstance(message.get("probe"), str):
        return []
    named = message.get("bells")
    if not isinstance(named, list) or len(named) > BELLS:
        return None
    bells = [_bell(one) for one in named]
    return None if None in bells else [bell for bell in bells if bell is not None]


def _bell(named: Any) -> tuple[Scope, int] | None:
    if not isinstance(named, list) or len(named) != 3:
        return None
    tenant_id, user_id, head = named
    if not isinstance(tenant_id, str) or not isinstance(user_id, str) or type(head) is not int:
        return None
    return Scope(tenant_id, user_id), head
