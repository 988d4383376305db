"""What a person does to items: read, unread, snooze, remove, clear. Each stored, then published to all devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from crmtray.protocol import Notification

from .hub import Hub
from .store import feed
from .store.database import Store
from .store.feed import Committed, NewItem, Scope

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class NotFound(Exception):
    """No such item in this person's inbox; the same answer whether it is another's or nobody's."""


class Inbox:
    """The one door through which items change; store first, sockets after the commit."""

    def __init__(self, store: Store, hub: Hub, clock: Clock = utc_now) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self.snoozed = asyncio.Event()
        """Set when something was put off, so that whoever wakes items looks at the time anew."""

    async def add(self, items: Sequence[NewItem], also: Callable[..., None] | None = None) -> list[Committed]:
        """Stores what is new and publishes it. `also(connection)` runs in the same transaction."""

        def write(connection: Any) -> list[Committed]:
            committed = feed.add(connection, items, self._clock())
            if also is not None:
                also(connection)
            return committed

        committed = await self._store.write(write)
        self._hub.publish(committed)
        return committed

    async def mark_read(self, scope: Scope, id: str) -> Notification:
        return await self._one(scope, id, feed.mark_read, self._clock())

    async def mark_unread(self, scope: Scope, id: str) -> Notification:
        return await self._one(scope, id, feed.mark_unread)

    async def snooze(self, scope: Scope, id: str, until: datetime) -> Notification:
        notification = await self._one(scope, id, feed.snooze, until)
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

    async def wake_forever(self) -> None:
        """Brings snoozed items back at their moment."""
        while True:
            self.snoozed.clear()
            self._hub.publish(await self._store.write(feed.wake, self._clock()))
            moment = await self._store.read(feed.next_wake)
            seconds = None if moment is None else max(0.0, (moment - self._clock()).total_seconds())
            try:
                await asyncio.wait_for(self.snoozed.wait(), seconds)
            except TimeoutError:
                continue

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
