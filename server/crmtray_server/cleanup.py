"""Lets go of what is older than the retention: a minute after the start, then every hour.

Owns when, and that devices are told. What is too old, and how it goes, is in store/retention. Two processes that do it
at once are harmless: each step finds what is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from .hub import Hub
from .store import retention
from .store.database import Store
from .store.feed import Scope

log = logging.getLogger(__name__)

FIRST, EVERY = timedelta(minutes=1), timedelta(hours=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Cleanup:
    """Runs until cancelled."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        keep: timedelta,
        clock: Callable[[], datetime] = utc_now,
        first: timedelta = FIRST,
        every: timedelta = EVERY,
    ) -> None:
        self._store, self._hub, self._keep, self._clock = store, hub, keep, clock
        self._first, self._every = first, every

    async def run(self) -> None:
        await asyncio.sleep(self._first.total_seconds())
        while True:
            gone = await self.once()
            if gone:
                log.info("cleaned up: %s", ", ".join(f"{count} {what}" for what, count in sorted(gone.items())))
            await asyncio.sleep(self._every.total_seconds())

    async def once(self) -> Counter[str]:
        """How many rows of what went."""
        gone: Counter[str] = Counter()
        now = self._clock()
        old = now - self._keep
        for scope in await self._store.read(retention.owners_of_old, old):
            gone["notifications removed"] += await _all(partial(self._remove, scope, old, now))
        for scope in await self._store.read(retention.owners_of_removed, old):
            gone["notifications deleted"] += await _all(partial(self._forget, scope, old))
        for expiry in retention.expiries(now, self._keep):
            gone[expiry.table.name] += await _all(partial(self._store.write, retention.delete_some, expiry))
        return +gone

    async def _remove(self, scope: Scope, old: datetime, now: datetime) -> int:
        committed = await self._store.write(retention.remove_old, scope, old, now)
        self._hub.publish([committed])
        return len(committed.changes)

    async def _forget(self, scope: Scope, old: datetime) -> int:
        count, moved = await self._store.write(retention.forget_removed, scope, old)
        self._hub.publish([moved])
        return count


async def _all(step: Callable[[], Awaitable[int]]) -> int:
    """Step by step until nothing is left; other writers get their turn in between."""
    total = 0
    while count := await step():
        total += count
    return total
