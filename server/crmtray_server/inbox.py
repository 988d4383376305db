"""What a person does to items: read, unread, snooze, remove, clear. Each stored, then published to all devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from crmtray.protocol import Notification, Priority

from .hub import Hub
from .readers import Reader, Readers
from .store import feed, snoozes
from .store.database import Store
from .store.feed import Committed, NewItem, Scope
from .store.snoozes import Loudness

Clock = Callable[[], datetime]
LOOK_SECONDS = 5.0
"""How soon is known what is snoozed at another process."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class NotFound(Exception):
    """No such item in this person's inbox; the same answer whether it is another's or nobody's."""


class Inbox:
    """The one door through which items change; store first, sockets after the commit.

    `readers`: to decide how loudly a snoozed item comes back; without, as it was.
    """

    def __init__(self, store: Store, hub: Hub, clock: Clock = utc_now, readers: Readers | None = None) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._readers = readers
        self.snoozed = asyncio.Event()
        """Set when something was put off, so that whoever wakes items looks at the time anew."""
        self.stored = asyncio.Event()
        """Set when new items were stored, so that whoever sends e-mails looks at what is due."""

    async def add(self, items: Sequence[NewItem], also: Callable[..., None] | None = None) -> list[Committed]:
        """Stores what is new and publishes it. `also(connection)` runs in the same transaction."""

        def write(connection: Any) -> list[Committed]:
            committed = feed.add(connection, items, self._clock())
            if also is not None:
                also(connection)
            return committed

        committed = await self._store.write(write)
        self._hub.publish(committed)
        if committed:
            self.stored.set()
        return committed

    async def mark_read(self, scope: Scope, id: str) -> Notification:
        return await self._one(scope, id, feed.mark_read, self._clock())

    async def mark_unread(self, scope: Scope, id: str) -> Notification:
        return await self._one(scope, id, feed.mark_unread)

    async def snooze(self, scope: Scope, id: str, until: datetime) -> Notification:
        """What it says of its loudness is of the moment it comes back: clients bring it back by their own clocks."""
        then = await self._loudness_of(scope, id, until)
        notification = await self._one(scope, id, snoozes.snooze, until, then)
        self.snoozed.set()
        return notification

    async def remove(self, scope: Scope, id: str) -> None:
        await self._found(scope, id)
        await self._apply(feed.remove, scope, [id], self._clock())

    async def mark_many_read(self, scope: Scope, ids: Sequence[str]) -> Committed:
        """Ids that are not this person's are passed over: a list may name items that were removed meanwhile."""
        return await self._apply(feed.mark_read, scope, ids, self._clock())

    async def mark_all_read(self, scope: Scope, up_to: int | None = None) -> Committed:
        return await self._apply(feed.mark_all_read, scope, self._clock(), up_to)

    async def clear(self, scope: Scope, up_to: int | None = None) -> Committed:
        return await self._apply(feed.clear, scope, self._clock(), up_to)

    async def wake(self) -> None:
        """Brings back whose snooze is over, as loud as its reader's preferences say at this moment."""
        now = self._clock()
        owners = await self._store.read(snoozes.sleepers, now)
        if not owners:
            return
        readers = None if self._readers is None else await self._readers.load(owners)

        def how_loud(scope: Scope, type: str, priority: Priority) -> Loudness | None:
            # Somebody who snoozed between the two looks has his turn with the next.
            return _loudness(readers[scope], type, priority, now) if readers and scope in readers else None

        self._hub.publish(await self._store.write(snoozes.wake, now, how_loud if readers else None))

    async def wake_forever(self) -> None:
        """Brings snoozed items back at their moment."""
        while True:
            self.snoozed.clear()
            await self.wake()
            moment = await self._store.read(snoozes.next_wake)
            left = LOOK_SECONDS if moment is None else max(0.0, (moment - self._clock()).total_seconds())
            try:
                await asyncio.wait_for(self.snoozed.wait(), min(left, LOOK_SECONDS))
            except TimeoutError:
                continue

    async def _loudness_of(self, scope: Scope, id: str, moment: datetime) -> Loudness | None:
        item = await self._found(scope, id)
        if self._readers is None:
            return None
        return _loudness((await self._readers.load([scope]))[scope], item.type, item.priority, moment)

    async def _one(self, scope: Scope, id: str, change: Callable[..., Committed], *args: Any) -> Notification:
        before = await self._found(scope, id)
        committed = await self._apply(change, scope, [id], *args)
        after = committed.changes[0].notification if committed.changes else None
        return after or before

    async def _found(self, scope: Scope, id: str) -> Notification:
        notification = await self._store.read(feed.get, scope, id)
        if notification is None:
            raise NotFound
        return notification

    async def _apply(self, change: Callable[..., Committed], scope: Scope, *args: Any) -> Committed:
        committed = await self._store.write(change, scope, *args)
        self._hub.publish([committed])
        return committed


def _loudness(reader: Reader, type: str, priority: Priority, moment: datetime) -> Loudness:
    """Switched off meanwhile, it is still in the inbox: it comes back silently."""
    decision = reader.decide(type, priority, moment)
    return Loudness(decision.outcome != "loud", decision.reason)
